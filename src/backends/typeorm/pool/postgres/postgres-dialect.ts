import { EventEmitter } from 'node:events';
import { SessionOptionsError } from '../../../../core/session-errors.js';
import type { PoolDialect } from '../pool-dialect.js';
import { deleteByIds } from '../../sql/selection.js';
import type { SqlDialect, SqlRow } from '../../sql-dialect.js';
import { connectPool } from '../connect-pool.js';
import { cancelStatement } from './cancel-statement.js';

/** Statements with their places numbered. There are as many as there are lengths of lists, so few hundred. */
const numbered = new Map<string, string>();

/**
 * Percent of a page that an INSERT fills. The rest lets a touch put the next version of a row beside the last one, so
 * that no index has to learn of it.
 */
const FILLFACTOR = 80;

const TYPES = { text: 'varchar', integer: 'bigint', bytes: 'bytea' } as const;

/** What is used of a connection of `pg`. Several statements at once give an array, and nothing here reads that. */
interface Client {
  query(
    sql: string,
    values: readonly unknown[] | undefined,
  ): Promise<{ readonly rows?: readonly SqlRow[]; readonly rowCount?: number | null }>;
}

/** PostgreSQL. Nothing outlives a transaction and no statement is named, so PgBouncer may share connections out. */
const postgresPool: PoolDialect = {
  label: 'PostgreSQL',
  syntax: {
    quote: (name) => `"${name}"`,
    greatest: 'GREATEST',
    least: 'LEAST',
    unlessTaken: ' ON CONFLICT (id) DO NOTHING',
    forUpdate: ' FOR UPDATE',
    skipLocked: ' FOR UPDATE SKIP LOCKED',
    noWait: ' FOR UPDATE NOWAIT',
    byKey: '',
    deleteByKey: deleteByIds,
    place: (type) => `?::${TYPES[type]}`,
    packs: false,
    returning: true,
  },
  // serialization_failure, deadlock_detected, lock_not_available
  retried: ['40001', '40P01', '55P03'],
  // admin_shutdown, crash_shutdown, idle_session_timeout; the connection exceptions, which poolers give too
  lost: ['57P01', '57P02', '57P05', '08000', '08003', '08006', '08P01'],
  // undefined_table, undefined_column
  missing: ['42P01', '42703'],
  taken: null,

  statement(sql) {
    const known = numbered.get(sql);
    if (known !== undefined) return known;
    let count = 0;
    const statement = sql.replaceAll('?', () => `$${++count}`);
    numbered.set(sql, statement);
    return statement;
  },

  bind: (value) => value,

  async query(connection, sql, values) {
    const { rows = [], rowCount } = await (connection as Client).query(
      sql,
      values.length === 0 ? undefined : values,
    );
    return { records: rows, affected: rowCount ?? 0 };
  },

  async begin(session, lock, left) {
    const milliseconds = Math.max(1, Math.ceil(left));
    const statements = [
      'BEGIN ISOLATION LEVEL READ COMMITTED',
      `SET LOCAL statement_timeout = ${milliseconds}`,
      // A process that freezes here must not hold the lock of a user for ever.
      `SET LOCAL idle_in_transaction_session_timeout = ${2 * milliseconds}`,
    ];
    if (lock) statements.push(`SELECT pg_advisory_xact_lock(${lock.readBigInt64BE()})`);
    await session.execute(statements.join('; '));
  },

  end: (session, ending) => session.conclude(ending),

  interrupt: cancelStatement,

  discard(connection) {
    // TypeORM takes an error of the connection as the word not to give it back to the pool.
    if (connection instanceof EventEmitter) connection.emit('error', new Error('given up by nest-sessions'));
  },

  async checkServer(runner) {
    const [row]: Array<{ version: string } | undefined> = await runner.query('SELECT version() AS version');
    if (row === undefined || row.version.startsWith('PostgreSQL')) return;
    throw new SessionOptionsError(
      `\`dataSource\`: expected PostgreSQL, whose advisory locks keep the limit of sessions, got '${row.version}'`,
    );
  },

  settings: (table) => [`ALTER TABLE ${table} SET (fillfactor = ${FILLFACTOR})`],
};

/** PostgreSQL, through `pg`. */
export const postgresDialect: SqlDialect = {
  drivers: ['postgres'],
  syntax: postgresPool.syntax,
  settings: postgresPool.settings,
  connect: (dataSource, options) => connectPool(dataSource, postgresPool, options),
};
