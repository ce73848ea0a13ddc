import type { EndedRow } from '../../core/session-row.js';
import type { BucketClient } from './bucket-client.js';
import { bucketOfId, bucketOfUser } from './buckets.js';
import { listOf, textBytesOf, textOf, type Reply } from './connection/redis-connection.js';
import { forgetPointers } from './pointers.js';
import { told, unpackUse } from './row-packing.js';
import { DELETE_IDS, DELETE_OF_USER } from './scripts/delete.js';

/** All of a user, but for one. One step. */
export async function deleteOfUser(
  client: BucketClient,
  userId: string,
  exceptId: string | undefined,
): Promise<EndedRow[]> {
  const bucket = bucketOfUser(userId);
  return endedIn(client, bucket, await client.write(DELETE_OF_USER, bucket, [userId, exceptId ?? '']));
}

/** Those of some ids that are a user's. One step. */
export async function deleteIdsOfUser(
  client: BucketClient,
  ids: readonly string[],
  userId: string,
): Promise<EndedRow[]> {
  if (ids.length === 0) return [];
  const bucket = bucketOfUser(userId);
  return endedIn(client, bucket, await client.write(DELETE_IDS, bucket, [userId, ...ids]));
}

/** Those of some ids, whoever has them. One step in each bucket. */
export async function deleteIds(client: BucketClient, ids: readonly string[]): Promise<EndedRow[]> {
  const replies = await inBuckets(client, groups(ids.map((id) => [bucketOfId(id), id])));
  const pointed = replies.flatMap(([, reply]) => {
    const elsewhere = listOf(listOf(reply, 2)[1]).map(textOf);
    return pairs(elsewhere).map(([id, pointer]) => [pointer.slice(0, 2), id] as const);
  });
  const behind = await inBuckets(client, groups(pointed));
  return [...replies, ...behind].flatMap(([bucket, reply]) => endedIn(client, bucket, reply));
}

async function inBuckets(
  client: BucketClient,
  ids: ReadonlyMap<string, readonly string[]>,
): Promise<ReadonlyArray<readonly [bucket: string, reply: Reply]>> {
  return Promise.all(
    [...ids].map(
      async ([bucket, some]) => [bucket, await client.write(DELETE_IDS, bucket, ['', ...some])] as const,
    ),
  );
}

/** Values by what comes before them. */
export function groups(
  entries: ReadonlyArray<readonly [string, string]>,
): ReadonlyMap<string, readonly string[]> {
  const map = new Map<string, string[]>();
  for (const [name, value] of entries) {
    const values = map.get(name);
    if (values) values.push(value);
    else map.set(name, [value]);
  }
  return map;
}

/** The rows that have ended in a bucket, by what a script says. No id leads to one of them any more. */
function endedIn(client: BucketClient, bucket: string, reply: Reply): EndedRow[] {
  const ended: EndedRow[] = [];
  const list = listOf(listOf(reply, 2)[0]);
  for (let index = 0; index + 1 < list.length; index += 2) {
    const use = textBytesOf(list[index + 1]);
    ended.push(told(unpackUse(textOf(list[index]), use)));
  }
  forgetPointers(
    client,
    bucket,
    ended.map(({ id }) => id),
  );
  return ended;
}

function pairs(list: readonly string[]): Array<readonly [string, string]> {
  return list.flatMap((one, index) => (index % 2 === 0 ? [[one, list[index + 1] ?? ''] as const] : []));
}
