import { type ArgumentsHost, Catch, type ExceptionFilter, Inject, Injectable, Module } from '@nestjs/common';
import { APP_FILTER, HttpAdapterHost } from '@nestjs/core';
import {
  Clock,
  SessionCleanup,
  SessionEvents,
  SessionHealthIndicator,
  SessionModule,
  SessionStore,
  SessionStoreError,
} from 'nest-sessions';
import { ManualClock, MemorySessionBackend } from 'nest-sessions/testing';
import {
  closeApps,
  cookieOf,
  http,
  KEY,
  logIn,
  PLATFORMS,
  sessionImports,
  startApp,
  startupError,
} from './support/nest-app.js';

const START = Date.UTC(2030, 0, 1);

/** Far from the root: it imports nothing of sessions. */
@Injectable()
class Consumer {
  constructor(
    @Inject(SessionStore) readonly store: SessionStore,
    @Inject(SessionEvents) readonly events: SessionEvents,
    @Inject(SessionHealthIndicator) readonly health: SessionHealthIndicator,
    @Inject(SessionCleanup) readonly cleanup: SessionCleanup,
    @Inject(Clock) readonly clock: Clock,
  ) {}
}

@Module({ providers: [Consumer] })
class FeatureModule {}

class FullBackend extends MemorySessionBackend {
  override insert(): Promise<never> {
    return Promise.reject(new Error('database or disk is full'));
  }
}

@Catch(SessionStoreError)
class OutageFilter implements ExceptionFilter<SessionStoreError> {
  constructor(private readonly host: HttpAdapterHost) {}

  catch(error: SessionStoreError, context: ArgumentsHost): void {
    const response = context.switchToHttp().getResponse<object>();
    this.host.httpAdapter.reply(response, { hint: error.code }, 507);
  }
}

const inMemory = () => SessionModule.forRoot({ key: KEY, backend: new MemorySessionBackend() });

afterEach(closeApps);

describe.each(PLATFORMS)('SessionModule.forRoot on %s', (platform) => {
  it('is all that an app needs: a value is kept, for the browser that has the cookie', async () => {
    const app = await startApp({ platform, imports: sessionImports() });
    const chosen = await http(app).post('/theme').send({ theme: 'dark' }).expect(201);
    const again = await http(app).get('/theme').set('Cookie', cookieOf(chosen));
    expect(again.body).toEqual({ theme: 'dark', userId: null });
    const other = await http(app).get('/theme');
    expect(other.body).toEqual({ theme: null, userId: null });
  });

  it('signs in', async () => {
    const app = await startApp({ platform, imports: sessionImports() });
    const cookie = await logIn(app, 'ada');
    expect(cookie).toMatch(/^__Host-sid=./);
    expect((await http(app).get('/theme').set('Cookie', cookie)).body).toMatchObject({ userId: 'ada' });
  });

  it('saves before the response is composed, so that filters of the app see a failure', async () => {
    const app = await startApp({
      platform,
      imports: [SessionModule.forRoot({ key: KEY, backend: FullBackend })],
      providers: [{ provide: APP_FILTER, useClass: OutageFilter }],
    });
    const response = await http(app).post('/theme').send({ theme: 'dark' });
    expect({ status: response.status, body: response.body as unknown }).toEqual({
      status: 507,
      body: { hint: 'session_store_unavailable' },
    });
  });

  it('takes the clock that a test puts in its place', async () => {
    const clock = new ManualClock(START);
    const app = await startApp({
      platform,
      imports: sessionImports({ key: KEY, ttl: '1h' }),
      build: (builder) => builder.overrideProvider(Clock).useValue(clock),
    });
    expect(app.get(Clock)).toBe(clock);
    const cookie = await logIn(app, 'ada');
    clock.advance(3_599_999);
    expect((await http(app).get('/theme').set('Cookie', cookie)).body).toMatchObject({ userId: 'ada' });
    clock.advance('1h');
    expect((await http(app).get('/theme').set('Cookie', cookie)).body).toMatchObject({ userId: null });
  });
});

describe('a module that imports nothing of sessions', () => {
  it('injects store, events, health, clean-up and clock all the same', async () => {
    const app = await startApp({ imports: [FeatureModule, inMemory()] });
    const { store, events, health, cleanup, clock } = app.get(Consumer, { strict: false });
    expect(store).toBeInstanceOf(SessionStore);
    expect(events).toBe(store.events);
    expect(health).toBeInstanceOf(SessionHealthIndicator);
    expect(cleanup).toBeInstanceOf(SessionCleanup);
    expect(Math.abs(clock.now() - Date.now())).toBeLessThan(1000);
  });

  it('shares them with the requests', async () => {
    const app = await startApp({ imports: [inMemory(), FeatureModule] });
    const { store, events } = app.get(Consumer, { strict: false });
    const signedIn: Array<string | null> = [];
    events.on('authenticated', ({ userId }) => signedIn.push(userId));
    await logIn(app, 'ada');
    expect(signedIn).toEqual(['ada']);
    expect(await store.listForUser('ada')).toHaveLength(1);
  });
});

describe('two SessionModules in one app', () => {
  const twice = { key: KEY, backend: MemorySessionBackend };

  it('are refused in the same module', async () => {
    const imports = [SessionModule.forRoot(twice), SessionModule.forRoot(twice)];
    expect(await startupError({ imports })).toMatch(
      /^SessionOptionsError: Expected one SessionModule in the app, got 2\. It is global/,
    );
  });

  it('are refused in modules apart, and with options apart', async () => {
    @Module({
      imports: [SessionModule.forRootAsync({ useFactory: () => ({ plaintext: true }), ...backendOnly() })],
    })
    class ShopModule {}
    const imports = [SessionModule.forRoot(twice), ShopModule];
    expect(await startupError({ imports })).toContain(
      'import SessionModule.forRoot() once, in the root module',
    );
  });

  it('are no problem in two apps of one process', async () => {
    const [one, other] = [
      await startApp({ imports: [inMemory()] }),
      await startApp({ imports: [inMemory()] }),
    ];
    const cookie = await logIn(one, 'ada');
    expect((await http(one).get('/theme').set('Cookie', cookie)).body).toMatchObject({ userId: 'ada' });
    expect((await http(other).get('/theme').set('Cookie', cookie)).body).toMatchObject({ userId: null });
  });

  it('are no problem when it is one dynamic module, imported twice', async () => {
    const sessions = inMemory();
    @Module({ imports: [sessions] })
    class ShopModule {}
    const app = await startApp({ imports: [sessions, ShopModule] });
    await logIn(app, 'ada');
    expect(await app.get(SessionStore).listForUser('ada')).toHaveLength(1);
  });
});

function backendOnly() {
  return { backend: MemorySessionBackend };
}
