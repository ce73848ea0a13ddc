import { setTimeout as sleep } from 'node:timers/promises';
import { DataSource } from 'typeorm';
import { TypeOrmSessionBackend } from '../../../../src/backends/typeorm/typeorm-session-backend.js';
import { NOW, row, store } from '../../../../src/testing/backend-contract/contract-rule.js';
import {
  onEachDatabase,
  openDatabase,
  SERVER_KINDS,
  SERVERS,
  type TestDatabase,
} from '../../../support/databases.js';
import { TcpGate } from '../../../support/tcp-gate.js';
import { OPTIONS } from '../support/open-backend.js';

const POOL = 5;
const TIMEOUT = 3_000;
const USE = { lastActiveAt: NOW + 1, expiresAt: NOW + 9, now: NOW };

onEachDatabase('idle connections after one that failed', SERVER_KINDS, (kind) => {
  let database: TestDatabase;
  let gate: TcpGate;
  const closing: (() => Promise<unknown>)[] = [];

  beforeEach(async () => {
    database = await openDatabase(kind);
    gate = new TcpGate(SERVERS[kind]);
    await gate.open();
  });
  afterEach(async () => {
    for (const close of closing.splice(0)) await close();
    await gate.shut();
    await database.drop();
  });

  /** A backend whose pool has all its connections, and a row. */
  async function open(pool: 'shared' | 'own'): Promise<TypeOrmSessionBackend> {
    const options = { ...database.options(), host: '127.0.0.1', port: gate.port, poolSize: POOL };
    const source = pool === 'own' ? options : await new DataSource(options as never).initialize();
    const backend = new TypeOrmSessionBackend(source as never, { ...OPTIONS, timeout: TIMEOUT });
    closing.push(() => backend.close());
    if (source instanceof DataSource) closing.push(() => source.destroy());
    await backend.init();
    await store(backend, row('a'));
    await find(backend, 4 * POOL);
    return backend;
  }

  const find = (backend: TypeOrmSessionBackend, times: number): Promise<unknown[]> =>
    Promise.all(Array.from({ length: times }, () => backend.find(['a'])));

  it.each(['shared', 'own'] as const)(
    'a network that has swallowed all of them costs one call its timeout, not one for each: %s pool',
    async (pool) => {
      const backend = await open(pool);
      gate.forget();
      await expect(backend.find(['a'])).rejects.toThrow('no success within');
      const began = performance.now();
      for (let count = 0; count < POOL; count++) expect(await backend.find(['a'])).toEqual([row('a')]);
      expect(await find(backend, 4 * POOL)).toHaveLength(4 * POOL);
      expect(performance.now() - began).toBeLessThan(TIMEOUT / 2);
    },
  );

  it.each(['shared', 'own'] as const)(
    'a network that has swallowed all of them while calls keep coming costs those that met it, and nobody after them: %s pool',
    async (pool) => {
      const backend = await open(pool);
      gate.forget();
      const began = performance.now();
      const outcomes: Array<Promise<{ at: number; isFound: boolean }>> = [];
      for (; performance.now() - began < TIMEOUT + 1_000; await sleep(50)) {
        const at = performance.now() - began;
        const found = backend.find(['a']).then(
          () => true,
          () => false,
        );
        outcomes.push(found.then((isFound) => ({ at, isFound })));
      }
      const all = await Promise.all(outcomes);
      expect(all.filter(({ isFound }) => !isFound).length).toBeGreaterThan(0);
      expect(all.filter(({ at, isFound }) => at > TIMEOUT && !isFound)).toEqual([]);
    },
  );

  it('those that have answered since the one under way was sent are kept', async () => {
    const backend = await open('own');
    const admin = await database.open({ poolSize: 2 });
    const ids = async (): Promise<unknown[]> => {
      const rows: { id: unknown }[] = await admin.query(
        kind === 'postgres'
          ? "SELECT pid AS id FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'SELECT id, %'"
          : "SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND command = 'Sleep' AND id <> connection_id()",
      );
      return rows.map(({ id }) => id);
    };
    const holder = admin.createQueryRunner();
    closing.push(() => holder.release());
    await holder.startTransaction();
    await holder.query("SELECT id FROM sessions WHERE id = 'a' FOR UPDATE");
    const waiting = backend.touch([{ id: 'a', ...USE }]);
    const outcome = expect(waiting).rejects.toThrow('no success within');
    await new Promise((resolve) => setTimeout(resolve, 200));
    await find(backend, 4 * POOL);
    const before = await ids();
    await outcome;
    expect(await find(backend, 4 * POOL)).toHaveLength(4 * POOL);
    const after = await ids();
    expect(before.filter((id) => !after.includes(id))).toEqual([]);
    await holder.rollbackTransaction();
  });
});
