import { timingSafeEqual } from 'node:crypto';
import {
  CLOCK_TOLERANCE,
  mayReturnUntil,
  type ReplacedAt,
  readReplaced,
  withReplaced,
  writeReplaced,
} from './replaced-tokens.js';
import type { EpochMs, TokenState } from './session-row.js';
import type { Transport } from './session-token.js';

/*
 * The rules of token rotation, as functions of the token side of a row and an instant: what a presented token means, when a
 * new token is due, and what a row looks like once it has one.
 */

/**
 * How many tokens one after the other may be taken for lost. A browser that loses three responses of ten loses so many once
 * in 10^10 sign-ins; somebody with a copy of the cookie, who throws new tokens away, gets there.
 */
const MAX_LOST = 20;

/**
 * What a genuine token of a live session means:
 * - `current`: serve.
 * - `first-use`: the current token, presented for the first time since a rotation. Store that, then serve.
 * - `superseded`: within its grace. Serve.
 * - `lost`: superseded, after its grace, and nobody has used the current one: the response that carried it was
 *   lost. Serve and issue another one, but only so many times: a thief who drops each new token would keep its rightful owner
 *   from getting it.
 * - `ahead`: newer than the current one. Storage has been set back, to a backup or by a failover: no theft makes a token
 *   newer. Make it the current one, then serve.
 * - `stale`: replaced, and within the grace of that moment, where another token than the superseded one is not served;
 *   or replaced so shortly before that the clocks of two replicas may differ about it; or replaced by a renewed proof of identity whose new
 *   token nobody has used: that response was lost. Anonymous, but no theft.
 * - `reuse`: replaced longer ago, however often there was a rotation since. Somebody holds a token that was
 *   replaced, so the session is revoked.
 * - `none`: the session has no token (it was stored over another one with `put`), so this one leads nowhere.
 */
export type TokenVerdict =
  'current' | 'first-use' | 'superseded' | 'lost' | 'ahead' | 'stale' | 'reuse' | 'none';

/** What is known of a token that a client presents, once its signature is confirmed. */
export interface PresentedToken {
  /** SHA-256 in lower-case hex. */
  readonly hash: string;
  /** As its signed part says. */
  readonly generation: number;
}

/** When a token was presented: when the head of the request arrived, by which clock. */
export type PresentedAt = Pick<ReplacedAt, 'now' | 'clock'>;

/**
 * Decides by hash and generation of the presented token. Hashes are compared in constant time.
 *
 * @see RFC 9700, 4.14.2 (a replaced refresh token that is presented again reveals a theft): the same idea
 */
export function judgeToken(state: TokenState, presented: PresentedToken, at: PresentedAt): TokenVerdict {
  if (state.tokenHash === null) return 'none';
  if (sameHash(state.tokenHash, presented.hash)) return state.tokenUsed ? 'current' : 'first-use';
  return judgeReplaced(state, presented, at);
}

/** Whether the row has the hash of the token. All that is known of other tokens is what they say of themselves. */
export function isKnownToken(state: TokenState, { hash }: PresentedToken): boolean {
  return sameHash(state.tokenHash, hash) || sameHash(state.supersededHash, hash);
}

function judgeReplaced(
  state: TokenState,
  presented: PresentedToken,
  { now, clock }: PresentedAt,
): TokenVerdict {
  const { graceUntil: until, tokenGeneration: generation, tokenUsed } = state;
  const replaced = readReplaced(state.replacedTokens);
  if (sameHash(state.supersededHash, presented.hash)) {
    const isInGrace = now < until;
    const isPast = now >= until + (replaced.clock === clock ? 0 : CLOCK_TOLERANCE);
    if (tokenUsed) return isInGrace && !replaced.isRenewed ? 'superseded' : isPast ? 'reuse' : 'stale';
    if (replaced.isRenewed) return 'stale';
    const lost = generation - 1 - (replaced.superseded ?? generation - 1);
    return !isPast ? 'superseded' : lost < MAX_LOST ? 'lost' : 'reuse';
  }
  const isNewer = presented.generation > generation || (presented.generation === generation && !tokenUsed);
  if (isNewer) return 'ahead';
  const last = mayReturnUntil(presented.generation, { generation, until, replaced }, clock);
  return now < last ? 'stale' : 'reuse';
}

/** The token side of a row, and nothing else of it. */
export function tokenState(row: TokenState): TokenState {
  const { tokenHash, supersededHash, tokenIssuedAt, graceUntil, tokenUsed, tokenGeneration, replacedTokens } =
    row;
  return { tokenHash, supersededHash, tokenIssuedAt, graceUntil, tokenUsed, tokenGeneration, replacedTokens };
}

/** The state of a new session: one token, nothing superseded. */
export function firstToken(tokenHash: string | null, now: EpochMs): TokenState {
  return {
    tokenHash,
    supersededHash: null,
    tokenIssuedAt: now,
    graceUntil: now,
    tokenUsed: true,
    tokenGeneration: 0,
    replacedTokens: '',
  };
}

/** Generation of the token that comes next. */
export function nextGeneration({ tokenGeneration }: TokenState): number {
  return tokenGeneration + 1;
}

/** The current token is superseded by a new one, of the next generation, and stays valid for the grace. */
export function rotated(state: TokenState, tokenHash: string, at: ReplacedAt): TokenState {
  return withToken(state, { hash: tokenHash, generation: nextGeneration(state) }, at);
}

/** A lost token is dropped for a new one. The presented one stays the superseded one, and its grace restarts. */
export function reissued(state: TokenState, tokenHash: string, at: ReplacedAt): TokenState {
  const next = withToken(state, { hash: tokenHash, generation: nextGeneration(state) }, at, true);
  return { ...next, supersededHash: state.supersededHash };
}

/**
 * A new token after renewed proof of identity: the old one is not served again, not even for the grace, nor when the
 * response that carried the new one was lost.
 */
export function renewed(state: TokenState, tokenHash: string, at: ReplacedAt): TokenState {
  const next = rotated(state, tokenHash, at);
  return {
    ...next,
    replacedTokens: writeReplaced({ ...readReplaced(next.replacedTokens), isRenewed: true }),
  };
}

/**
 * After the verdict `ahead`: the presented token becomes the current one, in use. The one that was current in storage is
 * superseded, or dropped where nobody has used it.
 */
export function caughtUp(state: TokenState, presented: PresentedToken, at: ReplacedAt): TokenState {
  const next = { ...withToken(state, presented, at, !state.tokenUsed), tokenUsed: true };
  return state.tokenUsed ? next : { ...next, supersededHash: state.supersededHash };
}

/** What a token that is served is to its session: the `current` one, `superseded` by it, or its successor was `lost`. */
export type Standing = 'current' | 'superseded' | 'lost';

/** What decides whether the response to a request carries a new token. */
export interface RotationFacts {
  readonly standing: Standing;
  readonly transport: Transport;
  /** Whether the app has asked for a new token. */
  readonly isWanted: boolean;
  readonly now: EpochMs;
  /** Milliseconds after which a token is replaced; `null`: only when that is asked for. */
  readonly every: number | null;
}

/**
 * Whether the response to a request should carry a new token: rotation is asked for or due, or the response with the last
 * new one was lost. Never a bearer token: no response carries one by itself.
 */
export function isRotationDue(state: TokenState, facts: RotationFacts): boolean {
  const { standing, transport, isWanted, now, every } = facts;
  if (standing === 'superseded' || transport === 'bearer') return false;
  return standing === 'lost' || isWanted || (every !== null && now - state.tokenIssuedAt >= every);
}

function withToken(
  state: TokenState,
  { hash, generation }: PresentedToken,
  at: ReplacedAt,
  isDropped = false,
): TokenState {
  const { tokenGeneration, graceUntil: until, replacedTokens } = state;
  const current = { generation: tokenGeneration, until, replaced: readReplaced(replacedTokens) };
  return {
    tokenHash: hash,
    supersededHash: state.tokenHash,
    tokenIssuedAt: at.now,
    graceUntil: at.now + at.grace,
    tokenUsed: false,
    tokenGeneration: generation,
    replacedTokens: writeReplaced(withReplaced(current, at, isDropped)),
  };
}

function sameHash(stored: string | null, presented: string): boolean {
  if (stored === null) return false;
  const [a, b] = [Buffer.from(stored), Buffer.from(presented)];
  return a.length === b.length && timingSafeEqual(a, b);
}
