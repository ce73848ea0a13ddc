import { Clock } from '../core/clock.js';
import { describeValue } from '../core/describe-value.js';
import { type Duration, parseDuration } from '../core/duration.js';
import { SessionOptionsError } from '../core/session-errors.js';

/** A clock that moves only when a test calls `advance`: makes expiry, rotation and clean-up deterministic. */
export class ManualClock extends Clock {
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

  /** Milliseconds since the Unix epoch. */
  now(): number {
    return this.#now;
  }

  /**
   * Moves on by milliseconds, or by a string such as `'30m'`. Time does not run backwards.
   *
   * @throws SessionOptionsError when the duration is not positive
   */
  advance(duration: Duration): void {
    this.#now += parseDuration('duration', duration);
  }
}
