import { randomBytes } from 'node:crypto';

/**
 * Says what time it is, wherever that decides about a session. Replace it (`clock` option) to make expiry
 * deterministic in tests.
 */
export abstract class Clock {
  /** Milliseconds since the Unix epoch. */
  abstract now(): number;
  /** `true`: it moves only when somebody sets it, so it is compared with no other clock. @default false */
  readonly standsStill?: boolean;
}

const names = new WeakMap<Clock, string>();

/**
 * A random name for a clock, stored with its instants, so that another process knows that they are not of its own
 * clock.
 */
export function nameOfClock(clock: Clock): string {
  const known = names.get(clock) ?? randomBytes(6).toString('base64url');
  names.set(clock, known);
  return known;
}

/** The clock of the machine. */
export class SystemClock extends Clock {
  now(): number {
    return Date.now();
  }
}
