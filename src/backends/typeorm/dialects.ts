import type { DataSource } from 'typeorm';
import { SessionOptionsError } from '../../core/session-errors.js';
import type { SqlDialect } from './sql-dialect.js';
import { sqliteDialect } from './sqlite/sqlite-dialect.js';

const DIALECTS: readonly SqlDialect[] = [sqliteDialect];

/**
 * The dialect of a data source.
 *
 * @throws SessionOptionsError when there is none for its driver
 */
export function dialectOf(dataSource: DataSource): SqlDialect {
  const { type } = dataSource.options;
  const dialect = DIALECTS.find(({ drivers }) => drivers.includes(type));
  if (dialect) return dialect;
  const supported = DIALECTS.flatMap(({ drivers }) => drivers).map((driver) => `'${driver}'`);
  throw new SessionOptionsError(
    `\`dataSource\`: expected a TypeORM driver that sessions support (${supported.join(', ')}), got '${type}'. ` +
      'Name a data source of a supported type for sessions, or set the `backend` option',
  );
}
