import { Clock } from '../core/clock.js';
import { describeValue } from '../core/describe-value.js';
import { type Duration, parseDuration } from '../core/duration.js';
import { SessionOptionsError } from '../core/session-errors.js';

/**
 * A clock whose time changes only when a test sets it, so that tests of expiry, rotation and clean-up need no waiting.
 * Give it as the `clock` option, or override the provider `Clock` with it.
 *
 * @example
 * ```ts
 * const clock = new ManualClock('2030-01-01T12:00:00Z');
 * clock.advance('24h');
 * console.log(new Date(clock.now()).toISOString()); // 2030-01-02T12:00:00.000Z
 * ```
 */
export class ManualClock extends Clock {
  /** So that no clock of a database is compared with it. */
  override readonly standsStill = true;
  #now: number;

  /**
   * @param start a Date, milliseconds since the Unix epoch, or a string that `Date` understands
   * @throws SessionOptionsError when that is not an instant
   */
  constructor(start: Date | number | string) {
    super();
    const now = new Date(start).getTime();
    if (Number.isNaN(now)) {
      throw new SessionOptionsError(
        `\`start\`: expected a Date, milliseconds or a date string, got ${describeValue(start)}`,
      );
    }
    this.#now = now;
  }

  /** What time it is, in milliseconds since the Unix epoch. */
  now(): number {
    return this.#now;
  }

  /**
   * Moves on. Time does not run backwards.
   *
   * @param duration milliseconds, or a string such as `'30m'`
   * @throws SessionOptionsError when the duration is not positive
   */
  advance(duration: Duration): void {
    this.#now += parseDuration('duration', duration);
  }
}
