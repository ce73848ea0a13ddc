import type { EpochMs, LiveRow, SessionRow } from '../../core/session-row.js';
import { isActive } from '../../core/session-expiry.js';
import type { BucketClient, FoundKey } from './bucket-client.js';
import { bucketOf, bucketOfId } from './buckets.js';
import { Claimed, whenDecided } from './claimed-rows.js';
import { told, unpackRow, unpackUse } from './row-packing.js';

/*
 * Rows by their ids. Only where its user's rows belong is a row a session: anywhere else neither lists nor limits know of it, nor
 * does "log out everywhere", and it was put there by somebody else.
 */

/** The row of an id; `null`: there is none. */
export async function findRow(client: BucketClient, id: string): Promise<SessionRow | null> {
  let found = await locate(client, id, true);
  if (found instanceof Claimed)
    found = await whenDecided<FoundKey>(client, id, () => locate(client, id, true));
  if (found.use === null || found.rest === null) return null;
  const row = unpackRow(id, found.use, found.rest);
  return bucketOf(row) === found.bucket ? row : null;
}

/** What is told of the row of an id; `null`: there is none that is active. */
export async function findLive(client: BucketClient, id: string, now: EpochMs): Promise<LiveRow | null> {
  let found = await locate(client, id, false);
  if (found instanceof Claimed)
    found = await whenDecided<FoundKey>(client, id, () => locate(client, id, false));
  if (found.use === null) return null;
  const row = unpackUse(id, found.use);
  return isActive(row, now) && bucketOf(row) === found.bucket ? told(row) : null;
}

/** What the key of an id holds, wherever it leads. */
async function locate(client: BucketClient, id: string, isWhole: boolean): Promise<FoundKey | Claimed> {
  const here = await client.look(bucketOfId(id), id, isWhole);
  const found =
    here.use === null && here.pointer !== null
      ? await client.look(here.pointer.slice(0, 2), id, isWhole)
      : here;
  return found.use !== null && found.claim !== null ? new Claimed(found.bucket) : found;
}
