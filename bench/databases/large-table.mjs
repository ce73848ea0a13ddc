// What a million other rows cost one who reads one: `node bench/databases/large-table.mjs`. In both tables a thousand
// sessions are in use, in the large one spread over all of it: what is measured is the size of the table and its index,
// not that of the server's cache. What it costs to find any row of the million, most of them cold, is told beside it.
import { randomBytes } from 'node:crypto';
import { SessionStore } from '../../dist/core/session-store.js';
import { fill, idOf, median, openBackend, report, timed, withDatabase } from './harness.mjs';

const [SMALL, LARGE] = [1_000, 1_000_000];
const ROUNDS = 300;
const READS = 60;
const options = { key: randomBytes(32), timeout: '60s' };

await withDatabase(async ({ dataSource, options: server }) => {
  const small = await openSide(dataSource, server, 'small', SMALL);
  const large = await openSide(dataSource, server, 'large', LARGE);
  const load = (side) => side.store.load(any(side.inUse));
  const find = async ({ backend, count }) =>
    (await backend.find([idOf(Math.floor(Math.random() * count))]))[0];
  const inUse = await compare(small, large, load);
  const anywhere = await compare(small, large, find);
  await Promise.all([small.store.close(), large.store.close()]);
  console.log(`one read: ${inUse.micros[0]} µs among ${SMALL}, ${inUse.micros[1]} µs among ${LARGE}`);
  console.log(`finding any row of a million, to any of a thousand: ${anywhere.ratio.toFixed(3)}`);
  const { ratio } = inUse;
  report(
    'a session in use among a million, to one among a thousand',
    ratio.toFixed(3),
    ratio <= 1.1,
    'at most 1.1',
  );
});

/** A table of so many rows, of which a thousand hold what the store can read. */
async function openSide(dataSource, server, table, count) {
  const backend = await openBackend(server, table);
  const store = new SessionStore(backend, options);
  await fill(dataSource, { table, count });
  const step = count / SMALL;
  const indexes = Array.from({ length: SMALL }, (_, index) => index * step + ((index * 7919) % step));
  const now = Date.now();
  const data = { theme: 'dark', cart: Array.from({ length: 10 }, (_, item) => ({ item, count: 1 })) };
  await backend.save(
    indexes.map((index) => {
      const sealed = store.parts.sealer.seal(
        { data, flashes: [], meta: {} },
        idOf(index),
        `user-${Math.floor(index / 3)}`,
      );
      const times = { lastActiveAt: now, expiresAt: now + 86_400_000, now };
      return { id: idOf(index), expectedVersion: index, version: index + 1, ...sealed, ...times };
    }),
  );
  return { backend, store, count, inUse: indexes.map(idOf) };
}

/** Rounds of reads, on one table and the other in turn. */
async function compare(small, large, read) {
  const sides = [small, large].map((side) => ({ side, times: [] }));
  const round = async ({ side }) => {
    for (let n = 0; n < READS; n++) if ((await read(side)) === null) throw new Error('a row is missing');
  };
  for (const each of sides) for (let n = 0; n < 50; n++) await round(each); // warms up
  for (let n = 0; n < ROUNDS; n++) {
    for (const each of n % 2 ? sides : sides.toReversed()) each.times.push(await timed(() => round(each)));
  }
  const [one, other] = sides.map(({ times }) => times);
  const micros = [one, other].map((times) => ((1000 * median(times)) / READS).toFixed(0));
  return { micros, ratio: median(other.map((time, index) => time / one[index])) };
}

function any(ids) {
  return ids[Math.floor(Math.random() * ids.length)];
}
