import { performance, sleep } from '../../core/timers.js';
import type { BucketClient } from './bucket-client.js';
import { numberOf } from './connection/redis-connection.js';
import { BURY } from './scripts/claims.js';

/*
 * A row that a sign-in in another bucket has claimed is about to end, unless that sign-in is refused: then it is given back.
 * Nobody can say until then whether there is a session, so whoever asks waits. It takes a round trip as a rule.
 */

/** Milliseconds that a claim is waited for: as long as a sign-in waits for a slot that moves. */
const PATIENCE = 3_000;

/** Milliseconds between two looks, first and at most. */
const [FIRST_PAUSE, LONGEST_PAUSE] = [1, 50];

/** What a call finds in place of a row: a claim to it. */
export class Claimed {
  /** Where the row is. */
  readonly in: string;

  constructor(bucket: string) {
    this.in = bucket;
  }
}

/**
 * Calls until nobody has a claim to the row of an id. A claim whose sign-in has crashed is as good as none after a minute: the
 * row is removed then.
 *
 * @throws Error when it takes too long
 */
export async function whenDecided<R>(
  client: BucketClient,
  id: string,
  call: () => Promise<R | Claimed>,
): Promise<R> {
  const end = performance.now() + PATIENCE;
  for (let pause = FIRST_PAUSE; ; pause = Math.min(2 * pause, LONGEST_PAUSE)) {
    const result = await call();
    if (!(result instanceof Claimed)) return result;
    if (numberOf(await client.run(BURY, result.in, [id, ''])) === 1) continue;
    if (performance.now() >= end) {
      throw new Error(
        `A sign-in in place of the session has been under way for ${PATIENCE} ms: nobody can say yet whether the session has ended`,
      );
    }
    await sleep(pause);
  }
}
