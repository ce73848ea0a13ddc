// What ten million other rows cost: `node bench/databases/large-table.mjs`, or as many as SESSIONS says. In both tables a
// thousand sessions are in use, in the large one spread over all of it: what is measured is the size of the table and of its
// indexes, not that of the server's cache. What it costs to find any row, most of them cold, is told beside it.
import { randomBytes } from 'node:crypto';
import { SessionStore } from '../../dist/core/session-store.js';
import { ManualClock } from '../../dist/testing/index.js';
import { fill, idOf, median, openBackend, report, timed, withDatabase } from './harness.mjs';

const IN_USE = 1_000;
const LARGE = Number(process.env.SESSIONS ?? 10_000_000);
const ROUNDS = Number(process.env.ROUNDS ?? 100);
const [USERS, MAX_PER_USER] = [200, 5];
const DAY = 86_400_000;
const BATCH = { size: 200, expired: 20 };

const key = randomBytes(32);
let calls = 0;

/** What is compared, and how often in each round; what it needs is made beforehand, and is not measured. */
const CALLS = {
  'a read': { times: 40, call: ({ store, inUse }) => found(store.load(any(inUse))) },
  'a touch': { times: 20, call: ({ backend, inUse }) => hit(backend.touch([{ id: any(inUse), ...used() }])) },
  'a write': {
    times: 20,
    call: ({ store, inUse }) =>
      found(store.flush(any(inUse), { calls }, new Date(), new Date(Date.now() + DAY))),
  },
  'a sign-in that ends the oldest': {
    times: 20,
    call: ({ store, users }) => store.create({ calls }, any(users)),
  },
  'a list of a user': { times: 20, call: ({ store, users }) => store.listForUser(any(users)) },
  'a clean-up step': {
    times: 1,
    prepare: expire,
    call: async ({ backend }, cursor) => {
      const { deleted } = await backend.prune({ now: Date.now(), cursor, batchSize: BATCH.size });
      if (deleted !== BATCH.expired) throw new Error(`${deleted} rows were deleted`);
    },
  },
  // The first of a minute, so that it asks for the keys in use as well.
  'a health check': {
    times: 1,
    prepare: ({ clock }) => clock.advance('1m'),
    call: ({ watched }) => watched.checkHealth().then(() => watched.manager.drain()),
  },
  'finding any row': {
    times: 20,
    call: ({ backend, count }) => found(backend.find([idOf(Math.floor(Math.random() * count))])),
    isCold: true,
  },
};

await withDatabase(async ({ dataSource, options }) => {
  const small = await openSide(dataSource, options, 'small', IN_USE);
  const large = await openSide(dataSource, options, 'large', LARGE);
  await dataSource.query('CHECKPOINT');
  const sides = [small, large];
  for (const [name, { times, call, prepare = () => undefined, isCold }] of Object.entries(CALLS)) {
    const round = async (side) => {
      const prepared = [];
      for (let n = 0; n < times; n++) prepared.push(await prepare(side));
      const took = await timed(async () => {
        for (const each of prepared) await call(side, each, calls++);
      });
      return (1_000 * took) / times;
    };
    for (const side of sides) for (let n = 0; n < 20; n++) await round(side); // warms up
    const samples = [];
    for (let n = 0; n < ROUNDS; n++) {
      const sample = {};
      for (const side of n % 2 ? sides : sides.toReversed()) sample[side.table] = await round(side);
      samples.push(sample);
    }
    const micros = (table) => median(samples.map((sample) => sample[table])).toFixed(0);
    const ratio = median(samples.map((sample) => sample.large / sample.small));
    console.log(`${name}: ${micros('small')} µs among ${IN_USE}, ${micros('large')} µs among ${LARGE}`);
    if (isCold) console.log(`     ${name}, to any of ${IN_USE}: ${ratio.toFixed(2)}`);
    else report(name, ratio.toFixed(2), ratio <= 1.1, 'at most 1.10');
  }
  await Promise.all(sides.flatMap(({ store, watched }) => [store.close(), watched.close()]));
});

/** A table of so many rows, of which a thousand hold what the store can read. */
async function openSide(dataSource, options, table, count) {
  const backend = await openBackend(options, table);
  const clock = new ManualClock(Date.now());
  const logger = { warn() {}, error() {} };
  const store = new SessionStore(backend, { key, timeout: '60s', maxPerUser: MAX_PER_USER }, logger);
  const watched = new SessionStore(await openBackend(options, table), { key, timeout: '60s', clock }, logger);
  await fill(dataSource, { table, count });
  const step = count / IN_USE;
  const indexes = Array.from({ length: IN_USE }, (_, index) => index * step + ((index * 7919) % step));
  const data = { theme: 'dark', cart: Array.from({ length: 10 }, (_, item) => ({ item, count: 1 })) };
  await backend.save(
    indexes.map((index) => {
      const user = `user-${Math.floor(index / 3)}`; // as they were filled in
      const sealed = store.parts.sealer.seal({ data, flashes: [], meta: {} }, idOf(index), user);
      return { id: idOf(index), expectedVersion: index, version: index + 1, ...sealed, ...used() };
    }),
  );
  // Others have reached their limit, so that each sign-in ends a session.
  const users = Array.from({ length: USERS }, (_, index) => `member-${index}`);
  for (let n = 0; n < MAX_PER_USER; n++) await Promise.all(users.map((user) => store.create({ n }, user)));
  await dataSource.query(`VACUUM ANALYZE ${table}`);
  await watched.checkHealth();
  return { table, backend, store, watched, clock, count, dataSource, inUse: indexes.map(idOf), users };
}

/** Puts rows that have expired behind any row; resolves to where the step begins that finds them. */
async function expire({ dataSource, table, count }) {
  const cursor = idOf(Math.floor(Math.random() * count));
  const columns = (
    await dataSource.query(
      `SELECT column_name AS name FROM information_schema.columns WHERE table_name = '${table}'`,
    )
  ).map(({ name }) => name);
  const now = Date.now();
  const values = columns.map((name) => {
    if (name === 'id') return `'${cursor}' || 'x' || lpad(i::text, 4, '0')`;
    return name === 'expires_at' ? String(now - 1_000) : name;
  });
  await dataSource.query(
    `INSERT INTO ${table} (${columns.join(', ')}) SELECT ${values.join(', ')}
     FROM generate_series(1, ${BATCH.expired}) AS i, (SELECT * FROM ${table} LIMIT 1) AS one`,
  );
  return cursor;
}

function used() {
  const now = Date.now();
  return { lastActiveAt: now, expiresAt: now + DAY, now };
}

function any(list) {
  return list[Math.floor(Math.random() * list.length)];
}

async function found(result) {
  const value = await result;
  if (!(Array.isArray(value) ? value[0] : value)) throw new Error('a row is missing');
}

async function hit(hits) {
  if (!(await hits)[0]) throw new Error('a row is missing');
}
