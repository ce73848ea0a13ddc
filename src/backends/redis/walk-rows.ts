import { compareIds } from '../../core/identifiers.js';
import { isActive } from '../../core/session-expiry.js';
import type { EpochMs, SessionRow } from '../../core/session-row.js';
import type { BucketClient } from './bucket-client.js';
import { BUCKETS } from './buckets.js';
import { groups } from './delete-rows.js';
import { unpackRow } from './row-packing.js';
import { PRUNE } from './scripts/delete.js';

/*
 * Walks over all rows in order of id. Each bucket has an index of its ids in that order, and a step merges the beginnings
 * behind the last id: 1,024 small look-ups, however many rows there are.
 */

/** Ids that a step looks at, each with its bucket, and the last of them; `null`: there are no more behind it. */
export interface Batch {
  readonly ids: ReadonlyArray<readonly [bucket: string, id: string]>;
  readonly next: string | null;
}

/** The ids of one bucket behind the last one, as far as they are known. */
interface Beginning {
  readonly bucket: string;
  readonly ids: string[];
  isWhole: boolean;
}

/** The next ids of all buckets, in order of their bytes. */
export async function nextBatch(client: BucketClient, after: string | null, size: number): Promise<Batch> {
  const count = Math.min(size, Math.ceil((2 * size) / BUCKETS.length) + 4);
  const beginnings = await Promise.all(
    BUCKETS.map(async (bucket): Promise<Beginning> => {
      const ids = await client.idsBehind(bucket, after, count);
      return { bucket, ids: [...ids], isWhole: ids.length < count };
    }),
  );
  for (;;) {
    const merged = merge(beginnings).slice(0, size);
    const last = merged.at(-1)?.[1];
    // What ends before the last id of the batch may go on before it.
    const short = beginnings.filter(
      ({ ids, isWhole }) =>
        !isWhole && (merged.length < size || compareIds(ids.at(-1) ?? '', last ?? '') < 0),
    );
    if (short.length === 0) return { ids: merged, next: merged.length < size ? null : (last ?? null) };
    await Promise.all(
      short.map(async (beginning) => {
        const more = await client.idsBehind(beginning.bucket, beginning.ids.at(-1) ?? after, size);
        beginning.ids.push(...more);
        beginning.isWhole = more.length < size;
      }),
    );
  }
}

/** The rows of a batch, in its order, without those that are gone. */
export async function rowsOf(client: BucketClient, { ids }: Batch): Promise<SessionRow[]> {
  const rows = await Promise.all(
    ids.map(async ([bucket, id]) => {
      const { use, rest, isClaimed } = await client.look(bucket, id, true);
      return use === null || rest === null || isClaimed ? null : unpackRow(id, use, rest);
    }),
  );
  return rows.filter((row) => row !== null);
}

/** Deletes those of a batch that are not active; how many. Entries of rows that Redis has forgotten go too. */
export async function pruneBatch(client: BucketClient, { ids }: Batch, now: EpochMs): Promise<number> {
  const counts = await Promise.all(
    [...groups(ids)].map(([bucket, some]) => client.write(PRUNE, bucket, [String(now), ...some])),
  );
  return counts.map(Number).reduce((sum, count) => sum + count, 0);
}

/** How many active rows each key has sealed. Reads all rows. */
export async function countKeys(client: BucketClient, now: EpochMs): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  for (let after: string | null = null; ;) {
    const batch: Batch = await nextBatch(client, after, 1_000);
    for (const row of await rowsOf(client, batch))
      if (isActive(row, now)) counts.set(row.keyId, (counts.get(row.keyId) ?? 0) + 1);
    if (batch.next === null) return counts;
    after = batch.next;
  }
}

function merge(beginnings: readonly Beginning[]): Array<readonly [string, string]> {
  return beginnings
    .flatMap(({ bucket, ids }) => ids.map((id) => [bucket, id, Buffer.from(id)] as const))
    .toSorted((one, other) => Buffer.compare(one[2], other[2]))
    .map(([bucket, id]) => [bucket, id] as const);
}
