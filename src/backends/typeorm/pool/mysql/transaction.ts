import { serverState } from '../../sql/server-state.js';
import { DatabaseFailure } from '../database-failure.js';
import type { LockKey, TransactionControl, TransactionEnding } from '../pool-dialect.js';
import { IS_READ_ONLY } from './is-read-only.js';

/*
 * How transactions begin and end on MySQL and MariaDB. Their locks are of the whole server, and of none but that one.
 */

/** As `PoolDialect.begin`. @param start the statement that starts the transaction */
export async function beginTransaction(
  control: TransactionControl,
  lock: LockKey | null,
  left: number,
  start = 'START TRANSACTION',
): Promise<void> {
  if (lock) {
    const [row] = await control.execute(
      `SELECT GET_LOCK(${lockName(lock)}, ${Math.ceil(left / 1000)}) AS got${serverState({ isReadOnly: IS_READ_ONLY })}`,
    );
    if (Number(row?.got) !== 1) throw new DatabaseFailure('', 'the lock of the user was not to be had');
  }
  await control.execute('SET TRANSACTION ISOLATION LEVEL READ COMMITTED');
  await control.execute(start);
}

/** As `PoolDialect.end`. */
export async function endTransaction(
  control: TransactionControl,
  ending: TransactionEnding,
  lock: LockKey | null,
): Promise<void> {
  await control.executeEnding(ending);
  // What is committed is committed: a lock that cannot be given back goes with its connection.
  if (lock)
    await control.executeEnding(`DO RELEASE_LOCK(${lockName(lock)})`).catch(() => control.discardAfterUse());
}

/**
 * Name of a lock, at most 64 characters. Names are of the whole server and ignore case, so it is a hash in hex that
 * holds the name of the database too.
 */
const lockName = (lock: LockKey): string =>
  `LEFT(SHA2(CONCAT(DATABASE(), ' ${lock.toString('hex')}'), 256), 60)`;
