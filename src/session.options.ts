import type { ClassProvider, ExistingProvider, FactoryProvider, Type, ValueProvider } from '@nestjs/common';
import type { DataSourceOptions } from 'typeorm';
import type { Clock } from './core/clock.js';
import type { SessionBackend } from './core/session-backend.js';
import { SessionOptionsError } from './core/session-errors.js';
import {
  resolveStoreOptions,
  type ResolvedStoreOptions,
  type SessionStoreOptions,
  STORE_OPTION_NAMES,
} from './core/session-options.js';
import { expected, refuseUnknown, requireObject } from './core/option-checks.js';
import {
  HTTP_OPTION_NAMES,
  type ResolvedHttpOptions,
  resolveHttpOptions,
  type SessionHttpOptions,
} from './http/http-options.js';
import { type CleanupOptions, resolveCleanup } from './ops/cleanup-options.js';

/** An instance, a class that Nest instantiates, or a provider without its token. */
export type Replaceable<T> =
  | T
  | Type<T>
  | Omit<ClassProvider<T>, 'provide'>
  | Omit<ValueProvider<T>, 'provide'>
  | Omit<FactoryProvider<T>, 'provide'>
  | Omit<ExistingProvider<T>, 'provide'>;

/** Options that decide what the module is made of: beside the factory in `forRootAsync`. */
export interface SessionStructure {
  /**
   * Name of a TypeORM data source; or options of one, which is opened and closed with the app: a pool of its own, in an
   * app with or without `TypeOrmModule`. What they say of entities, migrations, `synchronize`, `dropSchema` and the like
   * is left aside. On SQLite, one that the app uses too gets a file for sessions beside its own; one that is there for
   * them alone is taken as it is. @default the app's default data source
   */
  readonly dataSource?: string | DataSourceOptions;
  /** Another storage than TypeORM. */
  readonly backend?: Replaceable<SessionBackend>;
  /** Where the present comes from. @default the clock of the machine */
  readonly clock?: Replaceable<Clock>;
}

/** Options that may be known only when the app starts. */
export interface SessionSettings extends Omit<SessionStoreOptions, 'clock'>, SessionHttpOptions {
  /** The job that deletes expired sessions, or `false`. @default { cron: '0 * * * *', batchSize: 1000 } */
  readonly cleanup?: CleanupOptions | false;
  /** @default 'sessions' */
  readonly tableName?: string;
  /** Whether the table is created at startup, if absent; `false` when migrations own the schema. @default true */
  readonly createTable?: boolean;
}

/** Options of `SessionModule.forRoot`. */
export interface SessionOptions extends SessionSettings, SessionStructure {}

/** What `resolveOptions` makes of them. */
export interface ResolvedOptions {
  readonly store: ResolvedStoreOptions;
  readonly http: ResolvedHttpOptions;
  readonly cleanup: Required<CleanupOptions> | false;
  readonly table: { readonly tableName: string; readonly createTable: boolean };
}

const STRUCTURE_NAMES = [
  'dataSource',
  'backend',
  'clock',
] as const satisfies readonly (keyof SessionStructure)[];
const SETTING_NAMES = [
  ...STORE_OPTION_NAMES.filter((name) => name !== 'clock'),
  ...HTTP_OPTION_NAMES,
  'cleanup',
  'tableName',
  'createTable',
] as const satisfies readonly (keyof SessionSettings)[];

/**
 * Checks all options once, and fills in defaults.
 *
 * @throws SessionOptionsError "expected …, got …"
 */
export function resolveOptions(settings: SessionSettings, clock: Clock): ResolvedOptions {
  requireObject('options', 'an object', settings);
  refuseMisplaced(settings, STRUCTURE_NAMES, 'beside the factory of `forRootAsync`', 'in what it returns');
  refuseUnknown('option', settings, SETTING_NAMES);
  const { cleanup, tableName = 'sessions', createTable = true } = settings;
  if (typeof tableName !== 'string' || tableName === '')
    throw expected('tableName', 'the name of a table', tableName);
  if (typeof createTable !== 'boolean') throw expected('createTable', 'true or false', createTable);
  return {
    store: resolveStoreOptions({ ...pick(settings, STORE_OPTION_NAMES), clock }),
    http: resolveHttpOptions(pick(settings, HTTP_OPTION_NAMES)),
    cleanup: resolveCleanup(cleanup),
    table: { tableName, createTable },
  };
}

/**
 * What the module is made of, and the rest.
 *
 * @throws SessionOptionsError
 */
export function splitOptions(options: SessionOptions): {
  structure: SessionStructure;
  settings: SessionSettings;
} {
  requireObject('options', 'an object', options);
  refuseUnknown('option', options, [...SETTING_NAMES, ...STRUCTURE_NAMES]);
  const { dataSource, backend, clock, ...settings } = options;
  return { structure: checkStructure({ dataSource, backend, clock }), settings };
}

/**
 * What stands beside the factory of `forRootAsync`.
 *
 * @throws SessionOptionsError
 */
export function checkStructure(structure: SessionStructure): SessionStructure {
  refuseMisplaced(structure, SETTING_NAMES, 'in what the factory of `forRootAsync` returns', 'beside it');
  refuseUnknown('option', structure, STRUCTURE_NAMES);
  const { dataSource, backend, clock } = structure;
  const isDataSource =
    typeof dataSource === 'string' || (typeof dataSource === 'object' && dataSource !== null);
  if (dataSource !== undefined && !isDataSource)
    throw expected('dataSource', 'the name or the options of a TypeORM data source', dataSource);
  for (const [name, given] of Object.entries({ backend, clock })) {
    const isReplaceable = typeof given === 'function' || (typeof given === 'object' && given !== null);
    if (given !== undefined && !isReplaceable)
      throw expected(name, 'an instance, a class or a provider', given);
  }
  return structure;
}

function refuseMisplaced(options: object, names: readonly string[], place: string, got: string): void {
  const misplaced = Object.keys(options).find((name) => names.includes(name));
  if (misplaced === undefined) return;
  throw new SessionOptionsError(`\`${misplaced}\`: expected it ${place}, got it ${got}`);
}

function pick<T extends object, K extends string>(source: T, names: readonly K[]): Pick<T, K & keyof T> {
  const known: readonly string[] = names;
  return Object.fromEntries(Object.entries(source).filter(([name]) => known.includes(name))) as Pick<
    T,
    K & keyof T
  >;
}
