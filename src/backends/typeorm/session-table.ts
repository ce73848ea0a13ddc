import { DataSource, DefaultNamingStrategy, Table, type DataSourceOptions, type QueryRunner } from 'typeorm';
import { describeValue } from '../../core/duration.js';
import { SessionOptionsError } from '../../core/session-errors.js';
import { dataSourceOf, optionsOf } from './data-source.js';
import { SessionEntity } from './session.entity.js';
import type { SqlDialect } from './sql-dialect.js';

const TABLE_NAME = /^[A-Za-z_][A-Za-z0-9_]{0,62}$/;

/** @throws SessionOptionsError unless it is a plain identifier, which needs no escaping anywhere */
export function checkTableName(tableName: string): void {
  if (typeof tableName === 'string' && TABLE_NAME.test(tableName)) return;
  throw new SessionOptionsError(
    '`tableName`: expected letters, digits and underscores, no digit first, at most 63 characters, ' +
      `got ${describeValue(tableName)}`,
  );
}

/** The name of the table, behind that of the schema that the options name. */
export function tablePath(options: DataSourceOptions, tableName: string): readonly string[] {
  const schema = options.type === 'postgres' ? options.schema : undefined;
  return schema === undefined ? [tableName] : [schema, tableName];
}

/** Names the table as configured; index names follow from it, so those of two tables do not collide. */
class ConfiguredTableName extends DefaultNamingStrategy {
  constructor(private readonly configured: string) {
    super();
  }

  override tableName(): string {
    return this.configured;
  }
}

/** Reads the metadata of `SessionEntity`, without connecting and without the app having registered it. */
class MetadataSource extends DataSource {
  async sessionTable(): Promise<Table> {
    await this.buildMetadatas();
    return Table.create(this.getMetadata(SessionEntity), this.driver);
  }
}

/**
 * The table that `SessionEntity` describes, under the configured name, in the types of the driver that `connection`
 * (a minimal set of data source options) names. Nothing is opened.
 */
export function sessionTable(connection: DataSourceOptions, tableName: string): Promise<Table> {
  const namingStrategy = new ConfiguredTableName(tableName);
  const mute = { synchronize: false, migrations: [], subscribers: [], entityPrefix: undefined, cache: false };
  const options = { ...connection, ...mute, entities: [SessionEntity], namingStrategy } as DataSourceOptions;
  return new MetadataSource(options).sessionTable();
}

/**
 * Whether the table is there.
 *
 * @throws SessionOptionsError when a table of that name has other columns
 */
export async function isTableReady(runner: QueryRunner, table: Table): Promise<boolean> {
  const found = await runner.getTable(table.name);
  if (!found) return false;
  const names = found.columns.map(({ name }) => name);
  const missing = table.columns.map(({ name }) => name).filter((name) => !names.includes(name));
  const unexpected = names.filter((name) => !table.columns.some((column) => column.name === name));
  if (missing.length + unexpected.length === 0) return true;
  throw new SessionOptionsError(
    `The table '${table.name}' exists, but is not a table of sessions: ` +
      [describe('missing columns', missing), describe('unexpected columns', unexpected)]
        .filter(Boolean)
        .join('; ') +
      '. It was not altered. Set the `tableName` option to another name, or bring the table to the expected columns',
  );
}

/** Creates the table with its index. */
export async function createSessionTable(
  runner: QueryRunner,
  table: Table,
  { syntax, settings }: Pick<SqlDialect, 'syntax' | 'settings'>,
): Promise<void> {
  await runner.createTable(table, false, false, true);
  const [tableName = ''] = table.name.split('.').slice(-1); // TypeORM leaves the schema of the data source out
  const name = tablePath(optionsOf(dataSourceOf(runner)), tableName)
    .map(syntax.quote)
    .join('.');
  for (const statement of settings(name)) await runner.query(statement);
}

/** @throws SessionOptionsError: the table is missing and may not be created */
export function refuseToCreate(table: Table): never {
  throw new SessionOptionsError(
    `The table '${table.name}' does not exist, and \`createTable\` is false. Run your migrations first, or set ` +
      '`createTable: true`',
  );
}

function describe(what: string, names: readonly string[]): string {
  return names.length === 0 ? '' : `${what} ${names.map((name) => `'${name}'`).join(', ')}`;
}
