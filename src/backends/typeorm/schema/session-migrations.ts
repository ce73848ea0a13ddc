import type { MigrationInterface, QueryRunner } from 'typeorm';
import { dataSourceOf, optionsOf } from '../data-source.js';
import { dialectOf } from '../dialects.js';
import { laterColumns } from './columns.js';
import {
  createSessionTable,
  keyIndexOf,
  sessionTable,
  tableStatus,
  upgradeSessionTable,
} from './session-table.js';
import { checkTableName } from './table-name.js';

/**
 * Migrations that make the table of sessions, for the `migrations` option of a TypeORM data source, beside
 * `createTable: false` of the module. They work on every supported database, and make what `init()` would make. One
 * that finds the table as it is to be leaves it alone, so that an app may change over to migrations; later versions of
 * the library append to the list.
 *
 * On SQLite they belong to the data source whose file holds the sessions, not to the app's own.
 *
 * @throws SessionOptionsError for a bad `tableName`
 */
export function sessionMigrations({
  tableName = 'sessions',
}: SessionMigrationsOptions = {}): SessionMigration[] {
  checkTableName(tableName);

  class CreateSessions implements MigrationInterface {
    readonly name = `NestSessionsCreate_${tableName}_${CREATED_AT}`;

    async up(runner: QueryRunner): Promise<void> {
      const options = optionsOf(dataSourceOf(runner));
      const table = await sessionTable(options, tableName);
      if ((await tableStatus(runner, table)) === 'absent')
        await createSessionTable(runner, table, dialectOf(options));
    }

    async down(runner: QueryRunner): Promise<void> {
      const table = await sessionTable(optionsOf(dataSourceOf(runner)), tableName);
      await runner.dropTable(table.name, true);
    }
  }

  class CountTokens implements MigrationInterface {
    readonly name = `NestSessionsCountTokens_${tableName}_${COUNTED_AT}`;

    async up(runner: QueryRunner): Promise<void> {
      const table = await sessionTable(optionsOf(dataSourceOf(runner)), tableName);
      if ((await tableStatus(runner, table)) === 'earlier') await upgradeSessionTable(runner, table);
    }

    async down(runner: QueryRunner): Promise<void> {
      const table = await sessionTable(optionsOf(dataSourceOf(runner)), tableName);
      for (const column of laterColumns('CountTokens')) await runner.dropColumn(table.name, column);
    }
  }

  class IndexKeys implements MigrationInterface {
    readonly name = `NestSessionsIndexKeys_${tableName}_${INDEXED_AT}`;

    async up(runner: QueryRunner): Promise<void> {
      const table = await sessionTable(optionsOf(dataSourceOf(runner)), tableName);
      if ((await tableStatus(runner, table)) === 'earlier') await upgradeSessionTable(runner, table);
    }

    async down(runner: QueryRunner): Promise<void> {
      const table = await sessionTable(optionsOf(dataSourceOf(runner)), tableName);
      const found = await runner.getTable(table.name);
      const index = found && keyIndexOf(found);
      if (index) await runner.dropIndex(found, index);
    }
  }

  const migrations = [CreateSessions, CountTokens, IndexKeys];
  for (const migration of migrations) MADE.add(migration);
  return migrations;
}

/** Options of `sessionMigrations`. */
export interface SessionMigrationsOptions {
  /** The `tableName` of the module. @default 'sessions' */
  readonly tableName?: string;
}

/** A migration as TypeORM's option `migrations` takes it. */
export type SessionMigration = new () => MigrationInterface;

const MADE = new WeakSet<object>();

/** Whether a class is a migration that `sessionMigrations` has made. */
export function isSessionMigration(made: unknown): boolean {
  return typeof made === 'function' && MADE.has(made);
}

/** TypeORM runs migrations in the order of these, the last 13 digits of their names. Never changed once published. */
const CREATED_AT = 1_795_600_000_000;
const COUNTED_AT = 1_795_700_000_000;
const INDEXED_AT = 1_795_800_000_000;
