import { setTimeout as sleep } from 'node:timers/promises';
import { DataSource, type DataSourceOptions } from 'typeorm';
import { TypeOrmSessionBackend } from '../../../../src/backends/typeorm/typeorm-session-backend.js';
import { inserting, NOW, row, store } from '../../../../src/testing/backend-contract/contract-rule.js';
import { evict } from '../../../../src/testing/backend-contract/limit-fixtures.js';
import { onEachOwnServer, OwnServer } from '../../../support/own-server.js';
import { OPTIONS } from '../support/open-backend.js';

const USE = { lastActiveAt: NOW + 1, expiresAt: NOW + 9, now: NOW };

onEachOwnServer('limits of the server', (kind) => {
  let server: OwnServer;
  let admin: DataSource;
  let app: DataSource;
  let backend: TypeOrmSessionBackend;
  let errors: string[];

  beforeAll(async () => {
    server = await OwnServer.make(kind);
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

  it('on connections: a pool of our own waits until there is one, and gives up in time', async () => {
    await open(LIMITS[kind].connections);
    await app.destroy();
    const others = await Promise.all(
      Array.from({ length: LIMITS[kind].most }, () =>
        new DataSource({ ...options(), poolSize: 1 } as never).initialize(),
      ),
    );
    const own = new TypeOrmSessionBackend(options(), OPTIONS);
    const hasty = new TypeOrmSessionBackend(options(), { ...OPTIONS, timeout: 1_000 });
    const found = own.find(['a']);
    await expect(hasty.find(['a'])).rejects.toThrow(LIMITS[kind].connectionsMessage);
    await others.pop()?.destroy();
    expect(await found).toEqual([row('a')]);
    for (const each of others) await each.destroy();
    await own.close();
    await hasty.close();
    app = await new DataSource(server.options()).initialize(); // to be closed
  });
});

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
    connections: ['ALTER USER app CONNECTION LIMIT 5'],
    connectionsMessage: /53300: too many connections/,
    most: 5,
  },
  mariadb: {
    user: ["CREATE USER app@'%'", "GRANT ALL ON sessions_test.* TO app@'%'"],
    none: [
      'SET GLOBAL max_statement_time = 0',
      'SET GLOBAL innodb_lock_wait_timeout = 50',
      'SET GLOBAL max_connections = 100',
    ],
    statement: ['SET GLOBAL max_statement_time = 0.15'],
    statementMessage: /1969: Query execution was interrupted/,
    lock: ['SET GLOBAL innodb_lock_wait_timeout = 1'],
    lockMessage: /ER_LOCK_WAIT_TIMEOUT/,
    connections: ['SET GLOBAL max_connections = 10'],
    connectionsMessage: /ER_CON_COUNT_ERROR/,
    most: 9, // and the administrator
  },
} as const;
