import { gone } from './session-errors.js';
import type { EpochMs, SessionRow } from './session-row.js';

/**
 * Whether a session is active: `now` is before its idle and its absolute expiry. All code of this library that has a
 * row decides here; databases select active rows by the same rule, which `SessionBackend` states.
 *
 * @see OWASP ASVS 5.0, 7.3.1 (inactivity timeout) and 7.3.2 (absolute maximum lifetime)
 */
export function isActive(row: Expiry, now: EpochMs): boolean {
  return now < row.expiresAt && now < row.absoluteExpiresAt;
}

/**
 * The row, if its session is active at `now`.
 *
 * @param row as storage has it; `null`: not stored
 * @param userId who has to own the session, `null` for nobody; `undefined`: it may be anybody's
 * @throws SessionGoneError when it is not stored, has expired, or is another user's
 */
export function requireActive(
  row: SessionRow | null,
  now: EpochMs,
  userId: string | null | undefined = row?.userId,
): SessionRow {
  if (row === null || row.userId !== userId || !isActive(row, now)) throw gone();
  return row;
}

/** When a session that is used at `now` expires: after its idle timeout, but never past its absolute expiry. */
export function idleExpiry(row: Pick<SessionRow, 'idleTtl' | 'absoluteExpiresAt'>, now: EpochMs): EpochMs {
  return Math.min(now + row.idleTtl, row.absoluteExpiresAt);
}

/**
 * Whether use at `now` is to be recorded.
 *
 * @param touchInterval milliseconds between two touches of a session, at least
 */
export function isTouchDue(
  row: Pick<SessionRow, 'lastActiveAt'>,
  now: EpochMs,
  touchInterval: number,
): boolean {
  return now - row.lastActiveAt >= touchInterval;
}

/** The two instants at which a session ends. */
type Expiry = Pick<SessionRow, 'expiresAt' | 'absoluteExpiresAt'>;
