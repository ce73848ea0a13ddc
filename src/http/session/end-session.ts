import { toSessionId } from '../../core/identifiers.js';
import { gone } from '../../core/session-errors.js';
import type { SessionRow } from '../../core/session-row.js';
import type { RequestSessionState } from './request-session-state.js';
import type { SessionInfo } from '../session.interface.js';

/**
 * Ends the session of this request; resolves to how many active sessions have been ended. The cookie is removed only if this
 * call ended the session: a slow request must not remove the cookie of a newer sign-in.
 */
export function endCurrent(
  state: RequestSessionState,
  reason: 'logout' | 'logout-all' | 'revoked' | 'replaced',
): Promise<number> {
  return state.runInTurn(async () => {
    const id = state.presentId;
    if (id === null) {
      state.discard();
      return 0;
    }
    state.refuseCrossSite('change');
    const { ended, existed } = await state.sessions.end({ ids: [id] }, reason, state.facts.ip);
    state.ended({ by: existed ? 'this-request' : 'another' });
    return ended.length;
  });
}

/**
 * Ends the user's other sessions; resolves to how many were active.
 *
 * @throws SessionGoneError when another request has ended the session of this one
 */
export async function endOthers(state: RequestSessionState): Promise<number> {
  const row = state.stored?.row;
  if (row === undefined || row.userId === null) return 0;
  state.refuseCrossSite('change');
  const others = { userId: row.userId, exceptId: row.id };
  return state.runInTurn(async () => {
    await requireLive(state, row);
    const { ended } = await state.sessions.end(others, 'logout-others', state.facts.ip);
    return ended.length;
  });
}

/**
 * A session that has been ended by another request ends no single ones: whoever was signed out, by a changed password or by
 * hand, may have a request under way. `logoutAll()` ends all the same: whoever asks for that is to be rid of everything.
 *
 * @throws SessionGoneError
 * @see OWASP ASVS 5.0, 7.4.1 (no further use of a session that has ended)
 */
async function requireLive(state: RequestSessionState, row: SessionRow): Promise<void> {
  if (await state.sessions.isLive(row)) return;
  state.ended({ by: 'another' });
  throw gone();
}

/** Ends all of the user's sessions; resolves to how many were active. Without a user: the session of this request. */
export async function endAll(state: RequestSessionState): Promise<number> {
  const row = state.stored?.row;
  if (row === undefined || row.userId === null) return endCurrent(state, 'logout-all');
  state.refuseCrossSite('change');
  const all = { userId: row.userId };
  return state.runInTurn(async () => {
    const { ended } = await state.sessions.end(all, 'logout-all', state.facts.ip);
    state.ended({ by: ended.some((one) => one.id === row.id) ? 'this-request' : 'another' });
    return ended.length;
  });
}

/**
 * Ends one of the user's sessions; `false` when it is not one of theirs.
 *
 * @throws SessionGoneError when another request has ended the session of this one
 */
export async function endById(state: RequestSessionState, id: string): Promise<boolean> {
  const row = state.stored?.row;
  if (row === undefined || row.userId === null || !isStorable(id)) return false;
  if (id === row.id) return (await endCurrent(state, 'revoked')) > 0;
  state.refuseCrossSite('change');
  const theirs = { ids: [id], userId: row.userId };
  return state.runInTurn(async () => {
    await requireLive(state, row);
    const { ended } = await state.sessions.end(theirs, 'revoked', state.facts.ip);
    return ended.length > 0;
  });
}

/** Whether a session can have that id at all. Others are not looked up: some storages would fail on them. */
function isStorable(id: string): boolean {
  try {
    return toSessionId(id) === id;
  } catch {
    return false;
  }
}

/** The user's active sessions, most recently active first. */
export async function listSessions({ sessions, stored }: RequestSessionState): Promise<SessionInfo[]> {
  const own = stored?.row;
  if (own === undefined || own.userId === null) return [];
  const records = await sessions.list(own.userId, 'lastActiveAt');
  return records.map(({ id, createdAt, authenticatedAt, lastActiveAt, expiresAt, meta, integrity }) => {
    return {
      id,
      current: id === own.id,
      createdAt,
      authenticatedAt,
      lastActiveAt,
      expiresAt,
      meta,
      integrity,
    };
  });
}
