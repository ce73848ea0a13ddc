import { deleteByIds } from '../sql/selection.js';
import type { SqlDialect } from '../sql-dialect.js';
import { SqliteConnection } from './sqlite-connection.js';
import { checkSource, sourceOf } from './sqlite-source.js';

/** SQLite, through `sqlite3` or `better-sqlite3`. */
export const sqliteDialect: SqlDialect = {
  drivers: ['sqlite', 'better-sqlite3'],
  syntax: {
    quote: (name) => `"${name}"`,
    greatest: 'MAX',
    least: 'MIN',
    unlessTaken: ' ON CONFLICT (id) DO NOTHING',
    forUpdate: '',
    skipLocked: '',
    noWait: '',
    byKey: '',
    deleteByKey: deleteByIds,
    place: () => '?',
    packs: true,
    // TypeORM hands out the rows of no statement that starts with DELETE on sqlite3.
    returning: false,
  },
  settings: () => [],
  connect(dataSource, options) {
    checkSource(dataSource);
    const { shared } = options;
    const source = () => sourceOf(dataSource, typeof shared === 'function' ? shared() : shared);
    return new SqliteConnection(source, options);
  },
};
