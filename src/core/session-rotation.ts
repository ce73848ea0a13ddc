import { timingSafeEqual } from 'node:crypto';
import type { EpochMs, TokenState } from './session-row.js';

/**
 * What a genuine token of a live session means:
 * - `current`: serve.
 * - `first-use`: the current token, presented for the first time since a rotation. Write that down, then serve.
 * - `superseded`: within its grace. Serve.
 * - `lost`: superseded, after its grace, and nobody has used the current one: the response that carried it was
 *   lost. Serve and reissue.
 * - `stale`: any other, within the grace of the last rotation: a straggler. Anonymous. So is any token of a session
 *   that has none (it was stored over another one with `put`): nothing was replaced, so nothing can be reused.
 * - `reuse`: any other, later. Somebody holds a token that was replaced, so the session is revoked.
 */
export type TokenVerdict = 'current' | 'first-use' | 'superseded' | 'lost' | 'stale' | 'reuse';

/**
 * Decides by the hash of the presented token. Hashes are compared in constant time.
 *
 * @see RFC 9700, 4.14.2 (a replaced refresh token that is presented again reveals a theft): the same idea
 */
export function judgeToken(state: TokenState, presentedHash: string, now: EpochMs): TokenVerdict {
  if (state.tokenHash === null) return 'stale';
  if (sameHash(state.tokenHash, presentedHash)) return state.tokenUsed ? 'current' : 'first-use';
  if (now < state.graceUntil) return sameHash(state.supersededHash, presentedHash) ? 'superseded' : 'stale';
  return sameHash(state.supersededHash, presentedHash) && !state.tokenUsed ? 'lost' : 'reuse';
}

/** The token side of a row, and nothing else of it. */
export function tokenState(row: TokenState): TokenState {
  const { tokenHash, supersededHash, tokenIssuedAt, graceUntil, tokenUsed } = row;
  return { tokenHash, supersededHash, tokenIssuedAt, graceUntil, tokenUsed };
}

/** The state of a new session: one token, nothing superseded. */
export function firstToken(tokenHash: string | null, now: EpochMs): TokenState {
  return { tokenHash, supersededHash: null, tokenIssuedAt: now, graceUntil: now, tokenUsed: true };
}

/** The current token is superseded by a new one and stays valid for `grace` milliseconds. */
export function rotated(state: TokenState, tokenHash: string, now: EpochMs, grace: number): TokenState {
  return {
    tokenHash,
    supersededHash: state.tokenHash,
    tokenIssuedAt: now,
    graceUntil: now + grace,
    tokenUsed: false,
  };
}

/** A lost token is dropped for a new one. The presented one stays the superseded one, and its grace restarts. */
export function reissued(state: TokenState, tokenHash: string, now: EpochMs, grace: number): TokenState {
  return { ...state, tokenHash, tokenIssuedAt: now, graceUntil: now + grace, tokenUsed: false };
}

/** A new token after renewed proof of identity: the old one is not served again, not even for a grace. */
export function renewed(tokenHash: string, now: EpochMs, grace: number): TokenState {
  return { ...firstToken(tokenHash, now), graceUntil: now + grace };
}

/** Whether periodic rotation is due. `every` is `null` when it is off. */
export function isRotationDue(state: TokenState, now: EpochMs, every: number | null): boolean {
  return every !== null && now - state.tokenIssuedAt >= every;
}

function sameHash(stored: string | null, presented: string): boolean {
  if (stored === null) return false;
  const [a, b] = [Buffer.from(stored), Buffer.from(presented)];
  return a.length === b.length && timingSafeEqual(a, b);
}
