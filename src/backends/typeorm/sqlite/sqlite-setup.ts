import type { QueryRunner, Table } from 'typeorm';
import {
  refuseToCreate,
  type TableStatus,
  tableStatus,
  upgradeSessionTable,
} from '../schema/session-table.js';
import { SqliteFailure } from './sqlite-failure.js';

/*
 * What a new connection to SQLite goes through before the first statement on sessions: its PRAGMAs, and the table.
 */

/** Milliseconds that SQLite itself waits for a lock. Short, since it waits in a thread that others need. */
const BUSY_TIMEOUT = 20;

/** `PRAGMA synchronous` as a number: every commit reaches the disk before it is acknowledged. */
const FULL = 2;

/**
 * Sets what a connection needs, and checks that it is in force: acknowledged means durable, and waiting for a lock
 * holds up nothing else.
 */
export async function setPragmas(runner: QueryRunner, isFile: boolean): Promise<void> {
  await runner.query(`PRAGMA busy_timeout = ${BUSY_TIMEOUT}`);
  if (isFile) expectPragma('journal_mode', 'wal', await runner.query('PRAGMA journal_mode = WAL'));
  await runner.query('PRAGMA synchronous = FULL');
  expectPragma('synchronous', FULL, await runner.query('PRAGMA synchronous'));
  // The first read: a file that is no database is noticed, and the write-ahead log exists from here on.
  await runner.query('SELECT COUNT(*) FROM sqlite_master');
}

/**
 * Creates the table with its indexes if it is absent, or upgrades it, for one of several processes that start at once, and
 * otherwise checks its columns.
 *
 * @returns what it found
 * @throws SessionOptionsError
 */
export async function prepareTable(
  runner: QueryRunner,
  table: Table,
  mayCreate: boolean,
): Promise<TableStatus> {
  const status = await statusAtOnce(runner, table);
  if (status === 'ready') return status;
  if (!mayCreate) refuseToCreate(table, status);
  await runner.query('BEGIN IMMEDIATE');
  try {
    const now = await tableStatus(runner, table);
    if (now === 'absent') await runner.createTable(table, false, false, true);
    if (now === 'earlier') await upgradeSessionTable(runner, table);
    await runner.query('COMMIT');
    return now;
  } catch (error) {
    await runner.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
}

/** TypeORM reads the schema in several statements, between which another process may change it, but not in a transaction. */
async function statusAtOnce(runner: QueryRunner, table: Table): Promise<TableStatus> {
  await runner.query('BEGIN');
  try {
    return await tableStatus(runner, table);
  } finally {
    await runner.query('ROLLBACK').catch(() => undefined);
  }
}

function expectPragma(name: string, expected: string | number, rows: unknown): void {
  const row: unknown = Array.isArray(rows) ? rows[0] : undefined;
  const got: unknown = typeof row === 'object' && row !== null ? Reflect.get(row, name) : undefined;
  if (String(got) === String(expected)) return; // a BigInt where the app has made that the default
  throw new SqliteFailure(
    'SQLITE_CANTOPEN',
    `\`PRAGMA ${name}\` is ${String(got)} instead of ${expected}. Sessions need a local file system with locks and ` +
      'shared memory; network file systems often lack them',
  );
}
