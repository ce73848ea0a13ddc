import { randomBytes } from 'node:crypto';

/** Where the present comes from. Replace it (`clock` option) to make expiry deterministic in tests. */
export abstract class Clock {
  /** Milliseconds since the Unix epoch. */
  abstract now(): number;
}

const names = new WeakMap<Clock, string>();

/** A name for a clock, by which the instants that it gave are known from those of another machine's. */
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
