import type { INestApplicationContext, WebSocketAdapter, WsMessageHandler } from '@nestjs/common';
import { WsAdapter } from '@nestjs/platform-ws';
import { type OnGatewayConnection, SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { EventEmitter, once } from 'node:events';
import type { IncomingMessage, Server } from 'node:http';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { currentSession, RequireAuth, Session, sessionOf, socketSession } from 'nest-sessions';
import { signIn } from 'nest-sessions/testing';
import type { Observable } from 'rxjs';
import { type WebSocket, WebSocketServer } from 'ws';
import { currentCarrier } from '../../../src/http/platform/carrier.js';
import { type AppSetup, type OpenApp, onEachPlatform, type TestApp } from '../../support/open-app.js';
import type { TestSession } from '../../support/routes.js';
import { BASICS } from '../../support/session-routes.js';
import {
  type Answer,
  closeSockets,
  cookieNow,
  cookieOf,
  SOCKET_PLATFORMS,
  SOCKETS,
  upgrade,
} from '../../support/sockets.js';

afterEach(closeSockets);

const answer = (data: unknown): Answer => ({ event: 'answer', data });

/** Who has connected, each time. */
let connected: (string | null | undefined)[] = [];
beforeEach(() => (connected = []));

class Whose implements OnGatewayConnection {
  handleConnection(client: object): void {
    connected.push(socketSession(client)?.userId);
  }

  whose(session: TestSession): Answer {
    return answer(session.userId);
  }
}

@WebSocketGateway()
class Gateway extends Whose {
  @SubscribeMessage('whose')
  override whose(@Session() session: TestSession): Answer {
    return super.whose(session);
  }
}

const codeIn = (text: string): unknown => (JSON.parse(text) as { code?: unknown }).code;

onEachPlatform('an upgrade', (open: OpenApp) => {
  describe.each(SOCKETS)('over %s', (kind) => {
    const { adapt, open: openSocket, path } = SOCKET_PLATFORMS[kind];

    const start = (setup: AppSetup = {}): Promise<TestApp> =>
      open({ routes: BASICS, providers: [Gateway], prepare: adapt, ...setup });

    it('looks its session up once, and none without a token or for junk', async () => {
      const { browser, port, storage } = await start();
      const cookie = await cookieOf(browser());
      storage.forget();
      await openSocket(port, { cookie });
      expect(storage.calls).toEqual(['find']);
      for (const junk of [
        undefined,
        '',
        'theme=dark',
        '__Host-sid=',
        '__Host-sid=forged',
        `__Host-sid=${'x'.repeat(2048)}`,
      ]) {
        const socket = await openSocket(port, junk === undefined ? {} : { cookie: junk });
        expect(await socket.ask('whose')).toEqual(answer(null));
      }
      expect(storage.calls).toEqual(['find']);
      expect(connected).toEqual(['ada', ...Array.from({ length: 6 }, () => undefined)]);
    });

    it('finds the genuine cookie behind others of the same name', async () => {
      const { browser, port } = await start();
      const cookie = await cookieOf(browser());
      const socket = await openSocket(port, { cookie: `__Host-sid=forged; ${cookie}; __Host-sid=another` });
      expect(await socket.ask('whose')).toEqual(answer('ada'));
    });

    it('with the cookie of a session that has expired or been revoked is that of a stranger', async () => {
      const { browser, port, clock, store } = await start();
      const ada = await cookieOf(browser());
      const bob = await cookieOf(browser(), 'bob');
      await store.destroyAllForUser('bob');
      expect(await (await openSocket(port, { cookie: bob })).ask('whose')).toEqual(answer(null));
      clock.advance('400d');
      expect(await (await openSocket(port, { cookie: ada })).ask('whose')).toEqual(answer(null));
    });

    it('of another site is refused with a session, and served without', async () => {
      const { browser, port, log } = await start();
      const cookie = await cookieOf(browser());
      const foreign: Record<string, string>[] = [
        { origin: 'https://evil.test' },
        { origin: 'null' },
        { origin: 'https://evil.app.test' },
        { origin: 'https://app.test', 'sec-fetch-site': 'cross-site' },
      ];
      for (const headers of foreign) {
        const reply = await upgrade(port, path, { cookie, headers });
        expect([reply.status, codeIn(reply.text)]).toEqual([403, 'cross_site_request']);
        expect((await upgrade(port, path, { headers })).status).toBe(101);
      }
      expect(log.sessionWarnings).toHaveLength(1);
      expect(connected.filter((user) => user !== undefined)).toEqual([]);
    });

    it('of a page whose origin is listed is served, and so is that of a program', async () => {
      const { browser, port } = await start({ options: { csrf: { origins: ['https://admin.test'] } } });
      const cookie = await cookieOf(browser());
      expect((await upgrade(port, path, { cookie, headers: { origin: 'https://admin.test' } })).status).toBe(
        101,
      );
      expect((await upgrade(port, path, { cookie, headers: { origin: 'https://other.test' } })).status).toBe(
        403,
      );
      const unchecked = await start({ options: { csrf: false } });
      const own = await cookieOf(unchecked.browser());
      expect((await upgrade(unchecked.port, path, { cookie: own, headers: { origin: 'null' } })).status).toBe(
        101,
      );
    });

    it('is a 503 while storage is down, and without a token it is served', async () => {
      const { browser, port, storage } = await start();
      const cookie = await cookieOf(browser());
      storage.goDown();
      const reply = await upgrade(port, path, { cookie });
      expect([reply.status, codeIn(reply.text)]).toEqual([503, 'session_store_unavailable']);
      expect(reply.headers['retry-after']).toBe('5');
      expect(reply.text).not.toContain('internal');
      expect((await upgrade(port, path)).status).toBe(101);
      storage.recover();
      expect((await upgrade(port, path, { cookie })).status).toBe(101);
    });

    it('takes a bearer token where that is allowed, and not two tokens', async () => {
      const { app, browser, port } = await start({ options: { transport: ['cookie', 'bearer'] } });
      const { authorization } = await signIn(app, 'eve', { transport: 'bearer' });
      const headers = { authorization, origin: 'https://anywhere.test' };
      const socket = await openSocket(port, { headers });
      expect(await socket.ask('whose')).toEqual(answer('eve'));
      const reply = await upgrade(port, path, { headers, cookie: await cookieOf(browser()) });
      expect([reply.status, codeIn(reply.text)]).toEqual([400, 'two_tokens']);
    });

    it('sets no cookie and rotates nothing; a rotation afterwards does not disturb the socket', async () => {
      const { browser, port, clock, events } = await start({
        options: { rotation: { every: '10m', grace: '30s' } },
      });
      const ada = browser();
      const socket = await openSocket(port, { cookie: await cookieOf(ada) });
      const first = await cookieNow(ada);
      for (let i = 0; i < 3; i++) {
        clock.advance('11m');
        await ada.get('/do/see');
        clock.advance('2m');
        expect(await socket.ask('whose')).toEqual(answer('ada'));
      }
      expect(await cookieNow(ada)).not.toBe(first);
      const again = await openSocket(port, { cookie: await cookieNow(ada) }); // the first use of the new token
      expect(await again.ask('whose')).toEqual(answer('ada'));
      expect(await socket.ask('whose')).toEqual(answer('ada'));
      expect(events.filter(({ name }) => name === 'reuse' || name === 'revoked')).toEqual([]);
    });

    it('whose client hangs up while its session is looked up leaves nothing behind', async () => {
      const { browser, port, storage, store } = await start();
      const cookie = await cookieOf(browser());
      const request =
        `GET ${path} HTTP/1.1\r\nHost: app.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
        `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${'A'.repeat(22)}==\r\nCookie: ${cookie}\r\n\r\n`;
      for (const leave of [(one: Socket) => one.destroy(), (one: Socket) => one.resetAndDestroy()]) {
        const held = storage.hold('find');
        const client = connect(port, '127.0.0.1', () => client.write(request));
        await held.reached;
        leave(client);
        await once(client, 'close');
        await new Promise((resolve) => setTimeout(resolve, 20));
        held.release();
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      expect(await (await openSocket(port, { cookie })).ask('whose')).toEqual(answer('ada'));
      expect(store.manager.live.size).toBe(1);
    });

    it('leaves no session behind when the app closes with open sockets', async () => {
      const { app, browser, port, store, log } = await start();
      const cookie = await cookieOf(browser());
      const sockets = await Promise.all([1, 2, 3].map(() => openSocket(port, { cookie })));
      expect(store.manager.live.size).toBe(1);
      await app.close();
      await Promise.all(sockets.map(({ ended }) => ended));
      expect(store.manager.live.size).toBe(0);
      expect(log.lines).toEqual([]);
    });

    it.each(['guard', 'middleware'] as const)('is the same with mount: %p', async (mount) => {
      const { browser, port } = await start({ options: { mount } });
      const socket = await openSocket(port, { cookie: await cookieOf(browser()) });
      expect(await socket.ask('whose')).toEqual(answer('ada'));
    });
  });

  it('over ws asks verifyClient of the app too, which sees the session', async () => {
    const asked: unknown[] = [];
    @WebSocketGateway({
      path: '/sync',
      verifyClient: ({ req }: { req: IncomingMessage }) => {
        asked.push([currentSession()?.userId, sessionOf(req)?.userId]);
        return req.headers['x-pass'] !== 'no';
      },
    })
    class SyncGateway {}
    @WebSocketGateway({
      path: '/async',
      verifyClient: ({ req }: { req: IncomingMessage }, done: (ok: boolean, code?: number) => void) =>
        setTimeout(() => done(req.headers['x-pass'] !== 'no', 418), 1),
    })
    class AsyncGateway {}
    const { browser, port } = await open({
      routes: BASICS,
      providers: [SyncGateway, AsyncGateway],
      prepare: (app) => void app.useWebSocketAdapter(new WsAdapter(app)),
    });
    const cookie = await cookieOf(browser());
    const no = { 'x-pass': 'no' };
    expect((await upgrade(port, '/sync', { cookie })).status).toBe(101);
    expect((await upgrade(port, '/sync', { cookie, headers: no })).status).toBe(401);
    expect((await upgrade(port, '/sync', { headers: no })).status).toBe(401);
    expect((await upgrade(port, '/async', { cookie })).status).toBe(101);
    expect((await upgrade(port, '/async', { cookie, headers: no })).status).toBe(418);
    expect(asked).toEqual([
      ['ada', 'ada'],
      ['ada', 'ada'],
      [null, null],
    ]);
  });

  it('over socket.io asks allowRequest of the app too, which sees the session', async () => {
    const asked: unknown[] = [];
    @WebSocketGateway({
      allowRequest: (request: IncomingMessage, done: (error: string | null, ok: boolean) => void) => {
        asked.push(currentSession()?.userId);
        done('of the app', request.headers['x-pass'] !== 'no');
      },
    })
    class AskingGateway {}
    const { browser, port } = await open({ routes: BASICS, providers: [AskingGateway] });
    const { path } = SOCKET_PLATFORMS['socket.io'];
    const cookie = await cookieOf(browser());
    expect((await upgrade(port, path, { cookie })).status).toBe(101);
    expect((await upgrade(port, path, { cookie, headers: { 'x-pass': 'no' } })).status).toBe(400);
    expect(asked).toEqual(['ada', 'ada']);
  });

  it('that is accepted opens its connection on behalf of nobody, whose timers would keep the session in memory', async () => {
    const isOfNobody: boolean[] = [];
    const asked: unknown[] = [];
    const watch = (server: { engine?: EventEmitter } & EventEmitter): void =>
      void (server.engine ?? server).on('connection', () => isOfNobody.push(currentCarrier() === undefined));
    const ask = (done: () => void): void => {
      asked.push(currentSession()?.userId);
      setTimeout(done, 1);
    };
    @WebSocketGateway({
      verifyClient: (_info: unknown, done: (ok: boolean) => void) => ask(() => done(true)),
    })
    class PlainGateway {
      readonly afterInit = watch;
    }
    @WebSocketGateway({
      allowRequest: (_request: unknown, done: (error: null, ok: boolean) => void) =>
        ask(() => done(null, true)),
    })
    class IoGateway {
      readonly afterInit = watch;
    }
    for (const kind of SOCKETS) {
      const { adapt, path } = SOCKET_PLATFORMS[kind];
      const providers = [kind === 'ws' ? PlainGateway : IoGateway];
      const { browser, port } = await open({ routes: BASICS, providers, prepare: adapt });
      expect((await upgrade(port, path, { cookie: await cookieOf(browser()) })).status).toBe(101);
    }
    expect(asked).toEqual(['ada', 'ada']);
    expect(isOfNobody).toEqual([true, true]);
  });

  it('over socket.io may begin by polling, which loads and counts once', async () => {
    const { browser, port, storage } = await open({ routes: BASICS, providers: [Gateway] });
    const cookie = await cookieOf(browser());
    storage.forget();
    const socket = await SOCKET_PLATFORMS['socket.io'].open(port, {
      cookie,
      transports: ['polling', 'websocket'],
    });
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(await socket.ask('whose')).toEqual(answer('ada'));
    expect(storage.calls).toEqual(['find', 'find']);
    const polling = `http://127.0.0.1:${port}/socket.io/?EIO=4&transport=polling`;
    const refused = await fetch(polling, { headers: { cookie, origin: 'https://evil.test' } });
    expect([refused.status, codeIn(await refused.text())]).toEqual([403, 'cross_site_request']);
    storage.goDown();
    const down = await fetch(polling, { headers: { cookie } });
    expect([down.status, down.headers.get('retry-after')]).toEqual([503, '5']);
    expect((await fetch(polling)).status).toBe(200);
  });

  it('over socket.io leads to one session in every namespace, also in one that is joined later', async () => {
    @WebSocketGateway({ namespace: 'news' })
    class NewsGateway extends Whose {
      @SubscribeMessage('whose')
      override whose(@Session() session: TestSession): Answer {
        return super.whose(session);
      }
    }
    const { browser, port, storage, store } = await open({
      routes: BASICS,
      providers: [Gateway, NewsGateway],
    });
    const { io } = await import('socket.io-client');
    const cookie = await cookieOf(browser());
    storage.forget();
    const options = { transports: ['websocket'], extraHeaders: { cookie }, forceNew: true };
    const main = io(`http://127.0.0.1:${port}`, options);
    await new Promise<void>((resolve) => main.on('connect', resolve));
    const news = main.io.socket('/news');
    await new Promise<void>((resolve) => news.on('connect', resolve));
    expect(storage.calls).toEqual(['find', 'find']);
    expect(connected).toEqual(['ada', 'ada']);
    news.emit('whose');
    expect(await new Promise((resolve) => news.on('answer', resolve))).toBe('ada');
    expect(store.manager.live.size).toBe(1);
    main.disconnect();
    news.disconnect();
  });

  it('reaches gateways on ports of their own', async () => {
    const other = await freePort();
    @WebSocketGateway(other)
    class ElsewhereGateway extends Whose {
      @SubscribeMessage('whose')
      override whose(@Session() session: TestSession): Answer {
        return super.whose(session);
      }
    }
    for (const kind of SOCKETS) {
      const { adapt, open: openSocket, path } = SOCKET_PLATFORMS[kind];
      const { app, browser, port, storage } = await open({
        routes: BASICS,
        providers: [Gateway, ElsewhereGateway],
        prepare: adapt,
      });
      const cookie = await cookieOf(browser());
      for (const each of [port, other]) {
        expect(await (await openSocket(each, { cookie })).ask('whose')).toEqual(answer('ada'));
      }
      storage.goDown();
      expect((await upgrade(other, path, { cookie })).status).toBe(503);
      await app.close();
    }
  });

  describe('with an adapter of the app', () => {
    it('that extends one of Nest, and has a verifyClient of its own, is checked', async () => {
      class StrictAdapter extends WsAdapter {
        override create(port: number, options: object): unknown {
          const verifyClient = ({ req }: { req: IncomingMessage }): boolean => req.headers['x-pass'] !== 'no';
          return super.create(port, { ...options, verifyClient }) as unknown;
        }

        override bindMessageHandlers(...args: Parameters<WsAdapter['bindMessageHandlers']>): void {
          super.bindMessageHandlers(...args);
        }
      }
      const { browser, port } = await open({
        routes: BASICS,
        providers: [Gateway],
        prepare: (app) => void app.useWebSocketAdapter(new StrictAdapter(app)),
      });
      const cookie = await cookieOf(browser());
      const socket = await SOCKET_PLATFORMS.ws.open(port, { cookie });
      expect(await socket.ask('whose')).toEqual(answer('ada'));
      expect((await upgrade(port, '/', { cookie, headers: { 'x-pass': 'no' } })).status).toBe(401);
      expect((await upgrade(port, '/', { cookie, headers: { origin: 'null' } })).status).toBe(403);
    });

    it('that is written from scratch on ws works, even if it keeps the request to itself', async () => {
      class OwnAdapter implements WebSocketAdapter<WebSocketServer, WebSocket> {
        constructor(private readonly app: INestApplicationContext & { getHttpServer(): unknown }) {}

        create(): WebSocketServer {
          return new WebSocketServer({ server: this.app.getHttpServer() as Server });
        }

        bindClientConnect(server: WebSocketServer, callback: (client: WebSocket) => void): void {
          server.on('connection', (client) => callback(client));
        }

        bindMessageHandlers(
          client: WebSocket,
          handlers: WsMessageHandler[],
          transform: (data: unknown) => Observable<unknown>,
        ): void {
          client.on('message', (text: Buffer) => {
            const { event, data } = JSON.parse(text.toString()) as Answer;
            const handler = handlers.find(({ message }) => message === event);
            if (handler)
              transform(handler.callback(data)).subscribe((sent) => client.send(JSON.stringify(sent)));
          });
        }

        close(server: WebSocketServer): void {
          for (const client of server.clients) client.terminate();
        }

        dispose(): void {}
      }
      const { browser, port } = await open({
        routes: BASICS,
        providers: [Gateway],
        prepare: (app) => void app.useWebSocketAdapter(new OwnAdapter(app)),
      });
      const socket = await SOCKET_PLATFORMS.ws.open(port, { cookie: await cookieOf(browser()) });
      expect(await socket.ask('whose')).toEqual(answer('ada'));
      expect(connected).toEqual(['ada']);
    });

    it('on servers of another kind is named in the log, and what needs a user refuses everybody', async () => {
      const bound: WsMessageHandler[] = [];
      class OtherAdapter implements WebSocketAdapter {
        create(): object {
          return new EventEmitter();
        }

        bindClientConnect(server: EventEmitter, callback: (client: object) => void): void {
          server.on('connection', callback);
        }

        bindMessageHandlers(_client: object, handlers: WsMessageHandler[]): void {
          bound.push(...handlers);
        }

        close(): void {}

        dispose(): void {}
      }
      let server = new EventEmitter();
      const adapter = new (class extends OtherAdapter {
        override create(): object {
          return (server = new EventEmitter());
        }
      })();
      const { log } = await open({
        providers: [GuardedGateway],
        prepare: (app) => void app.useWebSocketAdapter(adapter),
      });
      expect(log.sessionWarnings).toEqual([
        expect.stringMatching(/^The WebSocket adapter .*ws or of socket\.io/),
      ]);
      const sent: unknown[] = [];
      const client = Object.assign(new EventEmitter(), {
        readyState: 1,
        send: (text: string) => sent.push(JSON.parse(text)),
      });
      server.emit('connection', client);
      await (bound[0]?.callback({}) as Promise<unknown>);
      expect(sent).toEqual([
        { event: 'exception', data: expect.objectContaining({ code: 'session_unsupported' }) },
      ]);
    });
  });
});

@WebSocketGateway()
class GuardedGateway {
  @RequireAuth()
  @SubscribeMessage('secret')
  secret(): Answer {
    return answer('secret');
  }
}

/** A port that was free a moment ago. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
