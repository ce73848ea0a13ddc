import {
  type ArgumentsHost,
  BadRequestException,
  Body,
  type CallHandler,
  type CanActivate,
  Catch,
  Controller,
  type ExceptionFilter,
  Get,
  HttpException,
  type INestApplication,
  Inject,
  Injectable,
  type NestInterceptor,
  Param,
  type PipeTransform,
  Post,
  Req,
  Res,
  Scope,
  UseFilters,
  UseGuards,
  UseInterceptors,
} from '@nestjs/common';
import { HttpAdapterHost, REQUEST } from '@nestjs/core';
import { EventEmitter, once } from 'node:events';
import { Agent, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import type { Observable } from 'rxjs';
import { currentSession, SkipSession } from 'nest-sessions';
import { SHARE } from '../../core/support/random-runs.js';
import type { Browser } from '../../support/browser.js';
import { onEachPlatform } from '../../support/open-app.js';
import type { TestData } from '../../support/routes.js';
import { BASICS, dataOf, door } from '../../support/session-routes.js';

/** Whose session the caller sees; `undefined`: none. */
function asker(): string | null | undefined {
  return currentSession<TestData>()?.userId;
}

/** What each part of Nest saw, in order. */
let seen: [by: string, user: string | null | undefined][] = [];
beforeEach(() => (seen = []));
const note = (by: string): void => void seen.push([by, asker()]);

/** A service that nobody hands a request. */
@Injectable()
class Ledger {
  async whose(): Promise<string | null | undefined> {
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 3));
    return asker();
  }

  remember(theme: string): void {
    const session = currentSession<TestData>();
    if (session) session.data.theme = theme;
  }
}

@Injectable({ scope: Scope.REQUEST })
class RequestScoped {
  readonly inConstructor = asker();
  constructor(@Inject(REQUEST) readonly request: object) {}
}

@Injectable()
class NotingGuard implements CanActivate {
  async canActivate(): Promise<boolean> {
    await Promise.resolve();
    note('guard');
    return true;
  }
}

@Injectable()
class NotingInterceptor implements NestInterceptor {
  intercept(_: unknown, next: CallHandler): Observable<unknown> {
    note('interceptor');
    return next.handle();
  }
}

@Injectable()
class NotingPipe implements PipeTransform {
  transform(value: unknown): unknown {
    note('pipe');
    return value;
  }
}

@Catch(HttpException)
class NotingFilter implements ExceptionFilter {
  constructor(@Inject(HttpAdapterHost) private readonly host: HttpAdapterHost) {}

  catch(error: HttpException, host: ArgumentsHost): void {
    note('filter');
    this.host.httpAdapter.reply(host.switchToHttp().getResponse(), error.getResponse(), error.getStatus());
  }
}

/** What is called when the peer of a connection, which one request has opened and all use, answers. */
class SharedConnection {
  #socket: Socket | null = null;

  constructor(private readonly port: number) {}

  /** Calls back from an event of the connection, as drivers with callbacks do. */
  ask(back: () => void): void {
    this.#socket ??= connect(this.port, '127.0.0.1');
    this.#socket.once('data', back);
    this.#socket.write('?');
  }

  close(): void {
    this.#socket?.destroy();
  }
}

/** Made when no request was there. */
const orders = new EventEmitter();
let shared: SharedConnection;
/** Opened by the test, waited for by handlers. */
let gate = door();
/** Opened by a handler that waits. */
let arrived = door();
/** What somebody finds later, in work that a handler has left behind. */
let later: Promise<string | null | undefined> = Promise.resolve(undefined);

@Controller('now')
class NowController {
  constructor(@Inject(Ledger) private readonly ledger: Ledger) {}

  @Get('whose')
  async whose(): Promise<object> {
    return { user: await this.ledger.whose() };
  }

  @Post('theme')
  theme(@Body() { theme }: { theme: string }): void {
    this.ledger.remember(theme);
  }

  @Get('parts/:part')
  @UseGuards(NotingGuard)
  @UseInterceptors(NotingInterceptor)
  @UseFilters(NotingFilter)
  parts(@Param('part', NotingPipe) part: string): void {
    note('handler');
    throw new BadRequestException(part);
  }

  @Get('skips')
  @SkipSession()
  skips(): object {
    return { session: currentSession() };
  }

  @Get('by-callback')
  byCallback(): Promise<object> {
    return new Promise((resolve) => shared.ask(() => resolve({ user: asker() ?? null })));
  }

  @Get('emits')
  emits(): object {
    const heard: unknown[] = [];
    orders.once('placed', () => heard.push(asker()));
    orders.emit('placed');
    return { heard };
  }

  @Get('leaves-work')
  leavesWork(): void {
    later = gate.opened.then(asker);
  }

  @Get('waits')
  async waits(@Req() request: { raw?: IncomingMessage; socket: Socket }): Promise<void> {
    (request.raw ?? request).socket.once('close', () => setImmediate(gate.open));
    later = gate.opened.then(asker);
    arrived.open();
    await later;
  }

  @Get('goes-on')
  async goesOn(@Res() response: { raw?: ServerResponse } & ServerResponse): Promise<void> {
    (response.raw ?? response).end('{}');
    later = gate.opened.then(asker);
    await later;
  }
}

@Controller({ path: 'scoped', scope: Scope.REQUEST })
class ScopedController {
  constructor(@Inject(RequestScoped) private readonly scoped: RequestScoped) {}

  @Get('whose')
  whose(): object {
    return { user: this.scoped.inConstructor, now: asker() };
  }
}

onEachPlatform('currentSession()', (open, platform) => {
  const openNow = (mount: 'guard' | 'middleware' = 'guard', prepare?: (app: INestApplication) => void) =>
    open({
      controllers: [NowController, ScopedController],
      providers: [Ledger, RequestScoped, NotingFilter],
      routes: BASICS,
      options: { mount, currentSession: true },
      prepare,
    });

  const signedIn = async (browser: Browser, user: string): Promise<Browser> => {
    await browser.get(`/do/in?user=${user}`);
    return browser;
  };

  let peer: Server;
  beforeAll(async () => {
    peer = createServer((socket) => socket.on('data', (bytes) => socket.write(bytes))).listen(0, '127.0.0.1');
    await once(peer, 'listening');
  });
  afterAll(() => peer.close());
  beforeEach(() => {
    shared = new SharedConnection((peer.address() as AddressInfo).port);
    gate = door();
    arrived = door();
  });
  afterEach(() => shared.close());

  describe.each(['guard', 'middleware'] as const)("with `mount: '%s'`", (mount) => {
    it('is the session of the request, in a service that is handed nothing', async () => {
      const { browser } = await openNow(mount);
      const ada = await signedIn(browser(), 'ada');
      expect((await ada.get('/now/whose')).json()).toEqual({ user: 'ada' });
      expect((await browser().get('/now/whose')).json()).toEqual({ user: null });
    });

    it('is saved like the one that handlers get', async () => {
      const { browser } = await openNow(mount);
      const ada = await signedIn(browser(), 'ada');
      expect((await ada.post('/now/theme', { theme: 'dark' })).status).toBe(201);
      expect(await dataOf(ada)).toEqual({ theme: 'dark' });
    });

    it('is there in guards, interceptors, pipes, handlers and filters', async () => {
      const { browser } = await openNow(mount);
      const ada = await signedIn(browser(), 'ada');
      expect((await ada.get('/now/parts/one')).status).toBe(400);
      expect(seen).toEqual(['guard', 'interceptor', 'pipe', 'handler', 'filter'].map((by) => [by, 'ada']));
    });

    it('is null on a route that skips the session', async () => {
      const { browser } = await openNow(mount);
      const ada = await signedIn(browser(), 'ada');
      expect((await ada.get('/now/skips')).json()).toEqual({ session: null });
    });

    it('is there behind middleware that calls the next from a callback of another request', async () => {
      const waiting: (() => void)[] = [];
      const { browser } = await openNow(mount, (app) => {
        app.use((request: { url?: string }, _: object, next: () => void) => {
          if (!request.url?.includes('whose')) return next();
          waiting.push(next);
          if (waiting.length === 2) for (const one of waiting.splice(0).toReversed()) one();
        });
      });
      const [ada, bob] = [await signedIn(browser(), 'ada'), await signedIn(browser(), 'bob')];
      const replies = await Promise.all([ada.get('/now/whose'), bob.get('/now/whose')]);
      expect(replies.map((reply) => reply.json())).toEqual([{ user: 'ada' }, { user: 'bob' }]);
    });
  });

  it('in middleware is the session where that is loaded by then, and null where it is not', async () => {
    const look = (app: INestApplication): void => {
      app.use((_request: object, _response: object, next: () => void) => {
        note('middleware');
        next();
      });
    };
    const early = await openNow('middleware', look);
    const ada = await signedIn(early.browser(), 'ada');
    await ada.get('/now/whose');
    expect(seen.at(-1)).toEqual(['middleware', 'ada']);
    const late = await openNow('guard', look);
    const bob = await signedIn(late.browser(), 'bob');
    const agent = new Agent({ keepAlive: true });
    for (let i = 0; i < 3; i++) {
      expect((await bob.get('/now/whose', { agent })).json()).toEqual({ user: 'bob' });
      expect(seen.at(-1)).toEqual(['middleware', undefined]);
    }
    agent.destroy();
  });

  it('is there for providers of the request, when they are made and later', async () => {
    const { browser } = await openNow('middleware');
    const ada = await signedIn(browser(), 'ada');
    expect((await ada.get('/scoped/whose')).json()).toEqual({ user: 'ada', now: 'ada' });
    const late = await openNow('guard');
    const bob = await signedIn(late.browser(), 'bob');
    expect((await bob.get('/scoped/whose')).json()).toEqual({ now: 'bob' }); // made before any guard runs
  });

  it('is there in listeners of an emitter', async () => {
    const { browser } = await openNow();
    const ada = await signedIn(browser(), 'ada');
    expect((await ada.get('/now/emits')).json()).toEqual({ heard: ['ada'] });
  });

  it('is null outside a request', () => {
    expect(currentSession()).toBeNull();
  });

  it("is not another user's in a callback of a connection that the other's request has opened", async () => {
    const { browser } = await openNow();
    const [ada, bob] = [await signedIn(browser(), 'ada'), await signedIn(browser(), 'bob')];
    await ada.get('/now/by-callback');
    expect((await bob.get('/now/by-callback')).json()).toEqual({ user: null });
  });

  it('is null for what a handler has left behind, once the response is over', async () => {
    const { browser } = await openNow();
    const ada = await signedIn(browser(), 'ada');
    await ada.get('/now/leaves-work');
    await new Promise((resolve) => setTimeout(resolve, 20));
    gate.open();
    expect(await later).toBeUndefined();
  });

  it('stays for a handler that goes on after its response', async () => {
    const { browser } = await openNow();
    const ada = await signedIn(browser(), 'ada');
    await ada.get('/now/goes-on');
    gate.open();
    expect(await later).toBe('ada');
  });

  it('stays for a handler whose client has hung up', async () => {
    const { browser } = await openNow();
    const ada = await signedIn(browser(), 'ada');
    const request = await ada.start('GET', '/now/waits');
    await arrived.opened;
    request.abort();
    await gate.opened;
    expect(await later).toBe('ada');
  });

  it('never mixes users: 10,000 requests of 50 of them', async () => {
    const { browser } = await openNow(platform === 'express' ? 'guard' : 'middleware');
    const users = await Promise.all(
      Array.from({ length: 50 }, async (_, i) => ({
        name: `user-${i}`,
        browser: await signedIn(browser(), `user-${i}`),
      })),
    );
    const agent = new Agent({ keepAlive: true, maxSockets: 16 });
    const rounds = Math.max(4, Math.round(200 * SHARE));
    let mixed = 0;
    for (let round = 0; round < rounds; round++) {
      const replies = await Promise.all(
        users.map(async ({ name, browser: theirs }) => {
          const reply = await theirs.get('/now/whose', { agent });
          return reply.json<{ user: string }>().user === name;
        }),
      );
      mixed += replies.filter((isTheirs) => !isTheirs).length;
    }
    agent.destroy();
    expect(mixed).toBe(0);
  });
});
