import { isDataSource, type SessionDataSource } from '../data-source.js';
import type { SqlConnection, TypeOrmSessionBackendOptions } from '../sql-dialect.js';
import type { PoolDialect } from './pool-dialect.js';
import { GivenPool, OwnPool } from './pool-source.js';
import { PooledConnection } from './pooled-connection.js';

/** The pool of a data source, or one of our own where only its options are given. */
export function connectPool(
  dataSource: SessionDataSource,
  dialect: PoolDialect,
  options: TypeOrmSessionBackendOptions,
): SqlConnection {
  const source = isDataSource(dataSource)
    ? new GivenPool(dataSource)
    : new OwnPool(dataSource, options.timeout);
  return new PooledConnection(source, dialect, options);
}
