import type { QueryRunner } from 'typeorm';
import { SessionOptionsError } from '../../../../core/session-errors.js';
import { property } from '../../driver-error.js';
import { connectPool } from '../connect-pool.js';
import { DatabaseFailure } from '../database-failure.js';
import type { LockKey, PoolDialect } from '../pool-dialect.js';
import type { SqlDialect } from '../../sql-dialect.js';
import { isSupported } from './server-version.js';
import { clearTimeout, setTimeout } from '../../../../core/timers.js';

/**
 * Name of a lock, at most 64 characters. Names are of the whole server and ignore case, so it is a hash in hex that
 * holds the name of the database too.
 */
const nameOf = (lock: LockKey): string =>
  `LEFT(SHA2(CONCAT(DATABASE(), ' ${lock.toString('hex')}'), 256), 60)`;

/** A table of so many ids, for a join that looks each of them up. */
const namedIds = (count: number): string =>
  ['SELECT ? AS id', ...Array.from({ length: count - 1 }, () => 'SELECT ?')].join(' UNION ALL ');

/** @see https://dev.mysql.com/doc/dev/mysql-server/latest/group__group__cs__capabilities__flags.html */
const FOUND_ROWS = 2;

/** Milliseconds that the end of another connection may take. */
const PATIENCE = 2_000;

/** What is used of a connection of `mysql2`. */
interface Connection {
  query(sql: string, values: readonly unknown[], done: (error: unknown, result: unknown) => void): void;
}

/** MySQL and MariaDB, which differ in nothing that is used here. */
const mysqlPool: PoolDialect = {
  label: 'MySQL',
  syntax: {
    quote: (name) => `\`${name}\``,
    greatest: 'GREATEST',
    least: 'LEAST',
    unlessTaken: '', // not INSERT IGNORE, which would cut what is too long
    forUpdate: ' FOR UPDATE',
    skipLocked: ' FOR UPDATE SKIP LOCKED',
    noWait: ' FOR UPDATE NOWAIT',
    // Without these the optimizer may read a whole table that is small, and waits for every row of it.
    byKey: ' FORCE INDEX (PRIMARY)',
    deleteByKey: (table, count) =>
      count === 1
        ? `DELETE FROM ${table} WHERE id = ?`
        : `DELETE s FROM (${namedIds(count)}) AS v STRAIGHT_JOIN ${table} AS s ON s.id = v.id`,
    place: null,
    packs: false,
    returning: false,
  },
  retried: [
    'ER_LOCK_DEADLOCK',
    'ER_LOCK_WAIT_TIMEOUT',
    'ER_CHECKREAD',
    'ER_USER_LOCK_DEADLOCK',
    'ER_LOCK_NOWAIT',
  ],
  lost: ['ER_SERVER_SHUTDOWN', 'ER_CONNECTION_KILLED', 'ER_CLIENT_INTERACTION_TIMEOUT'],
  missing: ['ER_NO_SUCH_TABLE', 'ER_BAD_FIELD_ERROR', 'ER_TABLE_DEF_CHANGED'],
  taken: 'ER_DUP_ENTRY',

  statement: (sql) => sql,
  // As bytes, which is what the columns hold: neither a collation nor the connection's character set matters.
  bind: (value) => (typeof value === 'string' ? Buffer.from(value) : value),

  query: (connection, sql, values) =>
    new Promise((resolve, reject) => {
      (connection as Connection).query(sql, values, (error, result) => {
        if (error) reject(error);
        else if (Array.isArray(result)) resolve({ records: result, affected: 0 });
        else resolve({ records: [], affected: Number(property(result, 'affectedRows') ?? 0) });
      });
    }),

  async begin(session, lock, left) {
    if (lock) {
      const [row] = await session.execute(
        `SELECT GET_LOCK(${nameOf(lock)}, ${Math.ceil(left / 1000)}) AS got`,
      );
      if (Number(row?.got) !== 1) throw new DatabaseFailure('', 'the lock of the user was not to be had');
    }
    await session.execute('SET TRANSACTION ISOLATION LEVEL READ COMMITTED');
    await session.execute('START TRANSACTION');
  },

  async end(session, ending, lock) {
    await session.conclude(ending);
    // What is committed is committed: a lock that cannot be given back goes with its connection.
    if (lock) await session.conclude(`DO RELEASE_LOCK(${nameOf(lock)})`).catch(() => session.spoil());
  },

  discard: destroy,

  interrupt(connection, dataSource) {
    const id = property(connection, 'threadId');
    if (typeof id === 'number') void kill(dataSource.createQueryRunner('master'), id);
  },

  async checkServer(runner) {
    const [row]: Array<{ version: string } | undefined> = await runner.query('SELECT VERSION() AS version');
    if (row !== undefined && !isSupported(row.version)) {
      throw new SessionOptionsError(
        `\`dataSource\`: expected MySQL 8.0.1 or later, or MariaDB 10.6 or later, got '${row.version}'`,
      );
    }
    if (countsFoundRows(await runner.connect())) return;
    throw new SessionOptionsError(
      "`dataSource`: expected the flag FOUND_ROWS, which is mysql2's default, got `flags` without it. Without it, a " +
        'session whose row already says what is written would seem to have ended',
    );
  },

  settings: () => [],
};

/** Whether an UPDATE gives the number of rows that it found, rather than changed, as the driver has agreed with the server. */
function countsFoundRows(connection: unknown): boolean {
  const flags = property(property(connection, 'config'), 'clientFlags');
  return typeof flags !== 'number' || (flags & FOUND_ROWS) !== 0;
}

/** Ends a connection at the server: it would notice only when the statement that hangs there has ended. */
async function kill(runner: QueryRunner, id: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  try {
    const connection: unknown = await runner.connect();
    timer = setTimeout(() => destroy(connection), PATIENCE).unref();
    await runner.query(`KILL ${id}`);
  } catch {
    // It is gone already, or the server is.
  } finally {
    clearTimeout(timer);
    await runner.release();
  }
}

/** Takes a connection out of the pool, which may then make another one. */
function destroy(connection: unknown): void {
  const method = property(connection, 'destroy');
  if (typeof method === 'function') method.call(connection);
}

/** MySQL and MariaDB, through `mysql2`. */
export const mysqlDialect: SqlDialect = {
  drivers: ['mysql', 'mariadb'],
  syntax: mysqlPool.syntax,
  settings: mysqlPool.settings,
  connect: (dataSource, options) => connectPool(dataSource, mysqlPool, options),
};
