import {
  DataSource,
  DefaultNamingStrategy,
  Table,
  type DataSourceOptions,
  type QueryRunner,
  type TableIndex,
} from 'typeorm';
import { SessionOptionsError } from '../../../core/session-errors.js';
import { dataSourceOf, optionsOf } from '../data-source.js';
import { driverErrorOf } from '../driver-error.js';
import { COLUMNS, laterColumns } from './columns.js';
import { type SessionEntity, sessionEntity } from './session.entity.js';
import { tablePath } from './table-name.js';
import type { SqlDialect } from '../sql-dialect.js';

/*
 * The table of sessions in a database: what it is to be, whether it is there, and how it is created and upgraded.
 */

/**
 * The table that `SessionEntity` describes, under the configured name, in the types of the driver that `connection`
 * (a minimal set of data source options) names. Nothing is opened.
 */
export function sessionTable(connection: DataSourceOptions, tableName: string): Promise<Table> {
  const entity = sessionEntity(tableName);
  const mute = { synchronize: false, migrations: [], subscribers: [], entityPrefix: undefined, cache: false };
  const namingStrategy = new DefaultNamingStrategy();
  const options = { ...connection, ...mute, entities: [entity], namingStrategy } as DataSourceOptions;
  return new MetadataSource(options).tableOf(entity);
}

/** Reads the metadata of an entity, without connecting and without the app having registered it. */
class MetadataSource extends DataSource {
  async tableOf(entity: typeof SessionEntity): Promise<Table> {
    await this.buildMetadatas();
    return Table.create(this.getMetadata(entity), this.driver);
  }
}

/** `earlier`: it is one of an earlier version, which `upgradeSessionTable` brings to this one. */
export type TableStatus = 'absent' | 'earlier' | 'ready';

/**
 * Whether the table is there, and of which version.
 *
 * @throws SessionOptionsError when a table of that name has other columns
 */
export async function tableStatus(runner: QueryRunner, table: Table): Promise<TableStatus> {
  const found = await runner.getTable(table.name);
  if (!found) return 'absent';
  const names = found.columns.map(({ name }) => name);
  const missing = table.columns.map(({ name }) => name).filter((name) => !names.includes(name));
  const unexpected = names.filter((name) => !table.columns.some((column) => column.name === name));
  if (missing.length + unexpected.length === 0) return keyIndexOf(found) ? 'ready' : 'earlier';
  const later = laterColumns();
  if (unexpected.length === 0 && missing.every((name) => later.includes(name))) return 'earlier';
  throw new SessionOptionsError(
    `The table '${table.name}' exists, but is not a table of sessions: ` +
      [describe('missing columns', missing), describe('unexpected columns', unexpected)]
        .filter(Boolean)
        .join('; ') +
      '. It was not altered. Set the `tableName` option to another name, or bring the table to the expected columns',
  );
}

/** The index that a table of an earlier version lacks: on the id of the key. */
export function keyIndexOf(table: Table): TableIndex | undefined {
  return table.indices.find(({ columnNames }) => columnNames.join() === COLUMNS.keyId.name);
}

/** Creates the table with its indexes. */
export async function createSessionTable(
  runner: QueryRunner,
  table: Table,
  { syntax, afterCreateTable }: Pick<SqlDialect, 'syntax' | 'afterCreateTable'>,
): Promise<void> {
  await runner.createTable(table, false, false, true);
  const [tableName = ''] = table.name.split('.').slice(-1); // TypeORM leaves the schema of the data source out
  const name = tablePath(optionsOf(dataSourceOf(runner)), tableName)
    .map(syntax.quoteIdentifier)
    .join('.');
  for (const statement of afterCreateTable(name)) await runner.query(statement);
}

/** What the log is told of an upgrade. */
export const UPGRADE_NOTICE =
  'the table was one of an earlier version, and has got the columns and the index of this one. Its sessions stay';

/** Adds the columns and the index that came after the version that made the table. The rows stay. */
export async function upgradeSessionTable(runner: QueryRunner, table: Table): Promise<void> {
  const found = await runner.getTable(table.name);
  if (!found) return;
  const columns = table.columns.filter((column) => !found.findColumnByName(column.name));
  const { driver } = dataSourceOf(runner);
  try {
    for (const column of columns) {
      // TypeORM would copy a table of SQLite, row by row.
      if (driver.options.type === 'sqlite' || driver.options.type === 'better-sqlite3') {
        const type = driver.createFullType(column);
        await runner.query(`ALTER TABLE ${driver.escape(table.name)} ADD COLUMN "${column.name}" ${type}`);
      } else await runner.addColumn(found, column);
    }
    const index = keyIndexOf(table);
    if (index && !keyIndexOf(found)) await runner.createIndex(found, index);
  } catch (error) {
    const { code, message } = driverErrorOf(error);
    const what = `the table '${table.name}' is one of an earlier version, and could not be brought up to date: ${message}`;
    throw Object.assign(new Error(`${what}. Run the latest of \`sessionMigrations()\` as its owner`), {
      code,
    });
  }
}

/** @throws SessionOptionsError: the table is missing, or of an earlier version, and may not be created */
export function refuseToCreate(table: Table, status: Exclude<TableStatus, 'ready'>): never {
  if (status === 'earlier') {
    throw new SessionOptionsError(
      `The table '${table.name}' is one of an earlier version, and \`createTable\` is false. Run the latest of ` +
        '`sessionMigrations()` first, or set `createTable: true`',
    );
  }
  throw new SessionOptionsError(
    `The table '${table.name}' does not exist, and \`createTable\` is false. Run your migrations first, or set ` +
      '`createTable: true`',
  );
}

function describe(what: string, names: readonly string[]): string {
  return names.length === 0 ? '' : `${what} ${names.map((name) => `'${name}'`).join(', ')}`;
}
