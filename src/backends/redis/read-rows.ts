import type { EpochMs, LiveRow, SessionRow } from '../../core/session-row.js';
import { isActive } from '../../core/session-expiry.js';
import type { BucketClient, FoundKey } from './bucket-client.js';
import { bucketOfId } from './buckets.js';
import { told, unpackRow, unpackUse } from './row-packing.js';
import { BURY } from './scripts/claims.js';

/** The row of an id; `null`: there is none. */
export async function findRow(client: BucketClient, id: string): Promise<SessionRow | null> {
  const found = await follow(client, id, true);
  return found?.use && found.rest ? unpackRow(id, found.use, found.rest) : null;
}

/** What is told of the row of an id; `null`: there is none that is active. */
export async function findLive(client: BucketClient, id: string, now: EpochMs): Promise<LiveRow | null> {
  const found = await follow(client, id, false);
  if (!found?.use) return null;
  const row = unpackUse(id, found.use);
  return isActive(row, now) ? told(row) : null;
}

/** What the key of an id holds, wherever it leads; `null`: the row is claimed, so it is dead. */
async function follow(client: BucketClient, id: string, isWhole: boolean): Promise<FoundKey | null> {
  const home = bucketOfId(id);
  let [bucket, found] = [home, await client.look(home, id, isWhole)];
  if (found.pointer !== null) {
    bucket = found.pointer.slice(0, 2);
    found = await client.look(bucket, id, isWhole);
  }
  if (found.claim === null) return found;
  // Whoever claimed it may have crashed since: then it is removed. That it is dead does not depend on it.
  client.run(BURY, bucket, [id, '']).catch(() => undefined);
  return null;
}
