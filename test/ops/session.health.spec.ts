import { TypeOrmModule } from '@nestjs/typeorm';
import { mkdirSync, renameSync, rmdirSync } from 'node:fs';
import { SessionCleanup, SessionModule, SessionStore } from 'nest-sessions';
import { ManualClock, MemorySessionBackend } from 'nest-sessions/testing';
import type { KeyRing } from '../../src/core/key-ring.js';
import { resolveStoreOptions } from '../../src/core/session-options.js';
import {
  closeApps,
  http,
  KEY,
  logIn,
  OTHER_KEY,
  PLATFORMS,
  RecordingLogger,
  sessionImports,
  sqlite,
  startApp,
  temporaryFolder,
} from '../support/nest-app.js';
import { healthOf, onMemory, startWithHealth } from './support/health-app.js';

const START = Date.UTC(2030, 0, 1);
const folder = temporaryFolder();

/** Storage that does not answer when asked for the health, until it is let go. */
class HangingBackend extends MemorySessionBackend {
  #answer = (): void => undefined;
  readonly #isLetGo = new Promise<void>((resolve) => (this.#answer = resolve));

  override async keysInUse(): Promise<ReadonlySet<string>> {
    await this.#isLetGo;
    return super.keysInUse();
  }

  letGo(): void {
    this.#answer();
  }
}

afterEach(closeApps);
afterAll(folder.remove);

describe.each(PLATFORMS)('SessionHealthIndicator in a controller of Terminus on %s', (platform) => {
  it('is up, with latency and last clean-up', async () => {
    const app = await startWithHealth({ platform, imports: sessionImports() });
    const fresh = await healthOf(app);
    expect(fresh.status).toBe(200);
    expect(fresh.sessions).toEqual({ status: 'up', latencyMs: expect.any(Number), lastCleanup: null });
    await app.get(SessionCleanup).run();
    expect((await healthOf(app)).sessions).toEqual({
      status: 'up',
      latencyMs: expect.any(Number),
      lastCleanup: { at: expect.stringMatching(/^\d{4}-\d\d-\d\dT/), deleted: 0 },
    });
  });

  it('is down while the database cannot be reached, and up again without a restart', async () => {
    const file = folder.path(`${platform}.sessions.sqlite`);
    const app = await startWithHealth({
      platform,
      imports: [
        TypeOrmModule.forRoot(sqlite(folder.path(`${platform}.sqlite`))),
        SessionModule.forRoot({ key: KEY }),
      ],
    });
    renameSync(file, `${file}.away`);
    mkdirSync(file);
    const begun = performance.now();
    const { status, sessions, text } = await healthOf(app);
    expect(performance.now() - begun).toBeLessThan(30_000);
    expect(status).toBe(503);
    expect(sessions).toEqual({
      status: 'down',
      problems: [expect.stringMatching(/^(unreachable|timeout)$/)],
    });
    expect(text).not.toContain(file);
    rmdirSync(file);
    renameSync(`${file}.away`, file);
    expect((await healthOf(app)).status).toBe(200);
  });
});

describe('SessionHealthIndicator is down', () => {
  it('within the timeout when the database does not answer', async () => {
    const backend = new HangingBackend();
    const app = await startWithHealth({ imports: onMemory({ backend, timeout: '1h' }) });
    const begun = performance.now();
    const { status, sessions } = await healthOf(app);
    expect(performance.now() - begun).toBeLessThan(30_000);
    expect(status).toBe(503);
    expect(sessions).toEqual({ status: 'down', problems: ['timeout'] });
    backend.letGo(); // or its timer would keep the process alive for an hour
  });

  it('while genuine tokens are refused for want of the key of their payload, and five minutes longer', async () => {
    const clock = new ManualClock(START);
    const backend = new MemorySessionBackend();
    const one = await startApp({ imports: onMemory({ key: KEY, backend, clock }) });
    const cookie = await logIn(one, 'ada');
    // A replica that was given its new key first, before all of them had it.
    const ahead = await startApp({ imports: onMemory({ key: [OTHER_KEY, KEY], backend, clock }) });
    await http(ahead).post('/theme').set('Cookie', cookie).send({ theme: 'dark' }).expect(201);
    const app = await startWithHealth({ imports: onMemory({ key: KEY, backend, clock }) });
    expect((await healthOf(app)).status).toBe(200);
    expect((await http(app).get('/theme').set('Cookie', cookie)).status).toBe(503);
    expect(await healthOf(app)).toMatchObject({
      status: 503,
      sessions: { status: 'down', problems: ['unknown-key'] },
    });
    clock.advance('5m');
    expect((await healthOf(app)).status).toBe(200);
  });

  it('when the ring does not open what it seals', async () => {
    // As on a machine whose memory or cipher is at fault: every sealed payload has one bit that is wrong.
    const resolved = resolveStoreOptions({ key: KEY });
    const sound = resolved.ring;
    const ring = Object.create(sound, {
      seal: {
        value: (...args: Parameters<KeyRing['seal']>) => {
          const { payload, keyId } = sound.seal(...args);
          payload.writeUInt8(payload.readUInt8(payload.length - 1) ^ 1, payload.length - 1);
          return { payload, keyId };
        },
      },
    }) as KeyRing;
    const store = new SessionStore(new MemorySessionBackend(), { ...resolved, ring });
    const app = await startWithHealth({
      imports: onMemory(),
      build: (builder) => builder.overrideProvider(SessionStore).useValue(store),
    });
    expect(await healthOf(app)).toMatchObject({
      status: 503,
      sessions: { status: 'down', problems: ['sealing'] },
    });
  });

  it('when clean-up is overdue, until one goes through', async () => {
    const clock = new ManualClock(START);
    const app = await startWithHealth({ imports: onMemory({ clock, cleanup: { cron: '0 * * * *' } }) });
    clock.advance('179m');
    expect((await healthOf(app)).status).toBe(200);
    clock.advance('1m');
    expect(await healthOf(app)).toMatchObject({
      status: 503,
      sessions: { status: 'down', problems: ['cleanup-overdue'] },
    });
    await app.get(SessionCleanup).run();
    expect((await healthOf(app)).status).toBe(200);
    clock.advance('3h');
    expect((await healthOf(app)).status).toBe(503);
  });

  it('for several reasons at once', async () => {
    const clock = new ManualClock(START);
    const backend = new MemorySessionBackend();
    const ahead = await startApp({ imports: onMemory({ key: [OTHER_KEY, KEY], backend, clock }) });
    const app = await startWithHealth({ imports: onMemory({ clock, backend }) });
    const cookie = await logIn(app, 'ada');
    clock.advance('3h');
    await http(ahead).post('/theme').set('Cookie', cookie).send({ theme: 'dark' }).expect(201);
    expect((await http(app).get('/theme').set('Cookie', cookie)).status).toBe(503);
    expect((await healthOf(app)).sessions).toEqual({
      status: 'down',
      problems: ['unknown-key', 'cleanup-overdue'],
    });
  });
});

describe('two apps with different keys in one table', () => {
  const twoApps = async (logger: RecordingLogger) => {
    const backend = new MemorySessionBackend();
    const other = await startApp({ imports: onMemory({ key: OTHER_KEY, backend }) });
    await logIn(other, 'ada');
    return startWithHealth({ imports: onMemory({ key: KEY, backend }), logger });
  };

  it('are up, with a warning', async () => {
    const app = await twoApps(new RecordingLogger());
    expect(await healthOf(app)).toMatchObject({
      status: 200,
      sessions: { status: 'up', warnings: ['unknown-key'] },
    });
    const { healthy, warnings } = await app.get(SessionStore).checkHealth();
    expect([healthy, warnings.map(({ code }) => code)]).toEqual([true, ['unknown-key']]);
  });

  it('are told of in the log once, when the second one starts, with both key ids and the option `tableName`', async () => {
    const logger = new RecordingLogger();
    const app = await twoApps(logger);
    await app.get(SessionStore).manager.drain();
    const [own] = resolveStoreOptions({ key: KEY }).ring.keyIds;
    const [others] = resolveStoreOptions({ key: OTHER_KEY }).ring.keyIds;
    const said = [
      expect.stringMatching(
        new RegExp(
          `^warn Sessions: Sessions are sealed by the key ${others},.*seals with ${own}\\..*\`tableName\``,
        ),
      ),
    ];
    expect(logger.lines).toEqual(said);
    await healthOf(app);
    await healthOf(app);
    expect(logger.lines).toEqual(said);
  });

  it('hear of it at a check of health where the start could not see it', async () => {
    const logger = new RecordingLogger();
    const backend = new MemorySessionBackend();
    const app = await startWithHealth({ imports: onMemory({ key: KEY, backend }), logger });
    const other = await startApp({ imports: onMemory({ key: OTHER_KEY, backend }), logger });
    await logIn(other, 'ada');
    expect(logger.lines).toEqual([]);
    await healthOf(app);
    expect(logger.about('`tableName`')).toHaveLength(1);
  });

  it('start though storage cannot say which keys are in it, and hear nothing', async () => {
    const logger = new RecordingLogger();
    class Uncounted extends MemorySessionBackend {
      override keysInUse(): Promise<never> {
        return Promise.reject(new Error('the table is too large'));
      }
    }
    const app = await startApp({ imports: onMemory({ backend: Uncounted }), logger });
    await app.get(SessionStore).manager.drain();
    expect(logger.lines).toEqual([]);
  });
});

describe('clean-up is not overdue', () => {
  it('over a weekend on which it has no turn', async () => {
    const friday = new Date(2030, 0, 4, 17, 0).getTime();
    const clock = new ManualClock(friday);
    const app = await startWithHealth({ imports: onMemory({ clock, cleanup: { cron: '0 9-17 * * 1-5' } }) });
    await app.get(SessionCleanup).run();
    clock.advance('60h');
    expect((await healthOf(app)).status).toBe(200);
    clock.advance('8h');
    expect((await healthOf(app)).status).toBe(503);
  });

  it('when it is switched off', async () => {
    const clock = new ManualClock(START);
    const app = await startWithHealth({ imports: onMemory({ clock, cleanup: false }) });
    clock.advance('90d');
    expect((await healthOf(app)).status).toBe(200);
  });
});
