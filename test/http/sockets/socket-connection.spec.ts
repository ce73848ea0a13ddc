import { SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { map, type Observable, Subject } from 'rxjs';
import { RequireAuth, Session, UserId } from 'nest-sessions';
import type { TestSession } from '../../support/routes.js';
import { type OpenApp, onEachPlatform, type TestApp } from '../../support/open-app.js';
import { BASICS, dataOf, door } from '../../support/session-routes.js';
import {
  type Answer,
  closeSockets,
  codeOf,
  cookieNow,
  cookieOf,
  SOCKET_PLATFORMS,
  SOCKETS,
} from '../../support/sockets.js';

afterEach(closeSockets);

const answer = (data: unknown): Answer => ({ event: 'answer', data });

/** What the answers to one message come from. */
const ticks = new Subject<number>();

let way = door();
beforeEach(() => (way = door()));

@WebSocketGateway()
class Gateway {
  @RequireAuth()
  @SubscribeMessage('user')
  user(@UserId() user: string): Answer {
    return answer(user);
  }

  @SubscribeMessage('out')
  async out(@Session() session: TestSession): Promise<Answer> {
    await session.logout();
    return answer('signed out');
  }

  @SubscribeMessage('out and fail')
  async outAndFail(@Session() session: TestSession): Promise<never> {
    await session.logout();
    throw new Error('of the app');
  }

  @SubscribeMessage('out and wait')
  async outAndWait(@Session() session: TestSession): Promise<Answer> {
    await session.logout();
    await way.opened;
    return answer('waited');
  }

  @SubscribeMessage('others')
  async others(@Session() session: TestSession): Promise<Answer> {
    return answer(await session.logoutOthers());
  }

  @SubscribeMessage('list')
  async list(@Session() session: TestSession): Promise<Answer> {
    return answer((await session.list()).length);
  }

  /** Answers for as long as somebody listens, and keeps something with each answer. */
  @SubscribeMessage('watch')
  watch(@Session() session: TestSession): Observable<Answer> {
    return ticks.pipe(
      map((tick) => {
        session.data.theme = `tick ${tick}`;
        return answer(tick);
      }),
    );
  }

  @SubscribeMessage('change later')
  async later(@Session() session: TestSession): Promise<Answer> {
    session.data.theme = 'dark';
    await way.opened;
    return answer('changed');
  }
}

onEachPlatform('a socket', (open: OpenApp, platform) => {
  /** The whole number on one platform, part of it on the other: the way of a message is the same. */
  const many = (whole: number): number => (platform === 'express' ? whole : whole / 20);

  describe.each(SOCKETS)('over %s', (kind) => {
    const { adapt, open: openSocket } = SOCKET_PLATFORMS[kind];
    /** How a client is told. */
    const ended = (reason: string): string =>
      kind === 'ws' ? `1008 ${reason}` : reason === 'replaced' ? 'transport close' : 'io server disconnect';

    const start = (): Promise<TestApp> => open({ routes: BASICS, providers: [Gateway], prepare: adapt });

    it('ends when its session is signed out, revoked, evicted or replaced', async () => {
      const { browser, port, store } = await open({
        routes: BASICS,
        providers: [Gateway],
        prepare: adapt,
        options: { maxPerUser: 2 },
      });
      const endings: [
        reason: string,
        end: (own: ReturnType<typeof browser>, id: string) => Promise<unknown>,
      ][] = [
        ['logout', (own) => own.get('/do/out')],
        ['revoked', (_own, id) => store.destroy(id)],
        ['replaced', (own) => own.get('/do/in?user=ada')],
      ];
      for (const [reason, end] of endings) {
        const own = browser();
        const socket = await openSocket(port, { cookie: await cookieOf(own) });
        const [session] = await store.listForUser('ada');
        await end(own, session?.id ?? '');
        expect([reason, await socket.ended]).toEqual([reason, ended(reason)]);
        await store.destroyAllForUser('ada');
      }
      const oldest = await openSocket(port, { cookie: await cookieOf(browser()) });
      await cookieOf(browser());
      await cookieOf(browser());
      expect(await oldest.ended).toBe(ended('evicted'));
    });

    it('stays open until the response of the sign-in that replaces its session has left', async () => {
      const { browser, port, storage } = await open({
        routes: {
          ...BASICS,
          'sign in and work': async ({ session }) => {
            await session.authenticate('bob');
            await way.opened;
          },
        },
        providers: [Gateway],
        prepare: adapt,
      });
      const own = browser();
      const cookie = await cookieOf(own);
      const socket = await openSocket(port, { cookie });
      let isEnded = false;
      void socket.ended.then(() => (isEnded = true));
      const signingIn = own.get('/do/sign%20in%20and%20work');
      while ([...storage.memory.stored.values()].every(({ userId }) => userId !== 'bob'))
        await new Promise((resolve) => setTimeout(resolve, 5));
      expect(codeOf(await socket.ask('user'))).toBe('session_gone');
      await new Promise((resolve) => setTimeout(resolve, 20));
      expect(isEnded).toBe(false);
      way.open();
      await signingIn;
      expect(await socket.ended).toBe(ended('replaced'));
      expect(await cookieNow(own)).not.toBe(cookie);
    });

    it('is closed after the answer to the message that signs out, and so are its siblings', async () => {
      const { browser, port, store } = await start();
      for (const event of ['out', 'out and fail']) {
        const cookie = await cookieOf(browser());
        const [socket, sibling] = [await openSocket(port, { cookie }), await openSocket(port, { cookie })];
        const reply = await socket.ask(event);
        if (event === 'out') expect(reply).toEqual(answer('signed out'));
        else expect(reply.event).toBe('exception');
        expect([await socket.ended, await sibling.ended]).toEqual([ended('logout'), ended('logout')]);
      }
      expect(await store.listForUser('ada')).toEqual([]);
      expect(store.manager.live.size).toBe(0);
    });

    it('can sign other devices out, and list them', async () => {
      const { browser, port } = await start();
      const other = await openSocket(port, { cookie: await cookieOf(browser()) });
      const socket = await openSocket(port, { cookie: await cookieOf(browser()) });
      expect(await socket.ask('list')).toEqual(answer(2));
      expect(await socket.ask('others')).toEqual(answer(1));
      expect(await other.ended).toBe(ended('logout-others'));
      expect(await socket.ask('list')).toEqual(answer(1));
    });

    it('whose session another process has ended is told so by its next message, and is closed', async () => {
      const { browser, port, storage } = await start();
      const socket = await openSocket(port, { cookie: await cookieOf(browser()) });
      await storage.backend.delete({ userId: 'ada' });
      expect(codeOf(await socket.ask('user'))).toBe('session_gone');
      expect(await socket.ended).toBe(ended('revoked'));
    });

    it('survives an outage, and goes on when it is over', async () => {
      const { browser, port, storage, log } = await start();
      const cookie = await cookieOf(browser());
      const sockets = await Promise.all(
        Array.from({ length: many(1000) }, () => openSocket(port, { cookie })),
      );
      storage.goDown();
      const refused = await Promise.all(sockets.map((socket) => socket.ask('user')));
      expect(new Set(refused.map(codeOf))).toEqual(new Set(['session_store_unavailable']));
      expect(JSON.stringify(refused)).not.toContain('internal');
      storage.recover();
      const served = await Promise.all(sockets.map((socket) => socket.ask('user')));
      expect(served).toEqual(sockets.map(() => answer('ada')));
      expect(log.sessionErrors.length).toBeLessThan(3);
    });

    it('is refused with the code of a save that fails, and the change is not kept', async () => {
      const { browser, port, storage, log } = await start();
      const ada = browser();
      const socket = await openSocket(port, { cookie: await cookieOf(ada) });
      storage.fail('save');
      way.open();
      expect(codeOf(await socket.ask('change later'))).toBe('session_store_unavailable');
      storage.recover();
      expect(await dataOf(ada)).toEqual({});
      expect(log.lines.filter(({ message }) => message.includes('WsException'))).toEqual([]);
    });

    it('counts a message as use when it comes, and none of the answers to it', async () => {
      const { browser, port, store, clock } = await open({
        routes: BASICS,
        providers: [Gateway],
        prepare: adapt,
        options: { ttl: '30m', live: { recheck: '1h' } },
      });
      const ada = browser();
      const socket = await openSocket(port, { cookie: await cookieOf(ada) });
      clock.advance('10m');
      const first = socket.ask('watch');
      while (!ticks.observed) await new Promise((resolve) => setTimeout(resolve, 5));
      const asked = clock.now();
      ticks.next(1);
      expect(await first).toEqual(answer(1));
      for (const tick of [2, 3]) {
        clock.advance('10m');
        ticks.next(tick);
        expect(await socket.next()).toEqual(answer(tick));
      }
      await store.manager.drain();
      const [session] = await store.listForUser('ada');
      expect(session?.lastActiveAt.getTime()).toBe(asked);
      socket.hangUp(); // which is no use either
      await socket.ended;
      clock.advance('10m');
      await store.manager.drain();
      expect(await store.listForUser('ada')).toEqual([]);
    });

    it('that hangs up while its message is handled keeps what that changes', async () => {
      const { browser, port, store } = await start();
      const ada = browser();
      const socket = await openSocket(port, { cookie: await cookieOf(ada) });
      socket.tell('change later');
      await new Promise((resolve) => setTimeout(resolve, 50));
      socket.hangUp();
      await socket.ended;
      way.open();
      await new Promise((resolve) => setTimeout(resolve, 50));
      expect(await dataOf(ada)).toEqual({ theme: 'dark' });
      expect(store.manager.live.size).toBe(0);
    });

    it('that sends ten thousand messages at once has few look-ups, and an answer to each', async () => {
      const { browser, port, storage } = await start();
      const socket = await openSocket(port, { cookie: await cookieOf(browser()) });
      storage.forget();
      const count = many(10_000);
      for (let i = 0; i < count; i++) socket.tell('user');
      let served = 0;
      for (let i = 0; i < count; i++) if ((await socket.next()).data === 'ada') served++;
      expect(served).toBe(count);
      expect(storage.calls.filter((call) => call === 'find').length).toBeLessThan(count / 10);
    }, 30_000);

    it('never gets the session of another, however their messages meet', async () => {
      const { browser, port } = await start();
      const users = Array.from({ length: 50 }, (_, i) => `user-${i}`);
      const sockets = await Promise.all(
        users.map(async (user) => openSocket(port, { cookie: await cookieOf(browser(), user) })),
      );
      const answers = await Promise.all(
        Array.from({ length: 2000 }, async (_, i) => {
          const socket = sockets[i % 50];
          return [users[i % 50], await socket?.ask('user')];
        }),
      );
      expect(
        answers.filter(([user, reply]) => JSON.stringify(reply) !== JSON.stringify(answer(user))),
      ).toEqual([]);
    }, 30_000);
  });

  it('over socket.io comes back with its new cookie after a sign-in, and does not after a revocation', async () => {
    const { browser, port, store } = await open({ routes: BASICS, providers: [Gateway] });
    const { io } = await import('socket.io-client');
    const ada = browser();
    const headers = { cookie: await cookieOf(ada) };
    const client = io(`http://127.0.0.1:${port}`, {
      transports: ['websocket'],
      extraHeaders: headers,
      reconnectionDelay: 50,
      forceNew: true,
    });
    const connect = (): Promise<void> => new Promise((resolve) => client.once('connect', resolve));
    const disconnect = (): Promise<string> => new Promise((resolve) => client.once('disconnect', resolve));
    const ask = (): Promise<unknown> => new Promise((resolve) => client.once('answer', resolve).emit('user'));
    await connect();
    const gone = disconnect();
    await ada.get('/do/in?user=bob');
    headers.cookie = await cookieNow(ada);
    expect(await gone).toBe('transport close');
    await connect();
    expect(await ask()).toBe('bob');
    const revoked = disconnect();
    await store.destroyAllForUser('bob');
    expect(await revoked).toBe('io server disconnect');
    expect(client.active).toBe(false);
    client.disconnect();
  });

  it('over socket.io comes back with its new cookie after a sign-in at another process', async () => {
    const options = { live: { recheck: '100ms' } };
    const here = await open({ routes: BASICS, providers: [Gateway], options });
    const elsewhere = await open({ routes: BASICS, storage: here.storage, clock: here.clock });
    const { io } = await import('socket.io-client');
    const visitor = elsewhere.browser();
    await visitor.post('/do/set', { theme: 'dark' });
    const headers = { cookie: await cookieNow(visitor) };
    const client = io(`http://127.0.0.1:${here.port}`, {
      transports: ['websocket'],
      extraHeaders: headers,
      reconnectionDelay: 50,
      forceNew: true,
    });
    const connect = (): Promise<void> => new Promise((resolve) => client.once('connect', resolve));
    await connect();
    const back = new Promise((resolve) => client.once('disconnect', resolve)).then(connect);
    await visitor.get('/do/in?user=ada');
    headers.cookie = await cookieNow(visitor);
    await back;
    expect(await new Promise((resolve) => client.once('answer', resolve).emit('user'))).toBe('ada');
    client.disconnect();
  });

  it('over socket.io ends with its session in the namespaces that are left', async () => {
    @WebSocketGateway({ namespace: 'news' })
    class NewsGateway {}
    const { browser, port, store } = await open({ routes: BASICS, providers: [Gateway, NewsGateway] });
    const { io } = await import('socket.io-client');
    const extraHeaders = { cookie: await cookieOf(browser()) };
    const main = io(`http://127.0.0.1:${port}`, { transports: ['websocket'], extraHeaders, forceNew: true });
    const news = main.io.socket('/news');
    await Promise.all(
      [main, news].map((one) => new Promise<void>((resolve) => one.once('connect', resolve))),
    );
    main.disconnect(); // of the first namespace: the connection stays open for the other
    const ended = new Promise((resolve) => news.once('disconnect', resolve));
    await store.destroyAllForUser('ada');
    expect(await ended).toBe('io server disconnect');
    expect(news.active).toBe(false);
  });
});
