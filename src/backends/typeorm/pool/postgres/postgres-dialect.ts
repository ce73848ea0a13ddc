import { EventEmitter } from 'node:events';
import { Socket } from 'node:net';
import { SessionOptionsError } from '../../../../core/session-errors.js';
import { property } from '../../driver-error.js';
import type { DriverStatement, PoolDialect } from '../pool-dialect.js';
import { POSTGRES_TYPES } from '../../schema/column-types.js';
import { deleteByIds } from '../../sql/delete.js';
import { serverState, stateStatement } from '../../sql/server-state.js';
import { ListenNotify } from './listen-notify.js';
import { IS_READ_ONLY } from './is-read-only.js';
import { cancelStatement } from './cancel-statement.js';
import { preparedFailure, renewPlans } from './prepared-statements.js';
import { isInTransaction } from './transaction-status.js';
import { type PgClient, type PgResult, sendTogether } from './statements-together.js';

/**
 * PostgreSQL, through `pg`. Nothing outlives a transaction but statements that are prepared by name, which can be done
 * without, so PgBouncer may share connections out.
 */
export const postgresDialect: PoolDialect = {
  label: 'PostgreSQL',
  drivers: ['postgres'],
  syntax: {
    quoteIdentifier: (name) => `"${name}"`,
    isReadOnly: IS_READ_ONLY,
    greatest: 'GREATEST',
    least: 'LEAST',
    onConflictDoNothing: ' ON CONFLICT (id) DO NOTHING',
    forUpdate: ' FOR UPDATE',
    forUpdateSkipLocked: ' FOR UPDATE SKIP LOCKED',
    forUpdateNoWait: ' FOR UPDATE NOWAIT',
    forcePrimaryKey: '',
    deleteByIds,
    listPlaceholder: (type) => `?::${POSTGRES_TYPES[type]}[]`,
    updateReturning: true,
    jsonLookup: false,
    deleteReturning: true,
  },
  // serialization_failure, deadlock_detected, lock_not_available, query_canceled
  retryCodes: ['40001', '40P01', '55P03', '57014'],
  // too_many_connections
  fullCodes: ['53300'],
  // read_only_sql_transaction
  readOnlyCodes: ['25006'],
  // admin_shutdown, crash_shutdown, idle_session_timeout, idle_in_transaction_session_timeout, transaction_timeout; the
  // connection exceptions, which poolers give too
  connectionLostCodes: ['57P01', '57P02', '57P05', '25P03', '25P04', '08000', '08003', '08006', '08P01'],
  // in_failed_sql_transaction; active_sql_transaction, of a transaction that has begun at another isolation
  foreignTransactionCodes: ['25P02', '25001'],
  // undefined_table, undefined_column
  missingTableCodes: ['42P01', '42703'],
  duplicateKeyCode: null,
  clock: 'SELECT EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS now',
  bus: (access) => new ListenNotify(access),

  driverSql(sql) {
    const known = NUMBERED.get(sql);
    if (known !== undefined) return known;
    let count = 0;
    const statement = sql.replaceAll('?', () => `$${++count}`);
    NUMBERED.set(sql, statement);
    return statement;
  },

  driverValue: (value) => value,

  async query(connection, statements) {
    const client = connection as PgClient;
    if (statements.some(({ name }) => name !== null)) await renewPlans(client);
    const together = statements.length > 1 ? sendTogether(client, statements) : null;
    const results = await (together ?? sendInTurn(client, statements));
    const isOpen = isInTransaction(client);
    return results.map(({ rows = [], rowCount }) => ({
      records: rows,
      affected: rowCount ?? 0,
      isInTransaction: isOpen,
    }));
  },

  preparedFailure,

  async begin(control, lock, left) {
    const milliseconds = Math.max(1, Math.ceil(left));
    const statements = [
      'BEGIN ISOLATION LEVEL READ COMMITTED',
      `SET LOCAL statement_timeout = ${milliseconds}`,
      // A process that freezes here must not hold the lock of a user for ever.
      `SET LOCAL idle_in_transaction_session_timeout = ${2 * milliseconds}`,
    ];
    const state = { isReadOnly: IS_READ_ONLY };
    statements.push(
      lock
        ? `SELECT pg_advisory_xact_lock(${lock.readBigInt64BE()})${serverState(state)}`
        : stateStatement(IS_READ_ONLY),
    );
    control.executeWithNext(statements);
  },

  commitsByStatement: true,

  end: (control, ending) => control.executeEnding(ending),

  cancelStatement,

  isInTransaction,

  discard(connection) {
    // TypeORM takes an error of the connection as the word not to give it back to the pool.
    if (connection instanceof EventEmitter) connection.emit('error', new Error('given up by nest-sessions'));
    // The pool says goodbye and waits for the server to hang up, which one that is out of reach never does.
    const stream = property(property(connection, 'connection'), 'stream');
    if (stream instanceof Socket) stream.destroy();
  },

  async checkServer(runner) {
    checkClient(await runner.connect());
    const [row]: Array<{ version: string } | undefined> = await runner.query('SELECT version() AS version');
    if (row === undefined || row.version.startsWith('PostgreSQL')) return null;
    throw new SessionOptionsError(
      `\`dataSource\`: expected PostgreSQL, whose advisory locks keep the limit of sessions, got '${row.version}'`,
    );
  },

  afterCreateTable: (table) => [`ALTER TABLE ${table} SET (fillfactor = ${FILLFACTOR})`],
};

/** @throws SessionOptionsError when it is a client that does not give back what is stored */
function checkClient(client: unknown): void {
  if (property(client, 'native') !== undefined) {
    throw new SessionOptionsError(
      '`dataSource`: expected the client of `pg`, got that of `pg-native`, which stores bytes as text and so damages what is ' +
        'sealed. TypeORM takes it when it is installed: uninstall it',
    );
  }
  if (property(client, 'binary') === true) {
    throw new SessionOptionsError(
      '`dataSource`: expected results of `pg` as text, got `binary: true`, with which it misreads them, so that no session ' +
        'that is stored could be read. Leave `binary` out of `extra`, and out of the `defaults` of `pg`',
    );
  }
}

/** Statements with numbered placeholders. There are as many as there are lengths of lists, so few hundred. */
const NUMBERED = new Map<string, string>();

/**
 * Percent of a page that an INSERT fills. The rest lets a touch put the next version of a row beside the last one, so
 * that no index has to learn of it.
 */
const FILLFACTOR = 80;

/** The results of statements that are sent one by one, but for those without values, of which `pg` takes several as one text. */
async function sendInTurn(
  client: PgClient,
  statements: readonly DriverStatement[],
): Promise<readonly PgResult[]> {
  const results: PgResult[] = [];
  for (let at = 0; at < statements.length;) {
    const rest = statements.slice(at);
    const bound = rest.findIndex(({ values }) => values.length > 0);
    const portion = rest.slice(0, bound < 0 ? rest.length : Math.max(1, bound));
    const [{ name, values } = { name: null, values: [] }] = portion;
    const text = portion.map((statement) => statement.text).join('; ');
    const statement = {
      ...(name === null ? {} : { name }),
      text,
      ...(values.length === 0 ? {} : { values }),
    };
    results.push(...[await client.query(statement)].flat());
    at += portion.length;
  }
  return results;
}
