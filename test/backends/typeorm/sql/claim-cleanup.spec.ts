import { TypeOrmSessionBackend } from '../../../../src/backends/typeorm/typeorm-session-backend.js';
import { SessionStore } from '../../../../src/core/session-store.js';
import { ManualClock } from '../../../../src/testing/manual-clock.js';
import { onEachDatabase, openDatabase, type TestDatabase } from '../../../support/databases.js';
import { OPTIONS, PATIENCE } from '../support/open-backend.js';

const HOUR = 3_600_000;

onEachDatabase('the lease on the clean-up of one table', ['sqlite', 'postgres', 'mariadb'], (kind) => {
  let database: TestDatabase;
  let clock: ManualClock;
  let stores: readonly SessionStore[];

  beforeEach(async () => {
    database = await openDatabase(kind);
    clock = new ManualClock('2030-01-01T12:00:00Z');
    stores = Array.from({ length: 3 }, () => openReplica());
    for (const store of stores) await store.initSchema();
  });
  afterEach(async () => {
    await Promise.all(stores.map((store) => store.close()));
    await database.drop();
  });

  function openReplica(): SessionStore {
    const backend = new TypeOrmSessionBackend(database.options(), { ...OPTIONS, shared: false });
    return new SessionStore(backend, { plaintext: true, timeout: PATIENCE, ttl: '1h', clock });
  }

  /** All replicas at once: how many sessions each of those that did not rest has deleted. */
  async function turns(): Promise<number[]> {
    const taken = await Promise.all(stores.map((store) => store.parts.pruning.takeTurn(10, HOUR)));
    return taken.filter((deleted) => deleted !== null);
  }

  async function rows(): Promise<readonly { readonly id: unknown; readonly expires_at: unknown }[]> {
    const dataSource = await database.open();
    return dataSource.query('SELECT id, expires_at FROM sessions ORDER BY id');
  }

  it('has one of three replicas clean up at each turn', async () => {
    for (let hour = 0; hour < 4; hour++) {
      for (let made = 0; made < 25; made++) await stores[0]?.create({}, null);
      clock.advance('1h');
      expect(await turns()).toEqual([25]);
    }
  });

  it('is taken at whatever moment the turn comes', async () => {
    const [store] = stores;
    for (const early of [0, 1, 4, 333]) expect(await store?.parts.pruning.takeTurn(10, HOUR - early)).toBe(0);
  });

  it('is free when it ends, though the replica that had it is gone', async () => {
    const [first, second] = stores;
    expect(await first?.parts.pruning.takeTurn(10, HOUR)).toBe(0);
    clock.advance('53m');
    expect(await second?.parts.pruning.takeTurn(10, HOUR)).toBeNull();
    clock.advance('1m');
    expect(await second?.parts.pruning.takeTurn(10, HOUR)).toBe(0);
  });

  it('is one row that is no session: nobody lists, counts or ends it, and it is not deleted when all sessions are', async () => {
    const [store] = stores;
    await store?.create({}, 'ada');
    await turns();
    expect(await rows()).toHaveLength(2);
    expect(String((await rows())[0]?.id)).toBe('');
    expect((await store?.listActive())?.sessions.map(({ userId }) => userId)).toEqual(['ada']);
    expect((await store?.checkHealth())?.keysInUse).toHaveLength(1);
    expect(await store?.destroyAll()).toBe(1);
    expect(await store?.destroyAll()).toBe(0);
    clock.advance('100d');
    expect(await store?.cleanupExpired()).toBe(0);
    expect(await rows()).toHaveLength(1);
  });

  it('survives that somebody deletes every row', async () => {
    await turns();
    await (await database.open()).query('DELETE FROM sessions');
    clock.advance('1h');
    expect(await turns()).toEqual([0]);
  });
});
