import { DefaultNamingStrategy, type EntityMetadata } from 'typeorm';
import { dataSourceOf } from '../data-source.js';

/**
 * Gives the table, columns and an index of an entity of sessions the names that they have in the database, whatever
 * `entityPrefix` and the naming strategy of the data source make of those that entities give. Called while TypeORM builds
 * the metadata of that index, on `column`.
 *
 * @param tableName `undefined`: an entity that somebody else made has the name that TypeORM gives it
 */
export function fixNames(index: IndexMetadata, column: string, tableName: string | undefined): void {
  const metadata = index.entityMetadata;
  for (const each of metadata.columns) {
    const name = each.givenDatabaseName ?? each.databaseName;
    Object.assign(each, { databaseName: name, databasePath: name, databaseNameWithoutPrefixes: name });
  }
  if (tableName === undefined) return;
  const { driver } = dataSourceOf(metadata);
  metadata.tableName = tableName;
  metadata.tableNameWithoutPrefix = tableName;
  metadata.tablePath = driver.buildTableName(tableName, metadata.schema, metadata.database);
  index.givenName = NAMING.indexName(tableName, [column]);
}

const NAMING = new DefaultNamingStrategy();

/** What is used of TypeORM's `IndexMetadata` while it is being built. */
export interface IndexMetadata {
  readonly entityMetadata: EntityMetadata;
  /** Taken as it is, in place of what the naming strategy would say. */
  givenName?: string;
}
