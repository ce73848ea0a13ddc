import type { QueryRunner } from 'typeorm';
import { SessionOptionsError } from '../../../../core/session-errors.js';
import { property } from '../../driver-error.js';
import type { DriverStatement, PoolDialect, PoolResult, ServerVariant } from '../pool-dialect.js';
import { GALERA_NOTICE, onGalera } from './galera.js';
import { IS_READ_ONLY } from './is-read-only.js';
import { beginTransaction, endTransaction } from './transaction.js';
import { clearTimeout, setTimeout } from '../../../../core/timers.js';

/** MySQL and MariaDB, through `mysql2`. They differ in nothing that is used here. */
export const mysqlDialect: PoolDialect = {
  label: 'MySQL',
  drivers: ['mysql', 'mariadb'],
  syntax: {
    quoteIdentifier: (name) => `\`${name}\``,
    isReadOnly: IS_READ_ONLY,
    greatest: 'GREATEST',
    least: 'LEAST',
    onConflictDoNothing: '', // not INSERT IGNORE, which would cut what is too long
    forUpdate: ' FOR UPDATE',
    forUpdateSkipLocked: ' FOR UPDATE SKIP LOCKED',
    forUpdateNoWait: ' FOR UPDATE NOWAIT',
    // Without these the optimizer may read a whole table that is small, and waits for every row of it.
    forcePrimaryKey: ' FORCE INDEX (PRIMARY)',
    deleteByIds: (table, count) =>
      count === 1
        ? `DELETE FROM ${table} WHERE id = ?`
        : `DELETE s FROM (${namedIds(count)}) AS v STRAIGHT_JOIN ${table} AS s ON s.id = v.id`,
    listPlaceholder: null,
    updateReturning: false,
    jsonLookup: false,
    deleteReturning: false,
  },
  retryCodes: [
    'ER_LOCK_DEADLOCK',
    'ER_LOCK_WAIT_TIMEOUT',
    'ER_CHECKREAD',
    'ER_USER_LOCK_DEADLOCK',
    'ER_LOCK_NOWAIT',
    // Another node of a cluster has made the table, or the column, since this one looked.
    'ER_TABLE_EXISTS_ERROR',
    'ER_DUP_FIELDNAME',
    'ER_QUERY_TIMEOUT', // `max_execution_time` of MySQL
    '1969', // `max_statement_time` of MariaDB, for which mysql2 has no name
  ],
  // of all; of each user; of one account
  fullCodes: ['ER_CON_COUNT_ERROR', 'ER_TOO_MANY_USER_CONNECTIONS', 'ER_USER_LIMIT_REACHED'],
  // --read-only; a server that was started so, as MySQL and as MariaDB say it; a transaction or a user that is read-only
  readOnlyCodes: [
    'ER_OPTION_PREVENTS_STATEMENT',
    'ER_READ_ONLY_MODE',
    'ER_OPEN_AS_READONLY',
    'ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION',
  ],
  connectionLostCodes: ['ER_SERVER_SHUTDOWN', 'ER_CONNECTION_KILLED', 'ER_CLIENT_INTERACTION_TIMEOUT'],
  foreignTransactionCodes: ['ER_CANT_CHANGE_TX_CHARACTERISTICS'],
  missingTableCodes: ['ER_NO_SUCH_TABLE', 'ER_BAD_FIELD_ERROR', 'ER_TABLE_DEF_CHANGED'],
  duplicateKeyCode: 'ER_DUP_ENTRY',
  bus: null,
  // Not UNIX_TIMESTAMP(), which takes an instant of the hour that comes twice in autumn for another one.
  clock: "SELECT TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6)) / 1000 AS now",

  driverSql: (sql) => sql,
  // As bytes, which is what the columns hold: neither a collation nor the connection's character set matters.
  driverValue: (value) => (typeof value === 'string' ? Buffer.from(value) : value),

  async query(connection, statements) {
    const results: PoolResult[] = [];
    for (const statement of statements) results.push(await execute(connection as Connection, statement));
    return results;
  },

  // They would spare the server a quarter of its work, but not the app, and all connections share one limit on them,
  // `max_prepared_stmt_count`.
  preparedFailure: null,

  begin: beginTransaction,

  commitsByStatement: false,

  end: endTransaction,

  isInTransaction: () => false, // mysql2 keeps nothing of it

  discard: destroy,

  async cancelStatement(connection, dataSource) {
    const id = property(connection, 'threadId');
    destroy(connection); // first, since the other needs a place in the pool
    if (typeof id === 'number') void killConnection(dataSource.createQueryRunner('master'), id);
  },

  async checkServer(runner) {
    const [row]: Array<{ version: string } | undefined> = await runner.query('SELECT VERSION() AS version');
    if (row !== undefined && !isSupported(row.version)) {
      throw new SessionOptionsError(
        `\`dataSource\`: expected MySQL 8.0.1 or later, or MariaDB 10.6 or later, got '${row.version}'`,
      );
    }
    const variables = await variablesOf(runner);
    if (logsStatements(variables)) {
      throw new SessionOptionsError(
        '`dataSource`: expected a server with `binlog_format` ROW or MIXED, got STATEMENT, with which InnoDB refuses every ' +
          'transaction at READ COMMITTED, and so every sign-in. Set binlog_format = MIXED or ROW on the server, and start again',
      );
    }
    if (countsFoundRows(await runner.connect())) return variantOf(variables);
    throw new SessionOptionsError(
      "`dataSource`: expected the flag FOUND_ROWS, which is mysql2's default, got `flags` without it. Without it, a " +
        'session whose row already says what is written would seem to have ended',
    );
  },

  afterCreateTable: () => [],
};

/** A table of so many ids, for a join that looks each of them up. */
const namedIds = (count: number): string =>
  ['SELECT ? AS id', ...Array.from({ length: count - 1 }, () => 'SELECT ?')].join(' UNION ALL ');

/** @see https://dev.mysql.com/doc/dev/mysql-server/latest/group__group__cs__capabilities__flags.html */
const FOUND_ROWS = 2;

/**
 * What the server says with each statement but a SELECT.
 *
 * @see https://dev.mysql.com/doc/dev/mysql-server/latest/mysql__com_8h.html SERVER_STATUS_IN_TRANS
 */
const IN_TRANSACTION = 1;

/** Milliseconds that the end of another connection may take. */
const KILL_TIMEOUT = 2_000;

/** What is used of a connection of `mysql2`. */
interface Connection {
  query(sql: string, values: readonly unknown[], done: (error: unknown, result: unknown) => void): void;
}

function execute(connection: Connection, { text, values }: DriverStatement): Promise<PoolResult> {
  return new Promise((resolve, reject) => {
    connection.query(text, values, (error, result) => {
      if (error) reject(error);
      else if (Array.isArray(result)) resolve({ records: result, affected: 0, isInTransaction: false });
      else
        resolve({
          records: [],
          affected: Number(property(result, 'affectedRows') ?? 0),
          isInTransaction: (Number(property(result, 'serverStatus') ?? 0) & IN_TRANSACTION) !== 0,
        });
    });
  });
}

/** Earliest versions that can skip locked rows. */
const EARLIEST_MYSQL = [8, 0, 1];
const EARLIEST_MARIADB = [10, 6, 0];

/** Whether sessions work on a server that calls itself so, such as `8.4.3` or `5.5.5-10.11.6-MariaDB-log`. */
function isSupported(version: string): boolean {
  const isMariaDb = /mariadb/i.test(version);
  const numbers = version
    .replace(/^5\.5\.5-/, '') // what MariaDB puts first for old clients
    .split(/[.-]/, 3)
    .map(Number);
  return compareVersions(numbers, isMariaDb ? EARLIEST_MARIADB : EARLIEST_MYSQL) >= 0;
}

function compareVersions(one: readonly number[], other: readonly number[]): number {
  const differing = other.findIndex((value, index) => one[index] !== value);
  return differing < 0 ? 0 : (one[differing] ?? 0) - (other[differing] ?? 0);
}

/** Whether an UPDATE gives the number of rows that it found, rather than changed, as the driver has agreed with the server. */
function countsFoundRows(connection: unknown): boolean {
  const flags = property(property(connection, 'config'), 'clientFlags');
  return typeof flags !== 'number' || (flags & FOUND_ROWS) !== 0;
}

/** Variables of the server, by name, as they are for this connection. One that the server does not know is not there. */
async function variablesOf(runner: QueryRunner): Promise<ReadonlyMap<string, string>> {
  const rows: Array<Readonly<Record<'Variable_name' | 'Value', string>>> = await runner.query(
    "SHOW VARIABLES WHERE Variable_name IN ('version', 'log_bin', 'sql_log_bin', 'binlog_format', 'wsrep_on')",
  );
  return new Map(rows.map((row) => [row.Variable_name, row.Value]));
}

/** What is different about a node of a Galera cluster. `null`: it is none. */
function variantOf(variables: ReadonlyMap<string, string>): ServerVariant | null {
  if (variables.get('wsrep_on') !== 'ON') return null;
  if (/mariadb/i.test(variables.get('version') ?? ''))
    return { notice: GALERA_NOTICE, fit: (table) => onGalera(mysqlDialect, table) };
  return { notice: OTHER_CLUSTER, fit: () => mysqlDialect };
}

/** What the log is told of a cluster whose nodes know no SET STATEMENT. */
const OTHER_CLUSTER =
  'the server is a node of a cluster that is not of MariaDB: the limit of sessions, and the end of a session, hold on one ' +
  'node alone. Send all sessions to one node';

/**
 * Whether the server writes the statements of this connection into its binary log as text.
 *
 * @see https://mariadb.com/kb/en/binary-log-formats/ ER_BINLOG_STMT_MODE_AND_ROW_ENGINE, 1665
 */
function logsStatements(variables: ReadonlyMap<string, string>): boolean {
  const isLogged = variables.get('log_bin') === 'ON' && variables.get('sql_log_bin') !== 'OFF';
  return isLogged && variables.get('binlog_format') === 'STATEMENT';
}

/** Ends a connection at the server: it would notice only when the statement that hangs there has ended. */
async function killConnection(runner: QueryRunner, id: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  try {
    const connection: unknown = await runner.connect();
    timer = setTimeout(() => destroy(connection), KILL_TIMEOUT).unref();
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
