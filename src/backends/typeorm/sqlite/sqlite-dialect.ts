import { deleteByIds } from '../session-selection.js';
import type { SqlDialect } from '../sql-dialect.js';
import { SqliteConnection } from './sqlite-connection.js';
import { sourceOf } from './sqlite-source.js';

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
  connect: (dataSource, options) => new SqliteConnection(sourceOf(dataSource, options.shared), options),
};
