import type { SqlDialect } from '../sql-dialect.js';
import { SqliteConnection } from './sqlite-connection.js';
import { NamedSource, OwnSource } from './sqlite-source.js';

/** SQLite, through `sqlite3` or `better-sqlite3`. */
export const sqliteDialect: SqlDialect = {
  drivers: ['sqlite', 'better-sqlite3'],
  syntax: { quote: (name) => `"${name}"`, greatest: 'MAX', least: 'MIN' },
  connect: (dataSource, options) =>
    new SqliteConnection(options.shared ? new OwnSource(dataSource) : new NamedSource(dataSource), options),
};
