import { transportOf } from './session-content.js';
import type { SessionManager } from './session-manager.js';
import { gone, SessionConflictError, SessionDataError } from './session-errors.js';
import { isActive } from './session-expiry.js';
import { nextGeneration, rotated } from './session-rotation.js';
import type { SessionRow } from './session-row.js';
import type { SessionToken, TokenPlan } from './session-token.js';

/**
 * `SessionStore.rotateToken`: of several at once, one gets a token, for the transport of the session. `grace` in
 * milliseconds.
 */
export async function rotateToken(manager: SessionManager, id: string, grace: number): Promise<SessionToken> {
  const { backend, clock, issuer, events } = manager;
  const now = clock.now();
  const row = requireActive(await backend.lookUp(id), now);
  if (row.tokenHash === null) {
    throw new SessionDataError(
      'The session has no token to rotate: it was stored with `save`, `put` or `cycle`',
    );
  }
  const marks = knownMarks(manager, row);
  const token = issuer.issue(row.id, { ...marks, generation: nextGeneration(row) });
  const next = rotated(row, token.hash, { now, clock: manager.clockName, grace });
  if (!(await backend.changeToken({ id, expected: row, next, now }))) {
    requireActive(await backend.lookUp(id), clock.now());
    throw new SessionConflictError('Another rotation of the same token won. Read the session again');
  }
  events.emit('rotated', manager.eventOf(row));
  return token;
}

/** @throws SessionGoneError */
function requireActive(row: SessionRow | null, now: number): SessionRow {
  if (row !== null && isActive(row, now)) return row;
  throw gone();
}

/** Of a session that does not open, and so is not served anyhow, any will do. */
function knownMarks({ sealer }: SessionManager, row: SessionRow): Pick<TokenPlan, 'kin' | 'transport'> {
  try {
    const content = sealer.open(row);
    return { kin: content.marks?.kin, transport: transportOf(content) };
  } catch {
    return { kin: undefined };
  }
}
