import { randomInt } from 'node:crypto';

/*
 * Buckets: the 1,024 parts that the sessions are kept in. Each has a name of two characters, which is the hash tag of its
 * keys, so that all keys of a bucket are in one slot of a Cluster and a script may use them together.
 */

/** The digits of Crockford's base 32. @see https://www.crockford.com/base32.html */
const DIGITS = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

/** An id that ends with the name of its bucket: a ULID and two characters. */
const SUFFIXED = /^[0-9A-HJKMNP-TV-Z]{28}$/;

/** The names of all buckets. */
export const BUCKETS: readonly string[] = Array.from({ length: DIGITS.length ** 2 }, (_, number) =>
  nameOf(number),
);

/** The bucket that holds all rows of a user. */
export function bucketOfUser(userId: string): string {
  return nameOf(hashOf(userId));
}

/** The bucket in which a look-up by id begins: rows without a user are there, and so are those of users whose bucket it is. */
export function bucketOfId(id: string): string {
  return SUFFIXED.test(id) ? id.slice(-2) : nameOf(hashOf(id));
}

/** The bucket of a row. */
export function bucketOf({ id, userId }: { readonly id: string; readonly userId: string | null }): string {
  return userId === null ? bucketOfId(id) : bucketOfUser(userId);
}

/** Any bucket. */
export function randomBucket(): string {
  return nameOf(randomInt(BUCKETS.length));
}

function nameOf(number: number): string {
  return DIGITS.charAt((number >>> 5) & 31) + DIGITS.charAt(number & 31);
}

/** FNV-1a of the UTF-8 bytes, folded to ten bits: it spreads, and protects nothing. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(text)) hash = Math.imul(hash ^ byte, 0x01000193);
  return (hash ^ (hash >>> 10) ^ (hash >>> 20)) & 1023;
}
