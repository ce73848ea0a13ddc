import type { DataSource, DataSourceOptions } from 'typeorm';

/** A data source that somebody else opens and closes, or the options of one that the backend opens and closes. */
export type SessionDataSource = DataSource | DataSourceOptions;

/** Whether it is one that somebody else opens. Not `instanceof`: an app may hold another copy of TypeORM. */
export function isDataSource(source: SessionDataSource): source is DataSource {
  return 'createQueryRunner' in source;
}

/** Its options. */
export function optionsOf(source: SessionDataSource): DataSourceOptions {
  return isDataSource(source) ? source.options : source;
}
