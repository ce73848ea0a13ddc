import type { EpochMs, SessionRow } from '../../core/session-row.js';
import type { BucketClient } from './bucket-client.js';
import { BUCKETS } from './buckets.js';
import { groups } from './delete-rows.js';
import { numberOf } from './connection/redis-connection.js';
import { unpackOrNull } from './row-packing.js';
import { PRUNE } from './scripts/delete.js';

/*
 * Walks over all rows, bucket by bucket. Each bucket has an index of its ids in order of their bytes, and a cursor is the name
 * of a bucket and the last id of it that a step has looked at.
 */

/** Buckets that are asked at once at most, where those before them had little. */
const MOST_AT_ONCE = 128;

/** An id with its bucket. */
type Entry = readonly [bucket: string, id: string];

/** Ids that a step looks at, and the cursor behind the last of them; `null`: there are no more. */
export interface Batch {
  readonly ids: readonly Entry[];
  readonly next: string | null;
}

/**
 * The ids behind a cursor. It asks one bucket, and then twice as many at a time: a round trip where there are many sessions,
 * and some fifteen where there are hardly any.
 */
export async function nextBatch(client: BucketClient, cursor: string | null, size: number): Promise<Batch> {
  const [first, behind] = placeOf(cursor);
  const ids: Entry[] = [];
  for (let start = first, atOnce = 1; start < BUCKETS.length; start += atOnce, atOnce = wider(atOnce)) {
    const buckets = BUCKETS.slice(start, start + atOnce);
    const lists = await Promise.all(
      buckets.map(async (bucket) => {
        const after = bucket === BUCKETS[first] ? behind : null;
        return (await client.idsBehind(bucket, after, size - ids.length)).map((id): Entry => [bucket, id]);
      }),
    );
    ids.push(...lists.flat());
    if (ids.length >= size) return { ids: ids.slice(0, size), next: cursorAt(ids[size - 1]) };
  }
  return { ids, next: null };
}

/** The cursor behind an entry. */
export function cursorAt(entry: Entry | undefined): string | null {
  return entry === undefined ? null : entry.join('');
}

/** The number of the bucket in which a walk goes on, and the id behind which it does. What is no cursor is behind everything. */
function placeOf(cursor: string | null): readonly [number, string | null] {
  if (cursor === null) return [0, null];
  const bucket = BUCKETS.indexOf(cursor.slice(0, 2));
  return [bucket < 0 ? BUCKETS.length : bucket, cursor.slice(2)];
}

function wider(atOnce: number): number {
  return Math.min(2 * atOnce, MOST_AT_ONCE);
}

/** The rows of a batch with their entries, in its order, without those that are gone or damaged. */
export async function rowsOf(
  client: BucketClient,
  { ids }: Batch,
): Promise<ReadonlyArray<{ readonly entry: Entry; readonly row: SessionRow }>> {
  const rows = await Promise.all(
    ids.map(async (entry) => {
      const [bucket, id] = entry;
      const { use, rest, claim } = await client.look(bucket, id, true);
      const row = use && rest && claim === null ? unpackOrNull(id, use, rest) : null;
      return row && { entry, row };
    }),
  );
  return rows.filter((row) => row !== null);
}

/** Deletes those of a batch that are not active; how many. Entries of rows that Redis has forgotten go too. */
export async function pruneBatch(client: BucketClient, { ids }: Batch, now: EpochMs): Promise<number> {
  const counts = await Promise.all(
    [...groups(ids)].map(([bucket, some]) => client.write(PRUNE, bucket, [String(now), ...some])),
  );
  return counts.map(numberOf).reduce((sum, count) => sum + count, 0);
}
