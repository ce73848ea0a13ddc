import { setTimeout as sleep } from 'node:timers/promises';
import { DataSource, type DataSourceOptions } from 'typeorm';
import { TypeOrmSessionBackend } from '../../../../src/backends/typeorm/typeorm-session-backend.js';
import { inserting, NOW, row, store } from '../../../../src/testing/backend-contract/contract-rule.js';
import { evict } from '../../../../src/testing/backend-contract/limit-fixtures.js';
import { onEachOwnServer, OwnServer, withOwnServer } from '../../../support/own-server.js';
import { OPTIONS } from '../support/open-backend.js';

const USE = { lastActiveAt: NOW + 1, expiresAt: NOW + 9, now: NOW };

/** A number of connections that the server has for an app, or for all. */
interface ConnectionLimit {
  readonly name: string;
  readonly limits: readonly string[];
  readonly message: RegExp;
  readonly most: number;
}

const LIMITS = {
  postgres: {
    user: [
      'CREATE USER app',
      'ALTER DATABASE sessions_test OWNER TO app',
      'GRANT ALL ON SCHEMA public TO app',
    ],
    none: ['ALTER USER app RESET ALL', 'ALTER USER app CONNECTION LIMIT -1'],
    statement: ["ALTER USER app SET statement_timeout = '150ms'"],
    statementMessage: /canceling statement due to statement timeout/,
    lock: ["ALTER USER app SET lock_timeout = '150ms'"],
    lockMessage: /canceling statement due to lock timeout/,
    connections: [
      {
        name: 'of a user (53300)',
        limits: ['ALTER USER app CONNECTION LIMIT 5'],
        message: /53300: too many connections/,
        most: 5,
      },
    ],
    rest: [],
    restTimeout: 500, // the server waits twice as long
  },
  mariadb: {
    user: ["CREATE USER app@'%'", "GRANT ALL ON sessions_test.* TO app@'%'"],
    none: [
      'SET GLOBAL max_statement_time = 0',
      'SET GLOBAL innodb_lock_wait_timeout = 50',
      'SET GLOBAL max_connections = 100',
      'SET GLOBAL max_user_connections = 50',
      "ALTER USER app@'%' WITH MAX_USER_CONNECTIONS 0",
      'SET GLOBAL idle_transaction_timeout = 0',
    ],
    statement: ['SET GLOBAL max_statement_time = 0.15'],
    statementMessage: /1969: Query execution was interrupted/,
    lock: ['SET GLOBAL innodb_lock_wait_timeout = 1'],
    lockMessage: /ER_LOCK_WAIT_TIMEOUT/,
    connections: [
      {
        name: 'of all (1040)',
        limits: ['SET GLOBAL max_connections = 10'],
        message: /ER_CON_COUNT_ERROR/,
        most: 9, // and the administrator
      },
      {
        name: 'of each user (1203)',
        limits: ['SET GLOBAL max_user_connections = 5'],
        message: /ER_TOO_MANY_USER_CONNECTIONS/,
        most: 5,
      },
      {
        name: 'of an account (1226)',
        limits: ["ALTER USER app@'%' WITH MAX_USER_CONNECTIONS 5"],
        message: /no success within 900 ms.*ER_USER_LIMIT_REACHED/,
        most: 5,
      },
    ],
    rest: ['SET GLOBAL idle_transaction_timeout = 1'],
    restTimeout: 5_000,
  },
} as const satisfies Record<'postgres' | 'mariadb', object>;

onEachOwnServer('limits of the server', (kind) => {
  let server: OwnServer;
  let admin: DataSource;
  let app: DataSource;
  let backend: TypeOrmSessionBackend;
  let errors: string[];

  beforeAll(async () => {
    server = await OwnServer.make(kind, kind === 'mariadb' ? ['--max-user-connections=50'] : []);
    admin = await new DataSource(server.options()).initialize();
    for (const sql of LIMITS[kind].user) await admin.query(sql);
  });
  afterAll(async () => {
    await admin.destroy();
    await server.remove();
  });

  const options = (): DataSourceOptions => ({ ...server.options(), username: 'app' }) as DataSourceOptions;

  /** Opens the backend of a server with these limits. */
  async function open(limits: readonly string[]): Promise<void> {
    for (const sql of limits) await admin.query(sql);
    errors = [];
    const none = () => undefined;
    const logger = {
      logQuery: none,
      logQuerySlow: none,
      logSchemaBuild: none,
      logMigration: none,
      log: none,
    };
    const logQueryError = (error: string | Error) => errors.push(String(error));
    app = await new DataSource({
      ...options(),
      logging: true,
      logger: { ...logger, logQueryError },
    }).initialize();
    backend = new TypeOrmSessionBackend(app, OPTIONS);
    await backend.init();
    await store(backend, row('a'));
  }

  afterEach(async () => {
    await app.destroy();
    for (const sql of LIMITS[kind].none) await admin.query(sql);
    await admin.query('DELETE FROM sessions');
  });

  /** Holds a lock while a call waits for it, until the server has made it give up twice. */
  async function heldUp<T>(lock: string, message: RegExp, call: () => Promise<T>): Promise<T> {
    const holder = admin.createQueryRunner();
    await holder.query(kind === 'postgres' ? 'BEGIN' : 'SET autocommit = 0');
    await holder.query(lock);
    const result = call();
    result.catch(() => undefined); // until it is looked at
    const refusals = (): number => errors.filter((error) => message.test(error)).length;
    for (const end = performance.now() + 10_000; refusals() < 2 && performance.now() < end;) await sleep(20);
    await holder.query('COMMIT');
    if (kind === 'mariadb') await holder.query('UNLOCK TABLES');
    if (kind === 'mariadb') await holder.query('SET autocommit = 1');
    await holder.release();
    expect(refusals()).toBeGreaterThanOrEqual(2);
    return result;
  }

  const rowLock = "SELECT id FROM sessions WHERE id = 'a' FOR UPDATE";
  const CALLS: readonly [string, () => Promise<unknown>, unknown][] = [
    ['a touch', () => backend.touch([{ id: 'a', ...USE }]), [true]],
    [
      'a sign-in that ends another session',
      () => backend.insert(inserting(row('b'), { limit: evict(1) })),
      { status: 'inserted' },
    ],
    ['a logout', () => backend.delete({ ids: ['a'] }), [{ id: 'a' }]],
  ];

  // On PostgreSQL a transaction, as a sign-in is, sets the time of its statements itself.
  const TIMED = CALLS.filter(([name]) => kind === 'mariadb' || !name.startsWith('a sign-in'));

  it.each(TIMED)('on the time of a statement: %s is tried again, and done', async (_name, call, expected) => {
    await open(LIMITS[kind].statement);
    expect(await heldUp(rowLock, LIMITS[kind].statementMessage, call)).toMatchObject(expected as object);
  });

  it.each(CALLS)('on the wait for a lock: %s is tried again, and done', async (_name, call, expected) => {
    await open(LIMITS[kind].lock);
    expect(await heldUp(rowLock, LIMITS[kind].lockMessage, call)).toMatchObject(expected as object);
  });

  it('on the time of a statement: a read is tried again, and done', async () => {
    await open(LIMITS[kind].statement);
    const lock =
      kind === 'postgres' ? 'LOCK TABLE sessions IN ACCESS EXCLUSIVE MODE' : 'LOCK TABLES sessions WRITE';
    expect(await heldUp(lock, LIMITS[kind].statementMessage, () => backend.find(['a']))).toEqual([row('a')]);
  });

  it.each<ConnectionLimit>(LIMITS[kind].connections)(
    'on connections $name: a pool of our own waits until there is one, and gives up in time',
    async ({ limits, message, most }) => {
      await open(limits);
      await app.destroy();
      const others = await Promise.all(
        Array.from({ length: most }, () =>
          new DataSource({ ...options(), poolSize: 1 } as never).initialize(),
        ),
      );
      const own = new TypeOrmSessionBackend(options(), OPTIONS);
      const hasty = new TypeOrmSessionBackend(options(), { ...OPTIONS, timeout: 1_000 });
      const found = own.find(['a']);
      await expect(hasty.find(['a'])).rejects.toThrow(message);
      await others.pop()?.destroy();
      expect(await found).toEqual([row('a')]);
      for (const each of others) await each.destroy();
      await own.close();
      await hasty.close();
      app = await new DataSource(server.options()).initialize(); // to be closed
    },
  );

  it('on a transaction that rests: its connection is given up, and what it was for is not done by halves', async () => {
    await open(LIMITS[kind].rest);
    const hasty = new TypeOrmSessionBackend(options(), { ...OPTIONS, timeout: LIMITS[kind].restTimeout });
    await hasty.init();
    let built = 0;
    const build = () => {
      if (built++ === 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1_500); // the process stands still
      return row('b');
    };
    const result = await hasty.insert({ ...inserting(row('b')), limit: evict(1), build }).then(
      ({ status }) => status,
      () => 'refused',
    );
    const others = await backend.list({ userId: 'ada', now: NOW, orderBy: 'createdAt', limit: null });
    expect(others.map(({ id }) => id)).toEqual([result === 'inserted' ? 'b' : 'a']);
    expect(await hasty.insert(inserting(row('c'), { limit: evict(1) }))).toMatchObject({
      status: 'inserted',
    });
    await hasty.close();
  });
});

withOwnServer('mariadb', () => {
  let server: OwnServer;
  let backend: TypeOrmSessionBackend;
  beforeAll(async () => {
    server = await OwnServer.make('mariadb');
  });
  afterAll(async () => {
    await backend.close();
    await server.remove();
  });

  it('a server that was started read-only, on mariadb: its connections are given up, and it has the sessions when it is no more', async () => {
    backend = new TypeOrmSessionBackend(server.options(), OPTIONS);
    await backend.init();
    await store(backend, row('a'));
    await server.restart(['--innodb-read-only']);
    await expect(backend.find(['a'])).rejects.toThrow(/read-only/);
    await expect(backend.touch([{ id: 'a', ...USE }])).rejects.toThrow(/ER_OPEN_AS_READONLY/);
    const before = await connections();
    expect(before).not.toEqual([]);
    await sleep(300); // until they are not new any more
    await expect(backend.touch([{ id: 'a', ...USE }])).rejects.toThrow(/ER_OPEN_AS_READONLY/);
    expect((await connections()).filter((id) => before.includes(id))).toEqual([]);
    await server.restart([]);
    expect(await backend.find(['a'])).toEqual([row('a')]);
    expect(await backend.touch([{ id: 'a', ...USE }])).toEqual([true]);
  });

  /** Those of the backend. */
  async function connections(): Promise<readonly string[]> {
    const admin = await new DataSource(server.options()).initialize();
    const rows: Array<{ id: string }> = await admin.query(
      'SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND id <> connection_id()',
    );
    await admin.destroy();
    return rows.map(({ id }) => id);
  }
});
