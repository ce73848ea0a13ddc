import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { getDataSourceToken, TypeOrmModule } from '@nestjs/typeorm';
import { existsSync, mkdirSync, renameSync, rmdirSync } from 'node:fs';
import { SessionModule, type SessionOptions, SessionStore } from 'nest-sessions';
import { ManualClock, MemorySessionBackend } from 'nest-sessions/testing';
import { DataSource } from 'typeorm';
import type { Touch } from '../src/core/session-backend.js';
import {
  closeApps,
  http,
  KEY,
  logIn,
  RecordingLogger,
  sessionImports,
  sqlite,
  startApp,
  temporaryFolder,
} from './support/nest-app.js';

const START = Date.UTC(2030, 0, 1);
const folder = temporaryFolder();

afterEach(closeApps);
afterAll(folder.remove);

/** Storage that answers a touch only when told to. */
class SlowBackend extends MemorySessionBackend {
  touches = 0;
  release: () => void = () => undefined;
  readonly #released = new Promise<void>((resolve) => (this.release = resolve));

  override async touch(touches: readonly Touch[]): Promise<readonly boolean[]> {
    this.touches++;
    await this.#released;
    return super.touch(touches);
  }
}

describe('when storage is down at startup', () => {
  const sessionsFile = folder.path('down.sessions.sqlite');
  const imports = () => [
    TypeOrmModule.forRoot(sqlite(folder.path('down.sqlite'))),
    SessionModule.forRoot({ key: KEY, timeout: '1s' }),
  ];

  it('the app starts, says so once, answers 503 to sessions alone, and recovers without a restart', async () => {
    const healthy = await startApp({ imports: imports() });
    const cookie = await logIn(healthy, 'ada');
    await healthy.close();

    const elsewhere = folder.path('elsewhere');
    renameSync(sessionsFile, elsewhere);
    mkdirSync(sessionsFile);
    const logger = new RecordingLogger();
    const app = await startApp({ imports: imports(), logger });
    expect(logger.lines).toEqual([
      expect.stringMatching(/^error Sessions: Session storage fails: .*get 503/),
    ]);

    await http(app).get('/theme').expect(200);
    const refused = await http(app).get('/theme').set('Cookie', cookie);
    expect(refused.status).toBe(503);
    expect(refused.get('Retry-After')).toBe('5');
    expect(refused.get('Set-Cookie')).toBeUndefined();
    expect(logger.lines).toHaveLength(1);

    rmdirSync(sessionsFile);
    renameSync(elsewhere, sessionsFile);
    const served = await http(app).get('/theme').set('Cookie', cookie);
    expect(served.body).toEqual({ theme: null, userId: 'ada' });
    expect(logger.about(/^warn .*works again/)).toHaveLength(1);
  });
});

describe('app.close()', () => {
  const later = async (options: Partial<SessionOptions>) => {
    const clock = new ManualClock(START);
    const logger = new RecordingLogger();
    const app = await startApp({
      imports: [SessionModule.forRoot({ key: KEY, clock, ...options })],
      logger,
    });
    const cookie = await logIn(app, 'ada');
    clock.advance('1h');
    return { app, clock, logger, cookie };
  };

  it('waits for writes in the background', async () => {
    const backend = new SlowBackend();
    const { app, cookie } = await later({ backend });
    await http(app).get('/theme').set('Cookie', cookie).expect(200);
    const order: string[] = [];
    const closing = app.close().then(() => order.push('closed'));
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(backend.touches).toBe(1);
    order.push('released');
    backend.release();
    await closing;
    expect(order).toEqual(['released', 'closed']);
  });

  it.each(['first', 'last'])(
    'loses none on a data source of the app that is imported %s',
    async (position) => {
      const clock = new ManualClock(START);
      const logger = new RecordingLogger();
      const database = folder.path(`background-${position}.sqlite`);
      const options = { key: KEY, clock, dataSource: 'sessions', maxPerUser: false as const };
      const imports = () => {
        const sessions = SessionModule.forRoot(options);
        const source = TypeOrmModule.forRoot({ ...sqlite(database), name: 'sessions' });
        const others = TypeOrmModule.forRoot(sqlite());
        return position === 'first' ? [source, sessions, others] : [others, sessions, source];
      };
      const app = await startApp({ imports: imports(), logger });
      const cookies = await Promise.all(Array.from({ length: 30 }, () => logIn(app, 'ada')));
      clock.advance('1h');
      await Promise.all(cookies.map((cookie) => http(app).get('/theme').set('Cookie', cookie)));
      await app.close();
      expect(logger.lines).toEqual([]);
      const again = await startApp({ imports: imports() });
      const sessions = await again.get(SessionStore).listForUser('ada');
      expect(sessions.map(({ lastActiveAt }) => lastActiveAt.getTime())).toEqual(
        cookies.map(() => START + 3_600_000),
      );
    },
  );

  it('closes the file that was opened for sessions', async () => {
    const log = folder.path('own.sessions.sqlite-wal');
    const app = await startApp({
      imports: [
        TypeOrmModule.forRoot(sqlite(folder.path('own.sqlite'))),
        SessionModule.forRoot({ key: KEY }),
      ],
    });
    await logIn(app, 'ada');
    expect(existsSync(log)).toBe(true);
    await app.close();
    expect(existsSync(log)).toBe(false);
  });

  it('leaves a data source of the app to the app', async () => {
    const source = await new DataSource({ type: 'sqlite', database: ':memory:' }).initialize();
    @Module({
      providers: [{ provide: getDataSourceToken('sessions'), useValue: source }],
      exports: [getDataSourceToken('sessions')],
    })
    class OwnDataSourceModule {}
    const app = await startApp({
      imports: [
        TypeOrmModule.forRoot(sqlite()),
        SessionModule.forRootAsync({
          imports: [OwnDataSourceModule],
          useFactory: () => ({ key: KEY }),
          dataSource: 'sessions',
        }),
      ],
    });
    await logIn(app, 'ada');
    await app.close();
    expect(source.isInitialized).toBe(true);
    expect(await source.query('SELECT user_id FROM sessions')).toEqual([{ user_id: 'ada' }]);
    await source.destroy();
  });

  it('can be called twice', async () => {
    const app = await startApp({ imports: sessionImports() });
    await app.close();
    await expect(app.close()).resolves.toBeUndefined();
  });
});

describe('an application without HTTP', () => {
  it('has the store', async () => {
    @Module({ imports: sessionImports() })
    class WorkerModule {}
    const worker = await NestFactory.createApplicationContext(WorkerModule, { logger: false });
    const store = worker.get(SessionStore);
    const { token } = await store.create({}, 'ada', { theme: 'dark' });
    expect(await store.readByToken(token)).toMatchObject({ userId: 'ada', data: { theme: 'dark' } });
    await worker.close();
  });
});

describe('the log at startup', () => {
  const linesFor = async (options: Omit<SessionOptions, 'backend'>) => {
    const logger = new RecordingLogger();
    await startApp({
      imports: [SessionModule.forRoot({ ...options, backend: MemorySessionBackend })],
      logger,
    });
    return logger.lines;
  };

  it('is silent when all is well', async () => {
    expect(await linesFor({ key: KEY, absoluteTtl: '30d', ttl: '30d' })).toEqual([]);
  });

  it('warns of plaintext', async () => {
    expect(await linesFor({ plaintext: true })).toEqual([
      expect.stringMatching(
        /^warn Sessions: Sessions are stored WITHOUT ENCRYPTION \(`plaintext`\), .*: a restart signs everybody out/,
      ),
    ]);
  });

  it.each([
    [{ absoluteTtl: '31d' }, 31],
    [{ remember: { absoluteTtl: '90d' } }, 90],
  ])('warns of %p, citing NIST', async (options, days) => {
    expect(await linesFor({ key: KEY, ...options })).toEqual([
      `warn Sessions: Sessions may last ${days} days without a new sign-in; NIST SP 800-63B-4 (section 2.1.3) ` +
        'recommends 30 days at most, even at AAL1',
    ]);
  });
});
