import { realpathSync } from 'node:fs';
import type { DataSource, DataSourceOptions } from 'typeorm';
import { isDataSource, optionsOf, type SessionDataSource } from '../data-source.js';
import { isSessionEntity } from '../schema/session.entity.js';
import { isSessionMigration } from '../schema/session-migrations.js';
import { databasePath } from './sqlite-path.js';

/**
 * What shows that the app uses the database of a data source on SQLite too, as the end of a sentence; `null`: nothing does,
 * so that it is there for sessions alone. A data source that is not initialized is judged by its options.
 *
 * @param others the other data sources of the app
 */
export function appUseOf(given: SessionDataSource, others: readonly DataSource[]): string | null {
  const file = databasePath(optionsOf(given));
  if (file !== null && others.some(({ options }) => isOn(file, options)))
    return 'another data source of the app has the same file';
  if (!isDataSource(given)) return null;
  if (others.length === 0) return 'it is the only data source of the app';
  const { entities, migrations, subscribers } = registered(given);
  const entity = entities.find((one) => !isSessionEntity(one));
  if (entity !== undefined) return `it has the entity ${labelOf(entity)}`;
  if (subscribers.length > 0) return 'it has subscribers';
  return migrations.every(isSessionMigration) ? null : 'it has migrations of the app';
}

/** Entities, migrations and subscribers, as classes where they are known, otherwise as they were given. */
function registered(dataSource: DataSource) {
  if (dataSource.isInitialized) {
    return {
      entities: dataSource.entityMetadatas.map(({ target }): unknown => target),
      migrations: dataSource.migrations.map((one): unknown => one.constructor),
      subscribers: dataSource.subscribers,
    };
  }
  const { entities = [], migrations = [], subscribers = [] } = dataSource.options;
  return {
    entities: Object.values<unknown>(entities),
    migrations: Object.values<unknown>(migrations),
    subscribers: Object.values<unknown>(subscribers),
  };
}

function labelOf(entity: unknown): string {
  return typeof entity === 'function' ? entity.name : `'${String(entity)}'`;
}

function isOn(file: string, options: DataSourceOptions): boolean {
  if (options.type !== 'sqlite' && options.type !== 'better-sqlite3') return false;
  const other = databasePath(options);
  return other !== null && resolved(other) === resolved(file);
}

/** Two paths may lead to one file. One that is not there yet leads to itself. */
function resolved(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}
