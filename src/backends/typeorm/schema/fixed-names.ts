import { DefaultNamingStrategy, type EntityMetadata } from 'typeorm';
import { dataSourceOf } from '../data-source.js';

/** What is used of the metadata of an index while TypeORM builds it. */
export interface OwnIndex {
  readonly entityMetadata: EntityMetadata;
  /** Taken as it is, in place of what the naming strategy would say. */
  givenName?: string;
}

const NAMING = new DefaultNamingStrategy();

/**
 * Gives table, columns and index the names that they have in the database, whatever `entityPrefix` and the naming strategy
 * of the data source make of those that entities give.
 *
 * @param tableName `undefined`: an entity that somebody else made has the name that TypeORM gives it
 */
export function fixNames(index: OwnIndex, tableName: string | undefined): void {
  const metadata = index.entityMetadata;
  for (const column of metadata.columns) {
    const name = column.givenDatabaseName ?? column.databaseName;
    Object.assign(column, { databaseName: name, databasePath: name, databaseNameWithoutPrefixes: name });
  }
  if (tableName === undefined) return;
  const { driver } = dataSourceOf(metadata);
  metadata.tableName = tableName;
  metadata.tableNameWithoutPrefix = tableName;
  metadata.tablePath = driver.buildTableName(tableName, metadata.schema, metadata.database);
  index.givenName = NAMING.indexName(tableName, ['user_id']);
}
