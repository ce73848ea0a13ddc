import { toSessionId } from '../../core/identifiers.js';
import { gone } from '../../core/session-errors.js';
import type { EndedRow, SessionRow } from '../../core/session-row.js';
import type { RequestSessionState } from './request-session-state.js';
import type { SessionInfo } from '../session.interface.js';

type Reason = 'logout' | 'logout-all' | 'revoked' | 'replaced';

/**
 * Ends the session of this request; resolves to how many active sessions have been ended. The cookie is removed only if this
 * call ended the session: a slow request must not remove the cookie of a newer sign-in.
 *
 * A session that is gone already is deleted all the same: an earlier call may have ended it, and been refused because no
 * replica had confirmed that. Only a write can be confirmed.
 */
export async function endCurrent(state: RequestSessionState, reason: Reason): Promise<number> {
  return (await state.runInTurn(() => endPresented(state, reason))).length;
}

async function endPresented(state: RequestSessionState, reason: Reason): Promise<readonly EndedRow[]> {
  const { presentId: id, missingIds: missing } = state;
  const ids = id === null ? missing : [id, ...missing];
  if (ids.length === 0) {
    state.discard();
    return [];
  }
  state.refuseCrossSite('change');
  const { ended, deleted } = await state.sessions.end({ ids }, reason, state.facts.ip);
  if (id === null && deleted.length === 0) state.discard();
  else state.ended({ by: id === null || deleted.some((row) => row.id === id) ? 'this-request' : 'another' });
  return ended;
}

/**
 * Deletes what tokens of the request named and was missing; resolves to what a failover has brought back since, and was
 * active. The id alone is safe to go by: the token that named it is signed, and each token that was issued for a session,
 * a replaced one too, signs it out.
 */
export async function endMissing(
  { sessions, facts, missingIds }: RequestSessionState,
  reason: Reason,
  ids = missingIds,
): Promise<readonly EndedRow[]> {
  return ids.length === 0 ? [] : (await sessions.end({ ids }, reason, facts.ip)).ended;
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

/**
 * Ends all of the user's sessions; resolves to how many were active. Without a user: the session of this request. Where that
 * was missing and a failover has brought it back, all of its user's end.
 */
export async function endAll(state: RequestSessionState): Promise<number> {
  const row = state.stored?.row;
  if (row === undefined || row.userId === null) {
    return state.runInTurn(async () => {
      const { missingIds } = state;
      const ended = await endPresented(state, 'logout-all');
      const back = ended.filter(({ id }) => missingIds.includes(id));
      return ended.length + (await endAllOfOwners(state, back));
    });
  }
  state.refuseCrossSite('change');
  const all = { userId: row.userId };
  return state.runInTurn(async () => {
    const { ended } = await state.sessions.end(all, 'logout-all', state.facts.ip);
    const back = await endMissing(state, 'logout-all');
    state.ended({ by: ended.some((one) => one.id === row.id) ? 'this-request' : 'another' });
    return ended.length + back.length + (await endAllOfOwners(state, back));
  });
}

async function endAllOfOwners(state: RequestSessionState, rows: readonly EndedRow[]): Promise<number> {
  let count = 0;
  for (const { userId } of rows) {
    if (userId === null) continue;
    count += (await state.sessions.end({ userId }, 'logout-all', state.facts.ip)).ended.length;
  }
  return count;
}

/**
 * Ends one of the user's sessions; `false` when it is not one of theirs. One that a token of the request named, and that is
 * gone, is deleted once more, as by `endCurrent`.
 *
 * @throws SessionGoneError when another request has ended the session of this one
 */
export async function endById(state: RequestSessionState, id: string): Promise<boolean> {
  const row = state.stored?.row;
  if (!isStorable(id)) return false;
  if (row === undefined || row.userId === null) {
    if (!state.missingIds.includes(id)) return false;
    state.refuseCrossSite('change');
    return state.runInTurn(async () => (await endMissing(state, 'revoked', [id])).length > 0);
  }
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
