import { setTimeout as sleep } from 'node:timers/promises';
import type { DataSource } from 'typeorm';
import { TypeOrmSessionBackend } from '../../../../../src/backends/typeorm/typeorm-session-backend.js';
import { inserting, NOW, row, store } from '../../../../../src/testing/backend-contract/contract-rule.js';
import { evict } from '../../../../../src/testing/backend-contract/limit-fixtures.js';
import { onEachDatabase, openDatabase, type TestDatabase } from '../../../../support/databases.js';
import { OPTIONS } from '../../support/open-backend.js';

const POOL = 3;
const USE = { lastActiveAt: NOW + 1, expiresAt: NOW + 9, now: NOW };

onEachDatabase('a statement that `query_timeout` of `pg` gives up', ['postgres'], (kind) => {
  let database: TestDatabase;
  let admin: DataSource;
  let backend: TypeOrmSessionBackend;

  beforeEach(async () => {
    database = await openDatabase(kind);
    admin = await database.open({ poolSize: 2 });
    const options = { ...database.options(), poolSize: POOL, extra: { query_timeout: 150 } };
    backend = new TypeOrmSessionBackend(options as never, { ...OPTIONS, timeout: 2_000 });
    await backend.init();
    await store(backend, row('a'));
  });
  afterEach(async () => {
    await backend.close();
    await database.drop();
  });

  /** Connections whose statement waits for a lock. */
  const waiting = async (): Promise<number> => {
    const [{ n }] = (await admin.query(
      "SELECT count(*)::int AS n FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
    )) as [{ n: number }];
    return n;
  };

  it.each([
    ['a touch', () => backend.touch([{ id: 'a', ...USE }])],
    ['the end of all of a user', () => backend.delete({ userId: 'ada' })],
    ['a sign-in', (index: number) => backend.insert(inserting(row(`s${index}`), { limit: evict(9) }))],
  ])('is cancelled at the server, so that the pool holds no more of its connections: %s', async (_, call) => {
    const holder = admin.createQueryRunner();
    await holder.startTransaction();
    await holder.query('LOCK TABLE sessions IN SHARE MODE');
    const load = { isOver: false };
    const watching = (async () => {
      let most = 0;
      for (; !load.isOver; await sleep(20)) most = Math.max(most, await waiting());
      return most;
    })();
    const calls = Array.from({ length: 12 }, (__, index) => call(index));
    const outcomes = await Promise.allSettled(calls);
    load.isOver = true;
    expect(outcomes.map(({ status }) => status)).toEqual(calls.map(() => 'rejected'));
    expect(await watching).toBeLessThanOrEqual(POOL + 1);
    for (const end = performance.now() + 1_000; (await waiting()) > 0 && performance.now() < end;)
      await sleep(20);
    expect(await waiting()).toBe(0);
    await holder.rollbackTransaction();
    await holder.release();
    expect(await backend.find(['a', 's0'])).toEqual([row('a'), null]);
  });
});
