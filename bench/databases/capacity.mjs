// What one primary holds and takes: bytes of a session with all indexes, and sign-ins, reads and saves a second of one process
// without Nest, 32 at a time. `node bench/databases/capacity.mjs`, on the PostgreSQL and MariaDB of the other benches and the
// Redis of REDIS_URL. Rounds of the storages come in turns; what is printed are medians.
import { randomBytes, randomInt } from 'node:crypto';
import { Redis } from 'ioredis';
import { DataSource } from 'typeorm';
import { RedisSessionBackend } from '../../dist/backends/redis/index.js';
import { TypeOrmSessionBackend } from '../../dist/backends/typeorm/typeorm-session-backend.js';
import { SessionStore } from '../../dist/core/session-store.js';
import { MARIADB, median, POSTGRES, timed } from './harness.mjs';

const SESSIONS = Number(process.env.SESSIONS ?? 20_000);
const ROUNDS = 5;
const AT_ONCE = 32;
const CALLS = 2_000;
const META = {
  ip: '192.0.2.1',
  userAgent: 'Mozilla/5.0 (X11; Linux x86_64) Chrome/140',
  deviceName: 'Chrome on Linux',
};
const DATA = { theme: 'dark', cart: Array.from({ length: 10 }, (_, item) => ({ item, count: 1 })) };

const storages = [await onPostgres(), await onMariaDb(), await onRedis()];
const figures = new Map(storages.map(({ name }) => [name, { bytes: 0, signIns: [], reads: [], saves: [] }]));
for (const storage of storages) {
  const before = await storage.bytes();
  await each(SESSIONS, (index) => signIn(storage, `user-${index >> 1}`));
  figures.get(storage.name).bytes = Math.round(((await storage.bytes()) - before) / SESSIONS);
}
for (let round = 0; round < ROUNDS; round++) {
  for (const storage of storages) {
    const { signIns, reads, saves } = figures.get(storage.name);
    const any = () => storage.ids[randomInt(storage.ids.length)];
    signIns.push(await rate((index) => signIn(storage, `round-${round}-${index}`)));
    reads.push(await rate(() => storage.store.load(any())));
    saves.push(
      await rate((index) =>
        storage.store.flush(any(), { ...DATA, index }, new Date(), new Date(Date.now() + 3_600_000)),
      ),
    );
  }
}
console.log(`${SESSIONS} sessions of ${JSON.stringify(DATA).length} bytes of data, two of each user`);
for (const [name, { bytes, signIns, reads, saves }] of figures)
  console.log(
    `${name}: ${bytes} bytes a session, ${perGigabyte(bytes)} in a GB; a second: ${median(signIns)} sign-ins, ${median(reads)} reads, ${median(saves)} saves`,
  );
for (const storage of storages) await storage.remove();

async function signIn({ store, ids }, user) {
  const { session } = await store.create(META, user, DATA);
  ids.push(session.id);
}

/** Calls a second. */
async function rate(call) {
  const took = await timed(() => each(CALLS, call));
  return Math.round((CALLS * 1_000) / took);
}

async function each(count, call) {
  let next = 0;
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      while (next < count) await call(next++);
    }),
  );
}

function perGigabyte(bytes) {
  return `${(1e9 / bytes / 1e6).toFixed(2)} million`;
}

function opened(name, backend, bytes, remove) {
  const store = new SessionStore(backend, { key: randomBytes(32), timeout: '60s', maxPerUser: 10 });
  return { name, store, ids: [], bytes, remove: async () => (await store.close(), await remove()) };
}

async function onPostgres() {
  const database = `sessions_bench_${randomBytes(6).toString('hex')}`;
  const admin = await new DataSource(POSTGRES).initialize();
  await admin.query(`CREATE DATABASE ${database}`);
  const backend = onSql({ ...POSTGRES, database, poolSize: 16 });
  await backend.init();
  const dataSource = await new DataSource({ ...POSTGRES, database }).initialize();
  const bytes = async () => {
    const [{ size }] = await dataSource.query("SELECT pg_total_relation_size('sessions') AS size");
    return Number(size);
  };
  return opened('PostgreSQL', backend, bytes, async () => {
    await dataSource.destroy();
    await admin.query(`DROP DATABASE ${database} WITH (FORCE)`);
    await admin.destroy();
  });
}

async function onMariaDb() {
  const database = `sessions_bench_${randomBytes(6).toString('hex')}`;
  const admin = await new DataSource(MARIADB).initialize();
  await admin.query(`CREATE DATABASE ${database}`);
  const backend = onSql({ ...MARIADB, database, poolSize: 16 });
  await backend.init();
  const bytes = async () => {
    await admin.query(`ANALYZE TABLE ${database}.sessions`);
    const [row] = await admin.query(
      `SELECT data_length + index_length AS size FROM information_schema.tables WHERE table_schema = '${database}'`,
    );
    return Number(row.size);
  };
  return opened('MariaDB', backend, bytes, async () => {
    await admin.query(`DROP DATABASE ${database}`);
    await admin.destroy();
  });
}

function onSql(options) {
  return new TypeOrmSessionBackend(options, {
    tableName: 'sessions',
    createTable: true,
    timeout: 60_000,
    shared: false,
  });
}

async function onRedis() {
  const client = new Redis(process.env.REDIS_URL ?? 'redis://127.0.0.1:6379');
  const prefix = `bench-${randomBytes(6).toString('hex')}:`;
  const backend = new RedisSessionBackend(client, { prefix });
  await backend.init();
  const bytes = async () => Number(/used_memory_dataset:(\d+)/.exec(await client.info('memory'))?.[1]);
  return opened('Redis', backend, bytes, async () => {
    for await (const keys of client.scanStream({ match: `${prefix}*`, count: 1_000 }))
      if (keys.length > 0) await client.unlink(...keys);
    await client.quit();
  });
}
