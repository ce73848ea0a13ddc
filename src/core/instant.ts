import { faultOf } from './json-data.js';
import { SessionDataError } from './session-errors.js';
import type { EpochMs } from './session-row.js';

/*
 * Instants as callers give them, checked and turned into milliseconds since the Unix epoch.
 */

/** A moment: a Date, or milliseconds since the Unix epoch. */
export type Instant = Date | EpochMs;

/**
 * Milliseconds since the Unix epoch, as storage keeps instants, of an instant that a caller gives.
 *
 * @throws SessionDataError when it is not a valid Date and not a finite number
 */
export function toInstant(name: string, value: Date | EpochMs): EpochMs {
  const instant = value instanceof Date ? value.getTime() : value;
  if (typeof instant === 'number' && Number.isFinite(instant)) return Math.round(instant);
  throw new SessionDataError(
    `\`${name}\`: expected a Date, or milliseconds since the Unix epoch, got ${String(value)}`,
    { path: name, fault: faultOf(value) },
  );
}
