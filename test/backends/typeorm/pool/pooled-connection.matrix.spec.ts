import { inspect } from 'node:util';
import type { DataSource } from 'typeorm';
import type { TypeOrmSessionBackendOptions } from '../../../../src/backends/typeorm/typeorm-session-backend-options.js';
import { TypeOrmSessionBackend } from '../../../../src/backends/typeorm/typeorm-session-backend.js';
import { SessionOptionsError } from '../../../../src/core/session-errors.js';
import { inserting, NOW, row, store } from '../../../../src/testing/backend-contract/contract-rule.js';
import {
  onEachDatabase,
  openDatabase,
  SERVERS,
  SERVER_KINDS,
  type TestDatabase,
} from '../../../support/databases.js';
import { TcpGate } from '../../../support/tcp-gate.js';
import { OPTIONS } from '../support/open-backend.js';

const EVICT = { max: 5, onLimit: 'evict' } as const;
/** Milliseconds that a busy machine may add to a timeout. */
const SLACK = 10_000;
/** Milliseconds that a call of these specs may take. */
const TIMEOUT = 2_000;
const USE = { lastActiveAt: NOW + 1, expiresAt: NOW + 9, now: NOW };

onEachDatabase('a TypeOrmSessionBackend with a pool', SERVER_KINDS, (kind) => {
  let database: TestDatabase;
  let admin: DataSource;
  const backends: TypeOrmSessionBackend[] = [];

  beforeAll(async () => {
    database = await openDatabase(kind);
    admin = await database.open();
  });
  afterEach(async () => {
    for (const backend of backends.splice(0)) await backend.close();
    await admin.query('DROP TABLE IF EXISTS sessions');
  });
  afterAll(() => database.drop());

  /** A backend with a pool of its own, ready. */
  async function open(
    more: object = {},
    options: Partial<TypeOrmSessionBackendOptions> = {},
  ): Promise<TypeOrmSessionBackend> {
    const backend = new TypeOrmSessionBackend({ ...database.options(), ...more }, { ...OPTIONS, ...options });
    backends.push(backend);
    await backend.init();
    return backend;
  }

  /** Statements of others that run on the database, waiting for locks included. */
  const running = async (): Promise<string[]> => {
    const rows: Array<{ query: string }> = await admin.query(
      kind === 'postgres'
        ? "SELECT query FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND state = 'active'"
        : "SELECT info AS query FROM information_schema.processlist WHERE db = DATABASE() AND id <> connection_id() AND command = 'Query'",
    );
    return rows.map(({ query }) => query);
  };

  /** Waits until no statement runs, for half a minute at most; those that do. */
  const stillRunning = async (): Promise<string[]> => {
    for (let attempt = 0; attempt < 600 && (await running()).length > 0; attempt++)
      await new Promise((resolve) => setTimeout(resolve, 50));
    return running();
  };

  /** Milliseconds until it rejects, and with what. */
  const rejection = async (call: Promise<unknown>): Promise<{ took: number; message: string }> => {
    const began = performance.now();
    const message = await call.then(
      () => 'fulfilled',
      (error: unknown) => (error instanceof Error ? error.message : String(error)),
    );
    return { took: performance.now() - began, message };
  };

  it('gives a statement that hangs up within the timeout, here and at the server, and goes on', async () => {
    const backend = await open({ poolSize: 1 }, { timeout: TIMEOUT });
    await store(backend, row('a'));
    const blocker = admin.createQueryRunner();
    await blocker.startTransaction();
    await blocker.query("UPDATE sessions SET version = 7 WHERE id = 'a'");
    for (const call of [
      () => backend.touch([{ id: 'a', ...USE }]),
      () => backend.delete({ userId: 'ada' }),
    ]) {
      const { took, message } = await rejection(call());
      expect(message).toMatch(/Sessions in (PostgreSQL|MySQL) database 'nest_sessions_\w+' at .*:\d+: /);
      expect(took).toBeLessThan(TIMEOUT + SLACK);
      expect(await stillRunning()).toEqual([]);
      expect((await backend.find(['a']))[0]?.version).toBe(1);
    }
    await blocker.rollbackTransaction();
    await blocker.release();
    expect(await backend.find(['a'])).toEqual([row('a')]);
    expect(await backend.touch([{ id: 'a', ...USE }])).toEqual([true]);
  });

  it('waits no longer for the lock of a user, whoever holds it, nor makes other users wait', async () => {
    const [one, other] = [await open({ poolSize: 2 }, { timeout: TIMEOUT }), await open({ poolSize: 2 })];
    await store(one, row('a'));
    const blocker = admin.createQueryRunner();
    await blocker.startTransaction();
    await blocker.query("UPDATE sessions SET version = 7 WHERE id = 'a'");
    const evicting = { max: 1, onLimit: 'evict' } as const;
    const first = rejection(other.insert(inserting(row('b'), { limit: evicting })));
    const refused = Array.from({ length: 5 }, (_, index) =>
      rejection(one.insert(inserting(row(`c${index}`), { limit: evicting }))),
    );
    const bob = await one.insert(inserting(row('d', { userId: 'bob' }), { limit: evicting }));
    expect(bob.status).toBe('inserted');
    for (const { took, message } of await Promise.all(refused)) {
      expect(message).toMatch(/no success within 1800 ms|statement timeout|lock of the user/);
      expect(took).toBeLessThan(TIMEOUT + SLACK);
    }
    await blocker.rollbackTransaction();
    await blocker.release();
    expect((await first).message).toBe('fulfilled');
    expect((await one.find(['a', 'b', 'c0'])).map((each) => each?.id)).toEqual([undefined, 'b', undefined]);
  });

  it('gives up within the timeout when the pool is exhausted, and takes its turn when it is not', async () => {
    const app = await database.open({ poolSize: 1 });
    const backend = new TypeOrmSessionBackend(app, { ...OPTIONS, timeout: TIMEOUT });
    await backend.init();
    const holder = app.createQueryRunner();
    await holder.connect();
    const calls = Array.from({ length: 5 }, () => rejection(backend.find(['a'])));
    for (const { took, message } of await Promise.all(calls)) {
      expect(message).toContain('no connection of the pool became free');
      expect(took).toBeLessThan(TIMEOUT + SLACK);
    }
    await holder.release();
    expect(await Promise.all(Array.from({ length: 20 }, () => backend.find(['a'])))).toHaveLength(20);
    await app.destroy();
  });

  it('gives up within the timeout when nothing comes through any more, and recovers when it does', async () => {
    const gate = new TcpGate(SERVERS[kind]);
    await gate.open();
    const backend = await open({ host: '127.0.0.1', port: gate.port, poolSize: 2 }, { timeout: TIMEOUT });
    await store(backend, row('a'));
    gate.stick();
    for (let round = 0; round < 3; round++) {
      const { took, message } = await rejection(backend.find(['a']));
      expect(message).toContain('no success within 1800 ms');
      expect(took).toBeLessThan(TIMEOUT + SLACK);
    }
    gate.unstick();
    await gate.shut();
    await gate.open();
    expect(await backend.find(['a'])).toEqual([row('a')]);
    await backend.close();
    await gate.shut();
  });

  it('takes no part in a transaction of the app on the same data source', async () => {
    const backend = new TypeOrmSessionBackend(admin, OPTIONS);
    await backend.init();
    await store(backend, row('a'));
    await admin.query('CREATE TABLE IF NOT EXISTS notes (id int)');
    const failing = admin.transaction(async (manager) => {
      await manager.query('INSERT INTO notes VALUES (1)');
      await store(backend, row('b'));
      await backend.delete({ ids: ['a'] });
      throw new Error('the app changed its mind');
    });
    await expect(failing).rejects.toThrow('the app changed its mind');
    expect(await backend.find(['a', 'b'])).toEqual([null, row('b')]);
    expect(await admin.query('SELECT id FROM notes')).toEqual([]);
  });

  it.each(['SERIALIZABLE', 'REPEATABLE READ', 'READ COMMITTED'])(
    'never exceeds the limit, whatever the default isolation is: %s',
    async (level) => {
      const pools = [await database.open(), await database.open()];
      for (const pool of pools) await setDefaultIsolation(pool, level);
      const both = pools.map((pool) => new TypeOrmSessionBackend(pool, OPTIONS));
      for (const each of both) await each.init();
      const watch = { isOver: false };
      let most = 0;
      const watching = (async () => {
        while (!watch.isOver) {
          const rows: Array<{ count: string }> = await admin.query('SELECT count(*) AS count FROM sessions');
          most = Math.max(most, Number(rows[0]?.count));
        }
      })();
      const signIns = Array.from({ length: 48 }, (_, index) =>
        replica(both, index).insert(
          inserting(row(`s${index}`, { lastActiveAt: NOW + index }), { limit: EVICT }),
        ),
      );
      const results = await Promise.all(signIns).finally(() => (watch.isOver = true));
      await watching;
      expect(new Set(results.map(({ status }) => status))).toEqual(new Set(['inserted']));
      expect(most).toBe(5);
      const touches = Array.from({ length: 20 }, (_, index) =>
        replica(both, index).touch([{ ...USE, id: 's47', lastActiveAt: NOW + 100 + index }]),
      );
      expect(new Set((await Promise.all(touches)).flat())).toEqual(new Set([true]));
    },
  );

  it('survives sign-ins, revocations of all, touches and clean-ups of one user at once', async () => {
    const both = [await open(), await open()];
    const failures: unknown[] = [];
    const turn = async (index: number): Promise<void> => {
      const backend = replica(both, index);
      const id = `s${index}`;
      await backend.insert(inserting(row(id, { userId: `u${index % 2}` }), { limit: EVICT }));
      await backend.touch([
        { id, ...USE },
        { id: `s${index - 1}`, ...USE },
      ]);
      if (index % 5 === 0) await backend.delete({ userId: `u${index % 2}` });
      if (index % 7 === 0) await backend.delete({ ids: [id, `s${index - 2}`, `s${index - 3}`] });
      if (index % 3 === 0) await backend.prune({ now: NOW + 5, cursor: null, batchSize: 50 });
    };
    await Promise.all(
      Array.from({ length: 200 }, (_, index) => turn(index).catch((error: unknown) => failures.push(error))),
    );
    expect(failures).toEqual([]);
    for (const userId of ['u0', 'u1']) {
      const left = await replica(both, 0).list({ userId, now: NOW, orderBy: 'createdAt', limit: null });
      expect(left.length).toBeLessThanOrEqual(5);
    }
  });

  it('says what the database said, and never a value that was bound', async () => {
    const backend = await open();
    const secret = row('x'.repeat(2_000), { payload: Buffer.from('the sealed payload'), userId: 'ada-4711' });
    const error: unknown = await backend.insert(inserting(secret)).catch((thrown: unknown) => thrown);
    expect(String(error)).toMatch(/22001: value too long|ER_DATA_TOO_LONG: Data too long/);
    const shown = inspect(error, { depth: null, showHidden: true });
    for (const hidden of ['xxxxx', 'ada-4711', 'sealed', secret.payload.toString('hex')])
      expect(shown).not.toContain(hidden);
    expect(await backend.find(['a'])).toEqual([null]);
  });

  it('counts a touch of a row that already says so, with the flags of the driver', async () => {
    const backend = await open();
    await store(backend, row('a', { ...USE }));
    expect(await backend.touch([{ id: 'a', ...USE }])).toEqual([true]);
    if (kind === 'mariadb') {
      const mistaken = open({ flags: ['-FOUND_ROWS'] });
      await expect(mistaken).rejects.toThrow(SessionOptionsError);
      await expect(mistaken).rejects.toThrow('expected the flag FOUND_ROWS');
    }
  });

  it('keeps ids apart byte for byte whatever the character set of the connection', async () => {
    const backend = await open(kind === 'mariadb' ? { charset: 'latin1_swedish_ci' } : {});
    const ids = ['Bob', 'bob', 'bob ', 'böb', 'bo\u0308b', '\u{1F9C1}', '日本'];
    await store(backend, ...ids.map((id) => row(id, { userId: id })));
    expect(await backend.find(ids)).toEqual(ids.map((id) => row(id, { userId: id })));
    expect(await backend.delete({ userId: 'bob' })).toMatchObject([{ id: 'bob', userId: 'bob' }]);
  });
});

/** One of the backends, by turns. */
function replica(backends: readonly TypeOrmSessionBackend[], index: number): TypeOrmSessionBackend {
  const backend = backends[index % backends.length];
  if (!backend) throw new RangeError('There are no backends');
  return backend;
}

/** Sets the default isolation of every connection that the pool will make. */
async function setDefaultIsolation(pool: DataSource, level: string): Promise<void> {
  const isPostgres = pool.options.type === 'postgres';
  const statement = isPostgres
    ? `SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL ${level}`
    : `SET SESSION TRANSACTION ISOLATION LEVEL ${level}`;
  const runners = Array.from({ length: 5 }, () => pool.createQueryRunner());
  await Promise.all(runners.map((runner) => runner.query(statement)));
  await Promise.all(runners.map((runner) => runner.release()));
}
