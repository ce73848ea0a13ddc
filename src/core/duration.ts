import ms, { type StringValue } from 'ms';
import { describeValue } from './describe-value.js';
import { SessionOptionsError } from './session-errors.js';

/*
 * Durations as options give them, checked and turned into milliseconds.
 */

/** Milliseconds, or a string with a unit such as `'30s'`, `'15m'`, `'24h'`, `'30d'`. */
export type Duration = number | string;

/** Below this, a bare number for a lifetime is far more likely a number of seconds. */
const SMALLEST_BARE_LIFETIME = 60_000;

/** 100 years, in milliseconds. Anything longer is a mistake, and may end beyond the range of dates. */
const LONGEST = 100 * 365.25 * 86_400_000;

/** Milliseconds that a timer of Node can wait: a longer one fires at once. */
export const LONGEST_TIMER = 2 ** 31 - 1;

/**
 * Milliseconds of a duration.
 *
 * @throws SessionOptionsError when it is not a duration, or not positive
 */
export function parseDuration(name: string, value: Duration): number {
  const parsed =
    typeof value === 'string' && /\S/.test(value) && value.length <= 100 ? ms(value as StringValue) : value;
  const rounded = typeof parsed === 'number' ? Math.round(parsed) : Number.NaN;
  const unit = typeof value !== 'string' || /[a-z]\s*$/i.test(value);
  if (rounded > 0 && rounded <= LONGEST && unit) return rounded;
  throw new SessionOptionsError(
    `\`${name}\`: expected a positive duration, as milliseconds or a string such as '30m', got ${describeValue(value)}`,
  );
}

/**
 * As `parseDuration`, for a lifetime: a bare number under 60,000 is refused, because it usually means seconds.
 *
 * @throws SessionOptionsError
 */
export function parseLifetime(name: string, value: Duration): number {
  if (typeof value === 'number' && value > 0 && value < SMALLEST_BARE_LIFETIME) {
    throw new SessionOptionsError(
      `\`${name}\`: expected milliseconds, got ${value}, which is under a minute. Durations are milliseconds, ` +
        `not seconds: write '${value}s' for ${value} seconds, or '${value}ms' if that is what you mean`,
    );
  }
  return parseDuration(name, value);
}

/**
 * As `parseDuration`, for a grace period, which may also be zero.
 *
 * @throws SessionOptionsError
 */
export function parseGrace(name: string, value: Duration): number {
  return value === 0 ? 0 : parseDuration(name, value);
}
