import type { EpochMs } from './session-row.js';

/*
 * The lease on the clean-up: of several processes whose turn comes, one cleans up and the others rest.
 */

/** A request for the lease. */
export interface CleanupClaim {
  /** Who asks: 1 to 64 characters of ASCII, by which storage knows that it is the same one again. */
  readonly holder: string;
  /** The present. */
  readonly now: EpochMs;
  /** When the lease is to end unless it is claimed again, at most an hour after `now`. `now`: it is given back. */
  readonly until: EpochMs;
}

/** A lease as storage keeps it. */
export type CleanupLease = Pick<CleanupClaim, 'holder' | 'until'>;

/** Milliseconds that a lease lasts at most. */
const LONGEST = 3_600_000;
/** Milliseconds that it lasts at least: longer than a step of the walk, and the rest after it. */
const SHORTEST = 60_000;
/** Of the time until the next turn, how much: that of another process may be a little earlier. */
const SHARE = 0.9;
/** Milliseconds by which processes without a lease spread their walks at most. */
const LONGEST_DELAY = 60_000;

/**
 * Milliseconds after which a lease that has not ended yet counts for nothing: a clock that was far ahead has written it,
 * and nobody would clean up until then.
 */
export const STRAY_LEASE = 2 * LONGEST;

/**
 * Milliseconds for which a process takes the lease: nearly until its own next turn, so that it is free by then, and not a
 * moment only, since the others' turns do not come at the same instant.
 *
 * @param untilNext milliseconds until the next turn
 */
export function leaseFor(untilNext: number): number {
  return Math.min(Math.max(Math.floor(SHARE * untilNext), SHORTEST), LONGEST);
}

/** Milliseconds that a process waits at most before it begins its turn where there is no lease. */
export function longestDelay(untilNext: number): number {
  return Math.min((1 - SHARE) * untilNext, LONGEST_DELAY);
}

/** Whether another one than the holder who asks has the lease. */
export function isHeldByAnother(lease: CleanupLease | null, { holder, now }: CleanupClaim): boolean {
  return lease !== null && lease.holder !== holder && lease.until > now && lease.until <= now + STRAY_LEASE;
}
