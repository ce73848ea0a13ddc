import {
  type ArgumentsHost,
  Catch,
  Controller,
  type ExceptionFilter,
  Get,
  HttpException,
  Module,
  Req,
} from '@nestjs/common';
import { APP_FILTER, NestFactory } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  Public,
  RequireAuth,
  Session,
  SessionModule,
  sessionOf,
  type SessionOptions,
  SkipSession,
  SkipTouch,
} from 'nest-sessions';
import { MemorySessionBackend, signIn } from 'nest-sessions/testing';
import { closeApps, http, startApp } from '../support/nest-app.js';
import { type AppSetup, KEY, onEachPlatform } from '../support/open-app.js';
import type { PlatformRequest, PlatformResponse, TestSession } from '../support/routes.js';
import { BASICS, dataOf, refusal, userOf } from '../support/session-routes.js';

type Request = IncomingMessage & { session?: Record<string, unknown> };
type Middleware = (request: Request, response: ServerResponse, next: () => void) => void;

/** An app with middleware of main.ts. */
function mounted(middleware: Middleware, options: Partial<SessionOptions> = {}): AppSetup {
  return {
    options: { key: KEY, mount: 'middleware', ...options },
    routes: BASICS,
    controllers: [MountedController],
    prepare: (app) => void app.use(middleware),
  };
}

/** A page for errors that greets whoever is signed in. */
@Catch(HttpException)
class GreetingFilter implements ExceptionFilter {
  catch(exception: HttpException, host: ArgumentsHost): void {
    const response = host.switchToHttp().getResponse<PlatformResponse>();
    const status = exception.getStatus();
    response.status(status).send(`${status} for ${sessionOf(host)?.userId ?? 'nobody'}`);
  }
}

const pass: Middleware = (_request, _response, next) => next();
const read: Middleware = (request, _response, next) => {
  void request.session?.['count'];
  next();
};

@Controller('mounted')
class MountedController {
  @Get('skipped')
  @SkipSession()
  skipped(@Req() request: Request): object {
    return { session: sessionOf(request), bag: request.session ?? null };
  }

  @Get('poll')
  @SkipTouch()
  poll(@Session() session: TestSession): object {
    return { userId: session.userId };
  }

  @Get('members')
  @RequireAuth()
  members(@Session() session: TestSession): object {
    return { userId: session.userId };
  }

  @Get('open')
  @Public()
  open(): object {
    return { open: true };
  }
}

onEachPlatform("with mount: 'middleware', a session", (open, platform) => {
  it('is there for the middleware of main.ts, and is the one that handlers get', async () => {
    const seen: unknown[] = [];
    const { browser } = await open(
      mounted((request, _response, next) => {
        if (request.session) request.session['count'] = Number(request.session['count'] ?? 0) + 1;
        seen.push(sessionOf(request)?.userId);
        next();
      }),
    );
    const ada = browser();
    await ada.post('/do/in');
    expect(await dataOf(ada)).toEqual({ count: 2 });
    expect(seen).toEqual([null, 'ada']);
  });

  it("is not there for it with mount: 'guard'", async () => {
    const seen: unknown[] = [];
    const { browser } = await open(
      mounted(
        (request, _response, next) => {
          seen.push(request.session, sessionOf(request));
          next();
        },
        { mount: 'guard' },
      ),
    );
    await browser().post('/do/in');
    expect(seen).toEqual([undefined, null]);
  });

  it('is loaded once and saved once', async () => {
    const { browser, storage } = await open(
      mounted((request, _response, next) => {
        if (request.session) request.session['seen'] = request.session['seen'] ?? 1;
        next();
      }),
    );
    const ada = browser();
    await ada.post('/do/in');
    storage.forget();
    await ada.post('/do/set', { theme: 'dark' });
    expect(storage.calls).toEqual(['find', 'save']);
    expect(await dataOf(ada)).toEqual({ seen: 1, theme: 'dark' });
  });

  it('is saved before an answer that middleware gives, and its cookie goes with it', async () => {
    const { browser } = await open(
      mounted((request, response, next) => {
        if (request.url !== '/legacy') return next();
        if (request.session) request.session['theme'] = 'dark';
        response.end('from middleware');
      }),
    );
    const visitor = browser();
    const reply = await visitor.get('/legacy');
    expect([reply.status, reply.text, reply.headers.vary]).toEqual([200, 'from middleware', 'Cookie']);
    expect(await dataOf(visitor)).toEqual({ theme: 'dark' });
  });

  it('is given out as an empty one to visitors without a cookie, who cost nothing', async () => {
    const { browser, storage } = await open(mounted(read));
    const replies = [await browser().get('/plain'), await browser().get('/there-is-no-such-page')];
    expect(replies.map(({ status, setCookies }) => [status, setCookies])).toEqual([
      [200, []],
      [404, []],
    ]);
    expect(storage.calls).toEqual([]);
  });

  it('costs no look-up for a cookie that is no genuine token', async () => {
    const { browser, storage } = await open(mounted(read));
    const mallory = browser();
    await mallory.plant('made-up');
    expect((await mallory.get('/there-is-no-such-page')).status).toBe(404);
    expect(storage.calls).toEqual([]);
  });

  it('makes a response that does not look at it neither private nor varying', async () => {
    const { browser } = await open(mounted(pass));
    const ada = browser();
    await ada.post('/do/in');
    const { headers } = await ada.get('/there-is-no-such-page');
    expect([headers['cache-control'], headers.vary]).toEqual([undefined, undefined]);
    expect((await ada.get('/plain')).headers['cache-control']).toBe('no-store');
  });

  it('is loaded, but not there, on a route that skips it; what middleware changed is saved', async () => {
    const { browser, clock } = await open(
      mounted((request, _response, next) => {
        if (request.url?.includes('skipped') && request.session) request.session['theme'] = 'dark';
        next();
      }),
    );
    const ada = browser();
    await ada.post('/do/in');
    clock.advance('1h');
    expect((await ada.get('/mounted/skipped')).json()).toEqual({ session: null, bag: null });
    expect(await dataOf(ada)).toEqual({ theme: 'dark' });
  });

  it('counts as used where it would otherwise, and where middleware reads it', async () => {
    const { browser, clock, storage, store } = await open(
      mounted((request, response, next) =>
        request.url === '/legacy' ? read(request, response, next) : next(),
      ),
    );
    const ada = browser();
    await ada.post('/do/in');
    const touches = async (path: string): Promise<number> => {
      clock.advance('1h');
      storage.forget();
      await ada.get(path);
      await store.manager.drain();
      return storage.calls.filter((call) => call === 'touch').length;
    };
    expect(await touches('/there-is-no-such-page')).toBe(0);
    expect(await touches('/mounted/skipped')).toBe(0);
    expect(await touches('/mounted/poll')).toBe(0);
    expect(await touches('/legacy')).toBe(1);
    expect(await touches('/plain')).toBe(1);
  });

  it('stays touched when middleware touched it, whatever the route says', async () => {
    const { browser, clock, storage, store } = await open(
      mounted((request, _response, next) => {
        (request.session as { touch(): void } | undefined)?.touch();
        next();
      }),
    );
    const ada = browser();
    await ada.post('/do/in');
    clock.advance('1h');
    storage.forget();
    await ada.get('/mounted/poll');
    await store.manager.drain();
    expect(storage.calls).toEqual(['find', 'touch']);
  });

  it('is rotated by a response that has to do with it, and by no other', async () => {
    const { browser, clock } = await open(mounted(pass, { rotation: { every: '1h' } }));
    const ada = browser();
    await ada.post('/do/in');
    clock.advance('2h');
    expect((await ada.get('/there-is-no-such-page')).setCookies).toEqual([]);
    expect((await ada.get('/mounted/skipped')).setCookies).toEqual([]);
    expect((await ada.get('/plain')).setCookies).toHaveLength(1);
  });

  it('of a token that cannot be looked up is null for a filter that answers to that', async () => {
    const { browser, storage } = await open({
      ...mounted(read),
      providers: [{ provide: APP_FILTER, useClass: GreetingFilter }],
    });
    const ada = browser();
    await ada.post('/do/in');
    storage.goDown();
    expect((await ada.get('/there-is-no-such-page')).text).toBe('503 for nobody');
    expect((await ada.get('/plain')).text).toBe('503 for nobody');
    storage.recover();
    expect((await ada.get('/there-is-no-such-page')).text).toBe('404 for ada');
  });

  it('of a token that cannot be looked up fails what asks for it, and nothing else', async () => {
    const { browser, storage, log } = await open(
      mounted((request, response, next) =>
        request.url === '/legacy' ? read(request, response, next) : next(),
      ),
    );
    const ada = browser();
    await ada.post('/do/in');
    const cookie = await ada.cookie();
    storage.goDown();
    for (const path of ['/plain', '/do/see', '/mounted/members', '/legacy']) {
      const reply = await ada.get(path);
      expect([path, refusal(reply)]).toEqual([path, { status: 503, code: 'session_store_unavailable' }]);
      expect([reply.headers['retry-after'], reply.setCookies]).toEqual(['5', []]);
    }
    const skipped = await ada.get('/mounted/skipped');
    expect([skipped.status, skipped.headers['retry-after']]).toEqual([200, undefined]);
    const missing = await ada.get('/there-is-no-such-page');
    expect([missing.status, missing.headers['retry-after']]).toEqual([404, undefined]);
    expect((await browser().get('/plain')).status).toBe(200);
    storage.recover();
    expect(await ada.cookie()).toBe(cookie);
    expect(await userOf(ada)).toBe('ada');
    expect(log.lines.filter(({ context }) => context !== 'Sessions')).toEqual([]);
  });

  it('leaves middleware that throws to the platform', async () => {
    const { browser } = await open(
      mounted((request) => {
        void request.session?.['count'];
        throw new Error('broken');
      }),
    );
    const ada = browser();
    expect((await ada.get('/plain')).status).toBe(500);
    await ada.plant('made-up');
    expect((await ada.get('/plain')).status).toBe(500);
  });

  it("has `meta` called with the platform's request", async () => {
    const { browser } = await open(
      mounted(read, {
        meta: (request: PlatformRequest) => ({ isFastify: request.raw !== undefined }),
      }),
    );
    const ada = browser();
    await ada.post('/do/in');
    const devices = (await ada.get('/do/list')).json<{ meta: object }[]>();
    expect(devices).toMatchObject([{ meta: { isFastify: platform === 'fastify' } }]);
  });

  it('is there in an app of a testing module', async () => {
    const seen: unknown[] = [];
    const app = await startApp({
      platform,
      imports: [SessionModule.forRoot({ key: KEY, backend: MemorySessionBackend, mount: 'middleware' })],
      prepare: (created) =>
        void created.use((request: Request, _response: ServerResponse, next: () => void) => {
          seen.push(sessionOf(request)?.userId);
          next();
        }),
    });
    const { cookie } = await signIn(app, 'ada');
    await http(app).get('/theme').set('Cookie', cookie).expect(200);
    expect(seen).toEqual(['ada']);
    await closeApps();
  });
});

describe("mount: 'middleware'", () => {
  it('says what is wrong with an adapter that takes no middleware', async () => {
    @Module({
      imports: [SessionModule.forRoot({ key: KEY, backend: MemorySessionBackend, mount: 'middleware' })],
    })
    class BareModule {}
    const adapter = new FastifyAdapter({ skipMiddie: true });
    await expect(
      NestFactory.create(BareModule, adapter, { logger: false, abortOnError: false }),
    ).rejects.toThrow(
      "`mount: 'middleware'`: expected an adapter that takes middleware, got one that refused it. On Fastify, leave",
    );
  });

  it('needs no HTTP', async () => {
    @Module({
      imports: [SessionModule.forRoot({ key: KEY, backend: MemorySessionBackend, mount: 'middleware' })],
    })
    class WorkerModule {}
    const worker = await NestFactory.createApplicationContext(WorkerModule, { logger: false });
    expect((await signIn(worker, 'ada')).session.userId).toBe('ada');
    await worker.close();
  });
});
