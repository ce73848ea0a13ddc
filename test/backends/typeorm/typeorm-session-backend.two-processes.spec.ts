import { TypeOrmSessionBackend } from '../../../src/backends/typeorm/typeorm-session-backend.js';
import { tokenState } from '../../../src/core/rotation-policy.js';
import type { TokenState } from '../../../src/core/session-row.js';
import { SessionStore } from '../../../src/core/session-store.js';
import { onEachDatabase, openDatabase, type TestDatabase } from '../../support/databases.js';
import { Replica, stopReplicas } from './support/replica.js';
import { OPTIONS, PATIENCE } from './support/open-backend.js';

const MAX = 5;

onEachDatabase('two processes', ['sqlite', 'postgres', 'mariadb'], (kind) => {
  let database: TestDatabase;
  let store: SessionStore;
  let replicas: readonly Replica[];

  beforeEach(async () => {
    database = await openDatabase(kind);
    const backend = new TypeOrmSessionBackend(database.options(), {
      ...OPTIONS,
      shared: false,
    });
    store = new SessionStore(backend, { plaintext: true, timeout: PATIENCE, maxPerUser: MAX });
    replicas = await Promise.all([1, 2].map(() => Replica.on(database.options(), { maxPerUser: MAX })));
  });
  afterEach(async () => {
    await stopReplicas();
    await store.close();
    await database.drop();
  });

  async function tokenOf(id: string): Promise<TokenState> {
    const row = await store.parts.backend.lookUp(id);
    if (row === null) throw new Error(`${id} is gone`);
    return tokenState(row);
  }

  it('create the table at the same time', async () => {
    const more = await Promise.all([1, 2].map(() => Replica.on(database.options())));
    await Promise.all([...replicas, ...more].map((replica) => replica.call('init')));
    const { session } = await store.create({}, 'ada');
    expect((await store.load(session.id))?.userId).toBe('ada');
  });

  it('never exceed the limit of a user at any moment that a third connection sees, and leave exactly as many', async () => {
    await store.initSchema();
    const signingIn = { isOver: false };
    const counts: number[] = [];
    const watching = (async () => {
      while (!signingIn.isOver) counts.push((await store.listForUser('ada')).length);
    })();
    const failures = await Promise.all(replicas.map((replica) => replica.call('signIn', 'ada', 8, 16)));
    signingIn.isOver = true;
    await watching;
    expect(failures.flat()).toEqual([]);
    expect(counts.length).toBeGreaterThan(5);
    expect(Math.max(...counts)).toBe(MAX);
    expect(await store.listForUser('ada')).toHaveLength(MAX);
  });

  it('rotate one token with one winner', async () => {
    const { session } = await store.create({}, 'ada');
    for (let round = 0; round < 5; round++) {
      const before = await tokenOf(session.id);
      const won = await Promise.all(
        replicas.map((replica) => replica.call('rotate', session.id, before, 10)),
      );
      expect(won.flat()).toHaveLength(1);
      expect(await tokenOf(session.id)).toMatchObject({
        tokenHash: won.flat()[0],
        supersededHash: before.tokenHash,
      });
    }
  });

  it('lose no increment of a counter', async () => {
    const { session } = await store.create({}, 'ada');
    const failures = await Promise.all(replicas.map((replica) => replica.call('increment', session.id, 100)));
    expect(failures.flat()).toEqual([]);
    expect((await store.load(session.id))?.data).toEqual({ count: 200 });
  });

  it('clean up at the same minute: one does, the other rests, and either does when asked', async () => {
    await Promise.all(replicas.map((replica) => replica.call('init')));
    for (let made = 0; made < 25; made++) await store.put(`old-${made}`, { userId: null, data: {} }, '1ms');
    const [one, other] = await Promise.all(replicas.map((replica) => replica.call('takeTurns', 5)));
    const isDone = [one?.every((each) => each === 25), other?.every((each) => each === 25)];
    expect(isDone.filter(Boolean)).toHaveLength(1);
    expect([one, other]).toContainEqual([null, null, null, null, null]);
    await store.put('later', { userId: null, data: {} }, '1ms');
    expect(await store.parts.pruning.takeTurn(10, 3_600_000)).toBeNull();
    expect(await store.cleanupExpired()).toBe(1);
  });

  it('cycle one session with one winner', async () => {
    await store.put('old', { userId: 'ada', data: {} }, '1h');
    const said = await Promise.all(
      replicas.map((replica, index) => replica.call('cycle', 'old', `new-${index}`, 10)),
    );
    expect(said.flat().toSorted()).toEqual([...Array.from({ length: 19 }, () => 'SessionGoneError'), 'won']);
    expect(await store.listForUser('ada')).toHaveLength(1);
    expect(await store.read('old')).toBeNull();
  });
});
