import type { DataSourceOptions } from 'typeorm';
import { SessionOptionsError } from '../../core/session-errors.js';
import { mysqlDialect } from './pool/mysql/mysql-dialect.js';
import { pooledDialect } from './pool/pooled-connection.js';
import { postgresDialect } from './pool/postgres/postgres-dialect.js';
import type { SqlDialect } from './sql-dialect.js';
import { sqliteDialect } from './sqlite/sqlite-dialect.js';

/**
 * The dialect of a data source, by the type of its driver.
 *
 * @throws SessionOptionsError when there is none for its driver
 */
export function dialectOf({ type }: DataSourceOptions): SqlDialect {
  const dialect = DIALECTS.find(({ drivers }) => drivers.includes(type));
  if (dialect) return dialect;
  const supported = DIALECTS.flatMap(({ drivers }) => drivers).map((driver) => `'${driver}'`);
  throw new SessionOptionsError(
    `\`dataSource\`: expected a TypeORM driver that sessions support (${supported.join(', ')}), got '${type}'. ` +
      'Name a data source of a supported type for sessions, or set the `backend` option',
  );
}

/** Every kind of database that sessions can be in. */
const DIALECTS: readonly SqlDialect[] = [
  sqliteDialect,
  pooledDialect(postgresDialect),
  pooledDialect(mysqlDialect),
];
