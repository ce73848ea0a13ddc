import { deleteByIds } from '../sql/delete.js';
import type { SqlDialect } from '../sql-dialect.js';
import { SqliteConnection } from './sqlite-connection.js';
import { sourceOf } from './sqlite-source.js';

/** SQLite, through `sqlite3` or `better-sqlite3`. */
export const sqliteDialect: SqlDialect = {
  drivers: ['sqlite', 'better-sqlite3'],
  syntax: {
    quoteIdentifier: (name) => `"${name}"`,
    isReadOnly: null,
    greatest: 'MAX',
    least: 'MIN',
    onConflictDoNothing: ' ON CONFLICT (id) DO NOTHING',
    forUpdate: '',
    forUpdateSkipLocked: '',
    forUpdateNoWait: '',
    forcePrimaryKey: '',
    deleteByIds,
    listPlaceholder: null,
    updateReturning: true,
    jsonLookup: true,
    // TypeORM hands out the rows of no statement that starts with DELETE on sqlite3.
    deleteReturning: false,
  },
  afterCreateTable: () => [],
  connect(dataSource, options) {
    const { shared } = options;
    const source = () => sourceOf(dataSource, typeof shared === 'function' ? shared() : shared);
    return new SqliteConnection(source, options);
  },
};
