import { randomInt } from 'node:crypto';

/** Versions are below this: what JavaScript, every database and `randomInt` hold exactly. */
const VERSIONS = 2 ** 48 - 1;

/**
 * A version for one change of one session, at random, so that no other attempt has the same: storage that holds it already
 * has stored that very change, and a change that is sent again is recognised.
 */
export function newVersion(): number {
  return randomInt(VERSIONS);
}
