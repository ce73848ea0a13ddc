import type { PayloadChange, TokenChange, Touch } from '../../core/session-backend.js';
import type { BucketClient } from './bucket-client.js';
import { bucketOfId } from './buckets.js';
import { Claimed, UndecidedRowError, whenDecided } from './claimed-rows.js';
import { numberOf, textOf, type Word } from './connection/redis-connection.js';
import { packPayload, tokenGenerationStart, tokenLine, tokenMark, tokenStart } from './row-packing.js';
import type { RedisScript } from './scripts/redis-script.js';
import { CHANGE_TOKEN, SAVE, TOUCH } from './scripts/change-row.js';

/*
 * Changes of one row. `deadline` is when the call will have been answered, by `performance.now()`: nothing is changed after that.
 */

/** A pointer to a bucket: its name, and a number that grows with each. */
const POINTER = /^([0-9A-Z]{2}) /;

/** Stores a payload; whether it hit. */
export function saveRow(client: BucketClient, change: PayloadChange, deadline: number): Promise<boolean> {
  const { id, now, expectedVersion, version, lastActiveAt, expiresAt, keyId } = change;
  const numbers = [now, expectedVersion, version, lastActiveAt, expiresAt].map(String);
  return changeRow(client, SAVE, [id, ...numbers, packPayload(change), keyId], deadline);
}

/** Records use; whether it hit. */
export function touchRow(client: BucketClient, touch: Touch, deadline: number): Promise<boolean> {
  const { id, now, lastActiveAt, expiresAt, unlessActiveAfter } = touch;
  const numbers = [now, lastActiveAt, expiresAt, unlessActiveAfter ?? ''].map(String);
  return changeRow(client, TOUCH, [id, ...numbers], deadline);
}

/** Swaps the token side; whether it hit. */
export function changeRowToken(
  client: BucketClient,
  change: TokenChange,
  deadline: number,
): Promise<boolean> {
  const { id, now, expected, next, authenticatedAt } = change;
  const words = [
    tokenStart(expected),
    tokenGenerationStart(next),
    tokenLine(next),
    tokenMark(next),
    String(authenticatedAt ?? ''),
  ];
  return changeRow(client, CHANGE_TOKEN, [id, String(now), ...words], deadline);
}

type Words = readonly [string, ...Word[]];

/** Runs the script on the row of an id; whether it hit. One that stays claimed is about to end, and is not hit. */
async function changeRow(
  client: BucketClient,
  script: RedisScript,
  words: Words,
  deadline: number,
): Promise<boolean> {
  const hit = await changeOnce(client, script, words, deadline);
  if (!(hit instanceof Claimed)) return hit;
  try {
    return await whenDecided(client, words[0], false, () => changeOnce(client, script, words, deadline));
  } catch (error) {
    if (error instanceof UndecidedRowError) return false;
    throw error;
  }
}

/** Runs the script where the id leads, which its first reply may say. */
async function changeOnce(
  client: BucketClient,
  script: RedisScript,
  words: Words,
  deadline: number,
): Promise<boolean | Claimed> {
  let bucket = bucketOfId(words[0]);
  let reply = textOf(await client.write(script, bucket, words, deadline));
  const pointer = POINTER.exec(reply)?.[1];
  if (pointer !== undefined) {
    bucket = pointer;
    reply = textOf(await client.write(script, bucket, words, deadline));
  }
  return reply === 'claimed' ? new Claimed(bucket) : numberOf(reply) === 1;
}
