import { TypeOrmModule } from '@nestjs/typeorm';
import { SessionModule, type SessionOptions, type SessionSettings, SessionStore } from 'nest-sessions';
import { DataSource, type DataSourceOptions } from 'typeorm';
import {
  onEachDatabase,
  openDatabase,
  SERVERS,
  SERVER_KINDS,
  type TestDatabase,
} from './support/databases.js';
import { closeApps, http, KEY, logIn, startApp } from './support/nest-app.js';
import { TcpGate } from './support/tcp-gate.js';

onEachDatabase('the `dataSource` option', SERVER_KINDS, (kind) => {
  let database: TestDatabase;
  let watcher: DataSource;

  beforeEach(async () => {
    database = await openDatabase(kind);
    watcher = await database.open({ poolSize: 1 });
  });
  afterEach(async () => {
    await closeApps();
    await database.drop();
  });

  /** TypeORM and sessions on that database. */
  const onApp = (options: Partial<SessionOptions> = {}, more: object = {}) => [
    TypeOrmModule.forRoot({ ...database.options(), retryAttempts: 0, ...more }),
    SessionModule.forRoot({ key: KEY, ...options }),
  ];

  const tables = async (): Promise<string[]> => {
    const rows: Array<{ name: string }> = await watcher.query(
      'SELECT table_name AS name FROM information_schema.tables ' +
        `WHERE table_schema = ${kind === 'postgres' ? "'public'" : 'DATABASE()'} ORDER BY table_name`,
    );
    return rows.map(({ name }) => name);
  };

  /** Connections to the database beside the one that asks. */
  const connections = async (): Promise<number> => {
    const [row]: Array<{ count: string }> = await watcher.query(
      kind === 'postgres'
        ? 'SELECT count(*) AS count FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()'
        : 'SELECT count(*) AS count FROM information_schema.processlist WHERE db = DATABASE() AND id <> connection_id()',
    );
    return Number(row?.count);
  };

  it("is not needed: sessions are in the app's database", async () => {
    const app = await startApp({ imports: onApp() });
    const cookie = await logIn(app, 'ada');
    const { body } = await http(app).get('/theme').set('Cookie', cookie);
    expect(body).toEqual({ theme: null, userId: 'ada' });
    expect(await tables()).toEqual(['sessions']);
  });

  it('as a name takes that data source', async () => {
    const app = await startApp({
      imports: [
        TypeOrmModule.forRoot({ ...database.options(), name: 'web', retryAttempts: 0 }),
        SessionModule.forRoot({ key: KEY, dataSource: 'web', tableName: 'web_sessions' }),
      ],
    });
    await logIn(app, 'ada');
    expect(await tables()).toEqual(['web_sessions']);
  });

  it('as options makes a pool of its own, in an app without TypeOrmModule, that ends with the app', async () => {
    const app = await startApp({
      imports: [SessionModule.forRoot({ key: KEY, dataSource: database.options() })],
    });
    const cookie = await logIn(app, 'ada');
    const { body } = await http(app).get('/theme').set('Cookie', cookie);
    expect(body).toEqual({ theme: null, userId: 'ada' });
    expect(await connections()).toBeGreaterThan(0);
    await app.close();
    expect(await eventuallyZero(connections)).toBe(0);
  });

  it('as options that a factory returns is the same pool of its own', async () => {
    const useFactory = (): SessionSettings => ({ key: KEY, dataSource: database.options() });
    const app = await startApp({ imports: [SessionModule.forRootAsync({ useFactory })] });
    const cookie = await logIn(app, 'ada');
    const { body } = await http(app).get('/theme').set('Cookie', cookie);
    expect(body).toEqual({ theme: null, userId: 'ada' });
    await app.close();
    expect(await eventuallyZero(connections)).toBe(0);
  });

  it('as options takes nothing over that would act on tables', async () => {
    const safe = await startApp({
      imports: [SessionModule.forRoot({ key: KEY, dataSource: database.options() })],
    });
    const cookie = await logIn(safe, 'ada');
    await safe.close();
    await watcher.query('CREATE TABLE notes (id int)');
    const dangerous = {
      ...database.options(),
      name: 'default',
      dropSchema: true,
      synchronize: true,
      migrationsRun: true,
      entityPrefix: 'app_',
      cache: true,
      entities: ['/nowhere/*.entity.js'],
      migrations: ['/nowhere/*.migration.js'],
    } as DataSourceOptions;
    const app = await startApp({ imports: [SessionModule.forRoot({ key: KEY, dataSource: dangerous })] });
    const { body } = await http(app).get('/theme').set('Cookie', cookie);
    expect(body).toEqual({ theme: null, userId: 'ada' });
    expect(await tables()).toEqual(['notes', 'sessions']);
  });

  it('keeps two apps of one database apart by `tableName`', async () => {
    const one = await startApp({ imports: onApp() });
    const other = await startApp({ imports: onApp({ tableName: 'other_sessions', maxPerUser: 1 }) });
    const cookie = await logIn(one, 'ada');
    await logIn(other, 'ada');
    await logIn(other, 'ada');
    expect((await http(other).get('/theme').set('Cookie', cookie)).body).toEqual({
      theme: null,
      userId: null,
    });
    expect(await other.get(SessionStore).destroyAllForUser('ada')).toBe(1);
    expect((await http(one).get('/theme').set('Cookie', cookie)).body).toEqual({
      theme: null,
      userId: 'ada',
    });
  });

  it('as options starts the app though the server is down, with 503, and recovers by itself', async () => {
    const gate = new TcpGate(SERVERS[kind]);
    await gate.open();
    await gate.shut();
    const dataSource = { ...database.options(), host: '127.0.0.1', port: gate.port };
    const app = await startApp({ imports: [SessionModule.forRoot({ key: KEY, dataSource, timeout: '2s' })] });
    expect((await http(app).post('/login').send({ user: 'ada' })).status).toBe(503);
    expect((await http(app).get('/theme')).status).toBe(200);
    await gate.open();
    const cookie = await logIn(app, 'ada');
    await gate.shut();
    const refused = await http(app).get('/theme').set('Cookie', cookie);
    expect([refused.status, refused.get('Set-Cookie')]).toEqual([503, undefined]);
    await gate.open();
    expect((await http(app).get('/theme').set('Cookie', cookie)).body).toEqual({
      theme: null,
      userId: 'ada',
    });
    await app.close();
    await gate.shut();
  });

  it('lets ten transactions of the app, of a pool of ten, each await a call of a pool of its own', async () => {
    const app = await startApp({ imports: onApp({ dataSource: database.options() }, { poolSize: 10 }) });
    const store = app.get(SessionStore);
    const results = await Promise.all(
      Array.from({ length: 10 }, (_, index) =>
        app.get(DataSource).transaction(async (manager) => {
          await manager.query('SELECT 1');
          return (await store.create({}, `user ${index}`)).session.userId;
        }),
      ),
    );
    expect(new Set(results).size).toBe(10);
  });

  it('lets ten transactions of the app end though each awaits a call of the same pool of ten', async () => {
    const app = await startApp({ imports: onApp({ timeout: '3s' }, { poolSize: 10 }) });
    const store = app.get(SessionStore);
    const began = performance.now();
    const results = await Promise.allSettled(
      Array.from({ length: 10 }, (_, index) =>
        app.get(DataSource).transaction(async (manager) => {
          await manager.query('SELECT 1');
          return store.create({}, `user ${index}`);
        }),
      ),
    );
    expect(performance.now() - began).toBeLessThan(20_000);
    const messages = results.flatMap((each) => (each.status === 'rejected' ? [String(each.reason)] : []));
    for (const message of messages) expect(message).toContain('no success within 2700 ms');
    expect((await store.create({}, 'ada')).session.userId).toBe('ada');
  });
});

/** The count when it has come down to zero, or after half a minute. */
async function eventuallyZero(count: () => Promise<number>): Promise<number> {
  for (let attempt = 0; attempt < 600; attempt++) {
    if ((await count()) === 0) return 0;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return count();
}
