import { Inject, Optional } from '@nestjs/common';
import type { ModuleRef, ModulesContainer } from '@nestjs/core';
import { getDataSourceToken, getEntityManagerToken, getRepositoryToken } from '@nestjs/typeorm';
import type { DataSource, DataSourceOptions } from 'typeorm';
import { isDataSource, optionsOf } from './backends/typeorm/data-source.js';
import { SessionEntity } from './backends/typeorm/schema/session.entity.js';
import { appUseOf } from './backends/typeorm/sqlite/shared-with-app.js';
import { sessionsPath } from './backends/typeorm/sqlite/sqlite-path.js';
import { SessionBackend } from './core/session-backend.js';
import { SessionOptionsError } from './core/session-errors.js';
import type { SessionLogger } from './core/session-logger.js';

/*
 * Which data source of the app sessions are stored in: how one is found by a name that a factory returns, whether the app uses
 * its database too, and the error where there is none.
 */

/** The option `dataSource`: a name, options, or nothing for the default one. */
type GivenDataSource = string | DataSourceOptions | undefined;

/** A module of the app as Nest keeps it, and a provider in it. */
type AppModule = ModulesContainer extends Map<string, infer M> ? M : never;
type Wrapper = AppModule['providers'] extends Map<unknown, infer W> ? W : never;

/**
 * The data source of that name, once the app has made it; `undefined`: there is none. For a name that is known too late to be
 * injected: Nest makes an instance of the class, and waits for what it wants.
 */
export async function dataSourceNamed(name: string, app: ModuleRef): Promise<DataSource | undefined> {
  const token = getDataSourceToken(name);
  class Named {
    constructor(@Optional() @Inject(token) readonly dataSource?: DataSource) {}
  }
  return (await app.create(Named)).dataSource;
}

/**
 * Whether sessions share a database on SQLite with the app, so that they need a file of their own beside it: the default
 * data source is the app's; another one is for sessions alone unless something shows otherwise, which the log then names.
 * Known once the app's providers are made.
 */
export function isSharedWithApp(
  given: GivenDataSource,
  source: DataSource | DataSourceOptions,
  modules: ModulesContainer,
  logger: SessionLogger,
): boolean {
  const { type } = optionsOf(source);
  if (type !== 'sqlite' && type !== 'better-sqlite3') return false;
  if (given === undefined || given === 'default') return true;
  const others = openedIn(modules).filter((one) => one !== source);
  const use =
    appUseOf(source, others) ??
    (typeof given === 'string' && isDataSource(source) ? injectionOf(given, source, modules) : null);
  if (use === null) return false;
  const file = sessionsPath(optionsOf(source));
  const what = typeof given === 'string' ? `\`dataSource: '${given}'\`` : '`dataSource`';
  logger.warn(
    `${what} is not for sessions alone: ${use}. So that they take no part in transactions of the app, sessions are ` +
      `${file === null ? 'in a database in memory of their own' : `beside it, in '${file}'`}. To say where they are to be, ` +
      'give `dataSource` the options of a data source with a file of its own',
  );
  return true;
}

/** @returns the error of an app that lacks the data source that sessions are to be in */
export function noDataSource(name: string | undefined, modules: ModulesContainer): SessionOptionsError {
  const known = namesIn(modules);
  let there = known.length === 0 ? 'There is none' : `There is ${known.join(', ')}`;
  if (name === undefined && hasOtherCopy(modules)) {
    there =
      'The app has one, of another copy of TypeORM: there are two copies of @nestjs/typeorm or of typeorm, the ' +
      "app's and that of nest-sessions. `npm ls @nestjs/typeorm typeorm` says where; install one version of each";
  }
  return new SessionOptionsError(
    name === undefined
      ? 'Expected a TypeORM data source, got none: import TypeOrmModule.forRoot() in the root module, name another data ' +
          'source in `dataSource` (one that the app uses too will do), or give its options there, or give `backend`. ' +
          there
      : `\`dataSource\`: expected the name of a data source, got '${name}', which no TypeOrmModule.forRoot({ name }) ` +
          `defines. ${there}`,
  );
}

/** What `dataSource` may name: TypeOrmModule provides each under its name and this suffix, the default one as the class. */
function namesIn(modules: ModulesContainer): string[] {
  const tokens = providersIn(modules).map(({ token }) => token);
  const names = tokens.flatMap((token) =>
    typeof token === 'string' && token.endsWith('DataSource')
      ? [`'${token.slice(0, -'DataSource'.length)}'`]
      : [],
  );
  if (tokens.some((token) => token === getDataSourceToken())) names.unshift('the default one');
  return [...new Set(names)];
}

/** Whether there is a default data source that goes by the class of a TypeORM which is not the one imported here. */
function hasOtherCopy(modules: ModulesContainer): boolean {
  return providersIn(modules).some(
    ({ token }) =>
      typeof token === 'function' && token.name === 'DataSource' && token !== getDataSourceToken(),
  );
}

/** The data sources that providers of the app are. */
function openedIn(modules: ModulesContainer): DataSource[] {
  const instances = providersIn(modules).map(({ instance }): unknown => instance);
  return [...new Set(instances.filter(isOpened))];
}

function isOpened(instance: unknown): instance is DataSource {
  if (typeof instance !== 'object' || instance === null) return false;
  try {
    return 'createQueryRunner' in instance && 'options' in instance && typeof instance.options === 'object';
  } catch {
    return false; // a proxy of a provider that lives in a request, which there is none of
  }
}

/** Who of the app is given the data source, or its manager, as the end of a sentence. `null`: nobody. */
function injectionOf(name: string, source: DataSource, modules: ModulesContainer): string | null {
  const manager: unknown = getEntityManagerToken(name);
  const all = [...modules.values()].flatMap((module) => [
    ...module.providers.values(),
    ...module.controllers.values(),
    ...module.injectables.values(),
    ...module.middlewares.values(),
  ]);
  const user = all.find(
    (one) =>
      one.token !== SessionBackend &&
      one.token !== manager &&
      !isOwnRepository(one.token, name) &&
      (one.getCtorMetadata() ?? [])
        .concat((one.getPropertiesMetadata() ?? []).map(({ wrapper }) => wrapper))
        .some((dependency) => dependency.instance === source || dependency.token === manager),
  );
  return user === undefined ? null : `it is injected into ${labelOf(user.token)}`;
}

/** Whether it is what `TypeOrmModule.forFeature([SessionEntity], name)` provides, for reading the table. */
function isOwnRepository(token: Wrapper['token'], name: string): boolean {
  return token === getRepositoryToken(SessionEntity, name);
}

function labelOf(token: Wrapper['token']): string {
  return typeof token === 'function' ? token.name : String(token);
}

function providersIn(modules: ModulesContainer): Wrapper[] {
  return [...modules.values()].flatMap(({ providers }) => [...providers.values()]);
}
