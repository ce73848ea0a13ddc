import type { BucketClient } from './bucket-client.js';
import { bucketOfId } from './buckets.js';
import { numberOf } from './connection/redis-connection.js';
import { FENCE, UNPOINT } from './scripts/claims.js';

/**
 * Takes down the pointers of ids whose rows have ended in a bucket, which would stay for as long as those could have lasted.
 * Nobody waits for it: a pointer to nothing does no harm.
 */
export function forgetPointers(client: BucketClient, bucket: string, ids: readonly string[]): void {
  const elsewhere = ids.filter((id) => bucketOfId(id) !== bucket);
  if (elsewhere.length > 0) takeDown(client, bucket, elsewhere).catch(() => undefined);
}

/** One after the other, since they may be thousands. */
async function takeDown(client: BucketClient, bucket: string, ids: readonly string[]): Promise<void> {
  for (const id of ids) {
    const home = bucketOfId(id);
    const { pointer } = await client.look(home, id, false);
    if (pointer === null || pointer.slice(0, 2) !== bucket) continue;
    // Whoever has been shown the pointer, and has not inserted yet, has to ask for another one.
    const isFenced = await client.run(FENCE, bucket, [id, pointer.slice(3), '']);
    if (numberOf(isFenced) === 1) await client.run(UNPOINT, home, [id, pointer]);
  }
}
