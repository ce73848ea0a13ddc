import { DataSource, type DataSourceOptions } from 'typeorm';
import { SessionOptionsError } from '../../core/session-errors.js';

/*
 * What a backend is given to reach its database: a data source of TypeORM, which somebody else opens, or the options
 * of one.
 */

/** A data source that somebody else opens and closes, or the options of one that the backend opens and closes. */
export type SessionDataSource = DataSource | DataSourceOptions;

/** Whether it is one that somebody else opens. Not `instanceof`: an app may hold another copy of TypeORM. */
export function isDataSource(source: SessionDataSource): source is DataSource {
  return 'createQueryRunner' in source;
}

/** The data source of what TypeORM hands out. TypeORM 1 has given it another name. */
export function dataSourceOf(part: {
  readonly connection: DataSource;
  readonly dataSource?: DataSource;
}): DataSource {
  return part.dataSource ?? part.connection;
}

/** Its options. */
export function optionsOf(source: SessionDataSource): DataSourceOptions {
  return isDataSource(source) ? source.options : source;
}

/**
 * Options as TypeORM reads them, which finds the package of the driver. Nothing is opened.
 *
 * @throws SessionOptionsError in TypeORM's words: no attempt to connect could succeed
 */
export function checkedOptions(options: DataSourceOptions): DataSourceOptions {
  try {
    return new DataSource(options).options;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new SessionOptionsError(`\`dataSource\`: expected options that TypeORM takes, got: ${reason}`, {
      cause,
    });
  }
}
