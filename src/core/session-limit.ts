import { compareIds } from './identifiers.js';
import { isActive } from './session-expiry.js';
import type { EpochMs, SessionRow } from './session-row.js';

/*
 * The limit of active sessions per user: which sessions count, and which are evicted.
 */

/** How many active sessions a user may have, and what happens when one more begins. */
export interface SessionLimit {
  /** Active sessions that carry a token, the new one included: an integer of at least 1. */
  readonly max: number;
  /** `'evict'`: the least recently active ones end, by `(lastActiveAt, id)`. `'reject'`: nothing is stored. */
  readonly onLimit: 'evict' | 'reject';
}

/** What the order of eviction goes by. */
type LastUse = Pick<SessionRow, 'id' | 'lastActiveAt'>;

/**
 * The order in which a user's sessions are evicted: the least recently active first, and of those active at the same
 * instant the one with the lowest id, byte for byte. Storage that chooses by itself uses the same order
 * (`ORDER BY last_active_at, id`).
 */
export function byLastUse(a: LastUse, b: LastUse): number {
  return a.lastActiveAt - b.lastActiveAt || compareIds(a.id, b.id);
}

/** Whether a row counts towards the limit of a user: it is the user's, active, and carries a token. */
export function isCounted(
  row: Pick<SessionRow, 'userId' | 'tokenHash' | 'expiresAt' | 'absoluteExpiresAt'>,
  userId: string,
  now: EpochMs,
): boolean {
  return row.userId === userId && row.tokenHash !== null && isActive(row, now);
}

/**
 * The rows that have to be evicted so that one more has room, in the order of eviction. None: there is room.
 *
 * @param counted the rows that count towards the limit, without the new one, in any order
 * @param max `maxPerUser`: rows that may count, the new one included
 */
export function chooseVictims<R extends LastUse>(counted: readonly R[], max: number): R[] {
  return counted.toSorted(byLastUse).slice(0, Math.max(0, counted.length + 1 - max));
}
