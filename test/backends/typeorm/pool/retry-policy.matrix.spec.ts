import type { DataSource } from 'typeorm';
import { TypeOrmSessionBackend } from '../../../../src/backends/typeorm/typeorm-session-backend.js';
import {
  inserting,
  MINUTE,
  NOW,
  row,
  store,
} from '../../../../src/testing/backend-contract/contract-rule.js';
import { SessionStore } from '../../../../src/core/session-store.js';
import { evict } from '../../../../src/testing/backend-contract/limit-fixtures.js';
import {
  onEachDatabase,
  openDatabase,
  SERVERS,
  SERVER_KINDS,
  type TestDatabase,
} from '../../../support/databases.js';
import { TcpGate } from '../../../support/tcp-gate.js';
import { OPTIONS } from '../support/open-backend.js';

/** Not `READ COMMITTED`. */
const COMMIT = /COMMIT(?!TED)/;
const USE = { lastActiveAt: NOW + 1, expiresAt: NOW + 5 * MINUTE, now: NOW };
const CHANGE = { id: 'a', ...USE, expectedVersion: 1, version: 2, keyId: 'k', payload: Buffer.from('new') };

onEachDatabase('connections that end', SERVER_KINDS, (kind) => {
  let database: TestDatabase;
  let admin: DataSource;
  let gate: TcpGate;
  let backend: TypeOrmSessionBackend;

  beforeAll(async () => {
    database = await openDatabase(kind);
    admin = await database.open({ poolSize: 3 });
  });
  beforeEach(async () => {
    gate = new TcpGate(SERVERS[kind]);
    await gate.open();
    backend = await ready(await database.open(way()));
  });
  afterEach(async () => {
    gate.releaseAnswers();
    await admin.query('DROP TABLE IF EXISTS sessions');
    await gate.shut();
  });
  afterAll(() => database.drop());

  /** Options of a data source that goes through the gate. */
  const way = (): object => ({ host: '127.0.0.1', port: gate.port, poolSize: 5 });

  async function ready(app: DataSource): Promise<TypeOrmSessionBackend> {
    const made = new TypeOrmSessionBackend(app, OPTIONS);
    await made.init();
    await store(made, row('a'));
    return made;
  }

  /** Ends connections to the database, but for those of `admin`. `only`: of those, the ones that run such a statement. */
  async function end(only = ''): Promise<number> {
    const ids: number[] = [];
    const sql =
      kind === 'postgres'
        ? "SELECT pid AS id FROM pg_stat_activity WHERE datname = current_database() AND query LIKE $1 AND state <> 'idle in transaction' AND pid <> pg_backend_pid()"
        : "SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND COALESCE(info, '') LIKE ? AND id <> connection_id()";
    const rows: Array<{ id: number }> = await admin.query(sql, [`${only}%`]);
    for (const { id } of rows) {
      await admin.query(kind === 'postgres' ? `SELECT pg_terminate_backend(${id})` : `KILL ${id}`).then(
        () => ids.push(id),
        () => undefined, // it has ended meanwhile
      );
    }
    return ids.length;
  }

  /** Holds the table or its row, while a call waits for it, until the call's connection has been ended. */
  async function endedWhileWaiting<T>(statement: string, lock: string, call: () => Promise<T>): Promise<T> {
    const holder = admin.createQueryRunner();
    await holder.query(kind === 'postgres' ? 'BEGIN' : 'SET autocommit = 0');
    await holder.query(lock);
    const result = call();
    while ((await end(statement)) === 0) await new Promise((resolve) => setTimeout(resolve, 10));
    await holder.query('COMMIT');
    if (kind === 'mariadb') await holder.query('UNLOCK TABLES');
    if (kind === 'mariadb') await holder.query('SET autocommit = 1');
    await holder.release();
    return result;
  }

  const tableLock =
    kind === 'postgres' ? 'LOCK TABLE sessions IN ACCESS EXCLUSIVE MODE' : 'LOCK TABLES sessions WRITE';
  const rowLock = "SELECT id FROM sessions WHERE id = 'a' FOR UPDATE";

  it('under a read: it is read on another', async () => {
    const found = await endedWhileWaiting('SELECT id, ', tableLock, () => backend.find(['a']));
    expect(found).toEqual([row('a')]);
  });

  it('under every read of a pool at once, again and again: none of forty fails', async () => {
    for (let round = 0; round < 5; round++) {
      const reads = Array.from({ length: 20 }, () => backend.find(['a']));
      await end();
      reads.push(...Array.from({ length: 20 }, () => backend.find(['a'])));
      expect(await Promise.all(reads)).toEqual(reads.map(() => [row('a')]));
    }
  });

  it('at the network, while nobody uses them: the next reads do not notice', async () => {
    await Promise.all(Array.from({ length: 20 }, () => backend.find(['a'])));
    await gate.shut();
    await gate.open();
    const reads = Array.from({ length: 20 }, () => backend.find(['a']));
    expect(await Promise.all(reads)).toEqual(reads.map(() => [row('a')]));
  });

  it.each([
    ['a touch', 'touch', () => backend.touch([{ id: 'a', ...USE }])],
    ['a save', 'save', () => backend.save([CHANGE])],
  ])('under %s that waits: it is done once, on another', async (_name, method, call) => {
    expect(await endedWhileWaiting('UPDATE', rowLock, call)).toEqual([true]);
    const version = method === 'save' ? 2 : 1;
    expect((await backend.find(['a']))[0]).toMatchObject({ version, lastActiveAt: USE.lastActiveAt });
  });

  it('before the answer to a save comes: it is sent again, and recognised', async () => {
    gate.loseAnswerTo(/UPDATE/);
    expect(await backend.save([CHANGE])).toEqual([true]);
    expect((await backend.find(['a']))[0]).toMatchObject({ version: 2, payload: CHANGE.payload });
  });

  it('before the answer to a save comes, while another one is stored: it fails, since nobody knows', async () => {
    gate.loseAnswerTo(/UPDATE/, 1, () => admin.query("UPDATE sessions SET version = 3 WHERE id = 'a'"));
    await expect(backend.save([CHANGE])).rejects.toThrow(/Sessions in .*: /);
    expect((await backend.find(['a']))[0]).toMatchObject({ version: 3 });
  });

  it('before the answer to a new token comes: it is sent again, and recognised', async () => {
    const { tokenHash, tokenUsed, ...rest } = row('a');
    const next = { ...rest, tokenHash: 'e'.repeat(64), tokenUsed: true, tokenGeneration: 3 };
    gate.loseAnswerTo(/UPDATE/);
    const expected = { tokenHash, tokenUsed };
    expect(await backend.changeToken({ id: 'a', expected, next, now: NOW })).toBe(true);
    expect((await backend.find(['a']))[0]).toMatchObject({ tokenHash: next.tokenHash, tokenUsed: true });
  });

  it('before the answers to the saves of a counter come: each is counted once', async () => {
    const counters = new SessionStore(backend, { plaintext: true, timeout: OPTIONS.timeout });
    await counters.save('counter', { userId: null, data: { count: 0 } }, '1h');
    for (let count = 1; count <= 10; count++) {
      if (count % 2 === 0) gate.loseAnswerTo(/UPDATE/);
      await counters.parts.writer.write({
        id: 'counter',
        use: ({ lastActiveAt, expiresAt }) => ({ lastActiveAt, expiresAt }),
        apply: (content) => ({ ...content, data: { count: Number(content.data['count']) + 1 } }),
      });
      expect((await counters.get('counter'))?.data).toEqual({ count });
    }
  });

  it('before the answer to several saves comes: they are sent again, and recognised', async () => {
    await store(backend, row('b'));
    gate.loseAnswerTo(kind === 'postgres' ? /UPDATE/ : COMMIT);
    expect(await backend.save([CHANGE, { ...CHANGE, id: 'b' }])).toEqual([true, true]);
    expect((await backend.find(['a', 'b'])).map((each) => each?.version)).toEqual([2, 2]);
  });

  it('before the answer to a touch comes: it is done again, which changes nothing', async () => {
    gate.loseAnswerTo(/UPDATE/);
    expect(await backend.touch([{ id: 'a', ...USE }])).toEqual([true]);
    expect((await backend.find(['a']))[0]).toMatchObject({ lastActiveAt: USE.lastActiveAt });
  });

  it('before the answer to a logout comes: it is not said that there was nothing to end', async () => {
    gate.loseAnswerTo(kind === 'postgres' ? /DELETE/ : COMMIT);
    await expect(backend.delete({ ids: ['a'] })).rejects.toThrow(/Sessions in .*: /);
    expect(await backend.find(['a'])).toEqual([null]);
  });

  it.each([
    ['of its INSERT', /INSERT/],
    ['of its BEGIN', kind === 'postgres' ? /BEGIN/ : /START TRANSACTION/],
    ['that it waits for', /advisory|GET_LOCK/],
  ])('before the answer %s, a sign-in is done once, on another', async (_name, bytes) => {
    gate.loseAnswerTo(bytes);
    const result = await backend.insert(inserting(row('b'), { limit: evict(5) }));
    expect(result).toMatchObject({ status: 'inserted', evicted: [] });
    const left = await backend.list({ userId: 'ada', now: NOW, orderBy: 'createdAt', limit: null });
    expect(left.map(({ id }) => id)).toEqual(['b', 'a']);
  });

  it('before the answer to the COMMIT of a sign-in comes: it is recognised, with all that it has ended', async () => {
    await store(backend, row('old'));
    let built = 0;
    gate.loseAnswerTo(COMMIT);
    const build = () => row(`b${++built}`);
    const result = await backend.insert({ userId: 'ada', limit: evict(1), replaces: 'old', build });
    expect(result).toMatchObject({ status: 'inserted', row: { id: 'b1' }, replaced: { id: 'old' } });
    expect(result).toMatchObject({ evicted: [{ id: 'a' }] });
    expect(built).toBe(1);
    const left = await backend.list({ userId: 'ada', now: NOW, orderBy: 'createdAt', limit: null });
    expect(left.map(({ id }) => id)).toEqual(['b1']);
  });

  it('before the answer to the COMMIT of sign-ins that share it comes: each is done once', async () => {
    const requests = Array.from({ length: 12 }, (_, index) =>
      inserting(row(`many-${index}`, { lastActiveAt: NOW + index }), { limit: evict(5) }),
    );
    const first = backend.insert(inserting(row('first'), { limit: evict(5) }));
    const others = requests.map((request) => backend.insert(request));
    await first;
    gate.loseAnswerTo(COMMIT);
    const results = await Promise.all(others);
    expect(new Set(results.map(({ status }) => status))).toEqual(new Set(['inserted']));
    const left = await backend.list({ userId: 'ada', now: NOW, orderBy: 'lastActiveAt', limit: null });
    expect(left.map(({ id }) => id)).toEqual([11, 10, 9, 8, 7].map((index) => `many-${index}`));
  });

  it('before the answer to the COMMIT of sign-ins that share it comes, while one of them is ended: each is done once', async () => {
    const first = backend.insert(inserting(row('first'), { limit: evict(9) }));
    const ids = ['m1', 'm2', 'm3'];
    const others = ids.map((id) => backend.insert(inserting(row(id), { limit: evict(9) })));
    await first;
    gate.loseAnswerTo(COMMIT, 1, () => admin.query("DELETE FROM sessions WHERE id = 'm1'"));
    const results = await Promise.all(others);
    expect(results.map(({ status }) => status)).toEqual(ids.map(() => 'inserted'));
    const left = await backend.list({ userId: 'ada', now: NOW, orderBy: 'createdAt', limit: null });
    expect(left.map(({ id }) => id)).toEqual(['m3', 'm2', 'first', 'a']);
  });

  it('as they are handed out: the process goes on, and the read is done on another', async () => {
    const app = await database.open({ ...way(), poolSize: 2 });
    const other = new TypeOrmSessionBackend(app, OPTIONS);
    await other.init();
    for (let round = 0; round < 5; round++) {
      await end();
      await new Promise((resolve) => setTimeout(resolve, 50));
      gate.holdAnswers();
      const reads = [other.find(['a']), other.find(['a'])];
      await new Promise((resolve) => setTimeout(resolve, 100));
      await end();
      await new Promise((resolve) => setTimeout(resolve, 50));
      gate.releaseAnswers();
      expect(await Promise.all(reads)).toEqual([[row('a')], [row('a')]]);
    }
  });

  it('as they are handed out while a pool of our own is opened: the process goes on, and it is opened', async () => {
    const other = new TypeOrmSessionBackend({ ...database.options(), ...way() }, OPTIONS);
    gate.holdAnswers();
    const read = other.find(['a']);
    for (let round = 0; round < 4; round++) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      await end();
      await new Promise((resolve) => setTimeout(resolve, 50));
      gate.releaseAnswers();
      gate.holdAnswers();
    }
    gate.releaseAnswers();
    expect(await read).toEqual([row('a')]);
    await other.close();
  });

  it('as they are handed out to the app: its statement fails, and the process goes on', async () => {
    const app = await database.open({ ...way(), poolSize: 2 });
    await new TypeOrmSessionBackend(app, OPTIONS).init();
    await end();
    await new Promise((resolve) => setTimeout(resolve, 50));
    gate.holdAnswers();
    const statement = app.query('SELECT 1 AS one').then(
      () => 'done',
      () => 'failed',
    );
    await new Promise((resolve) => setTimeout(resolve, 100));
    await end();
    await new Promise((resolve) => setTimeout(resolve, 50));
    gate.releaseAnswers();
    // The server of MySQL speaks first, so that the connection it ended had not been asked for yet.
    expect(await statement).toBe(kind === 'postgres' ? 'failed' : 'done');
    expect(await app.query('SELECT 1 AS one')).toHaveLength(1);
  });

  it('one after the other for ever: the call fails after a few, long before its time is up', async () => {
    const patient = await database.open({ ...way(), poolSize: 1 });
    const other = new TypeOrmSessionBackend(patient, OPTIONS);
    await other.init();
    gate.loseAnswerTo(/SELECT/, Infinity);
    const began = performance.now();
    await expect(other.find(['a'])).rejects.toThrow(/Sessions in .*: /);
    expect(performance.now() - began).toBeLessThan(OPTIONS.timeout / 2);
    gate.loseAnswerTo(/SELECT/, 0);
    expect(await other.find(['a'])).toEqual([row('a')]);
  });
});
