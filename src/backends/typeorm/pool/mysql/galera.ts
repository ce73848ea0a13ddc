import { COLUMN_ENTRIES, COLUMN_NAMES, type SessionColumn } from '../../schema/columns.js';
import type { LockKey, PoolDialect } from '../pool-dialect.js';
import { beginTransaction } from './transaction.js';

/*
 * MariaDB as a node of a Galera cluster, all of whose nodes may be written to. A node commits what does not conflict with
 * what the others have committed, and applies theirs a little later.
 */

/** What the log is told once. */
export const GALERA_NOTICE =
  'the server is a node of a Galera cluster: every statement on sessions waits until the node has what the others have ' +
  'committed (wsrep_sync_wait), and sign-ins of one user on several nodes are tried again when they conflict. Both take ' +
  'less time where all sessions go to one node';

/**
 * Statements see what has been acknowledged on any node, and of transactions with the same lock on several nodes one is
 * committed at a time: each writes the same row, so that the cluster finds that they conflict, and refuses the later
 * one as a deadlock. It is then tried again.
 *
 * @param table the name of the table of sessions, in quotes
 */
export function onGalera(dialect: PoolDialect, table: string): PoolDialect {
  return {
    ...dialect,
    driverSql: (sql) => SYNCED + sql,
    async begin(control, lock, left) {
      await beginTransaction(control, lock, left, `${SYNCED}START TRANSACTION`);
      if (lock === null) return;
      await control.execute(`INSERT INTO ${table} (${COLUMN_NAMES.join(', ')}) VALUES (${lockRow(lock)})`);
      await control.execute(`DELETE FROM ${table} WHERE id = ${lockId(lock)}`);
    },
  };
}

/**
 * Before reading, and before changing anything, a statement waits for the node.
 *
 * @see https://mariadb.com/kb/en/galera-cluster-system-variables/#wsrep_sync_wait 1 is SELECT and BEGIN, 2 UPDATE and
 *   DELETE, 4 INSERT
 */
const SYNCED = 'SET STATEMENT wsrep_sync_wait = 7 FOR ';

/** The id of the row, which no transaction but its own ever sees: no UTF-8 begins so, and no session has it. */
const lockId = (lock: LockKey): string => `x'ff${lock.toString('hex')}'`;

const lockRow = (lock: LockKey): string =>
  COLUMN_ENTRIES.map(([, column]) => (column.primary ? lockId(lock) : nothing(column))).join(', ');

/** The value of a column that has nothing to say. */
function nothing({ type, nullable }: SessionColumn): string {
  if (nullable) return 'NULL';
  return type === 'bigint' || type === 'boolean' ? '0' : "''";
}
