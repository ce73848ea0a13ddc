import type { EpochMs, LiveRow, SessionRow } from '../../core/session-row.js';
import { isActive } from '../../core/session-expiry.js';
import type { BucketClient, FoundKey } from './bucket-client.js';
import { bucketOf, bucketOfId } from './buckets.js';
import { Claimed, isAbandoned, whenDecided } from './claimed-rows.js';
import { told, unpackRow, unpackUse } from './row-packing.js';

/*
 * Rows by their ids. Only where its user's rows belong is a row a session: anywhere else neither lists nor limits know of it, nor
 * does "log out everywhere", and it was put there by somebody else.
 */

/**
 * The row of an id; `null`: there is none.
 *
 * @param isAlone whether it is the only one that is asked for, so that no other one waits as long as this one is claimed
 * @throws UndecidedRowError
 */
export async function findRow(
  client: BucketClient,
  id: string,
  isAlone: boolean,
): Promise<SessionRow | null> {
  let found = await locate(client, id, true);
  if (isClaimed(found)) {
    found = await whenDecided<FoundKey>(client, id, isAlone, async () => {
      const again = await locate(client, id, true);
      return isClaimed(again) ? new Claimed(again.bucket, again.claim ?? '') : again;
    });
  }
  if (found.use === null || found.rest === null) return null;
  const row = unpackRow(id, found.use, found.rest);
  return bucketOf(row) === found.bucket ? row : null;
}

/** What is told of the row of an id; `null`: there is none that is active. One that is claimed has not ended yet. */
export async function findLive(client: BucketClient, id: string, now: EpochMs): Promise<LiveRow | null> {
  const found = await locate(client, id, false);
  if (found.use === null) return null;
  if (isClaimed(found) && (await isAbandoned(client, found.bucket, id))) return null;
  const row = unpackUse(id, found.use);
  return isActive(row, now) && bucketOf(row) === found.bucket ? told(row) : null;
}

/** What the key of an id holds, wherever it leads. */
async function locate(client: BucketClient, id: string, isWhole: boolean): Promise<FoundKey> {
  const here = await client.look(bucketOfId(id), id, isWhole);
  if (here.use !== null || here.pointer === null) return here;
  return client.look(here.pointer.slice(0, 2), id, isWhole);
}

function isClaimed({ use, claim }: FoundKey): boolean {
  return use !== null && claim !== null;
}
