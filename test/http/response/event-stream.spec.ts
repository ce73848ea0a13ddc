import { Controller, Sse } from '@nestjs/common';
import { once } from 'node:events';
import { Agent } from 'node:http';
import { connect } from 'node:net';
import { Readable } from 'node:stream';
import { RequireAuth, Session, type SessionOptions, SkipSession } from 'nest-sessions';
import { map, Observable, Subject } from 'rxjs';
import { onEachPlatform, type OpenApp, type TestApp } from '../../support/open-app.js';
import type { Browser } from '../../support/browser.js';
import type { Route, TestSession } from '../../support/routes.js';
import { BASICS, dataOf, door, seenBy, userOf } from '../../support/session-routes.js';

const EVENT_STREAM = { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' };

/** An app with event streams, fed by the test, and a browser that is signed in. */
async function openStreams(
  open: OpenApp,
  options: SessionOptions = {},
  onEvent: (session: TestSession) => unknown = () => undefined,
) {
  const feed = new Subject<string>();
  let stopped = door();
  /** What a producer of events does, and how it notices that it is to stop. */
  const produce = (session: TestSession) =>
    new Observable<{ data: string }>((subscriber) => {
      const events = feed.pipe(map((data) => (onEvent(session), { data })));
      const subscription = events.subscribe(subscriber);
      return () => {
        subscription.unsubscribe();
        stopped.open();
      };
    });

  @Controller()
  class EventController {
    @Sse('events')
    @RequireAuth()
    events(@Session() session: TestSession) {
      return produce(session);
    }

    @Sse('skipped')
    @SkipSession()
    skipped() {
      return produce(undefined as unknown as TestSession);
    }
  }

  const routes: Record<string, Route> = {
    ...BASICS,
    write: ({ session }, response) => {
      response.writeHead(200, EVENT_STREAM);
      const listening = feed.subscribe((data) => {
        onEvent(session);
        response.write(`data: ${data}\n\n`);
      });
      response.write(': hello\n\n');
      response.on('close', () => {
        listening.unsubscribe();
        stopped.open();
      });
    },
    send: (_call, response, reply) => {
      const source = new Readable({ read: () => undefined });
      const listening = feed.subscribe((data) => source.push(`data: ${data}\n\n`));
      const stop = (): void => {
        listening.unsubscribe();
        stopped.open();
      };
      source.push(': hello\n\n');
      reply.header('Content-Type', 'text/event-stream; charset=utf-8');
      if (reply.raw) {
        source.on('close', stop);
        reply.send(source);
      } else {
        response.on('close', stop);
        source.pipe(response);
      }
    },
    download: (_call, response) => {
      response.writeHead(200, { 'Content-Type': 'text/csv' });
      feed.subscribe({ next: (data) => response.write(data), complete: () => response.end('the end') });
    },
  };
  const app = await open({ controllers: [EventController], routes, options });
  const ada = app.browser();
  await ada.post('/do/in');
  const begin = async (path: string, browser: Browser = ada) => {
    stopped = door();
    const before = app.store.manager.live.size;
    const exchange = await browser.start('GET', path, { agent: new Agent({ keepAlive: true }) });
    while (!feed.observed) await browser.get('/plain');
    await exchange.shows('\n');
    return { ...exchange, hasStopped: stopped.opened, before };
  };
  return { ...app, ada, feed, begin };
}

/** The id of who is signed in. */
const idOf = async (browser: Browser): Promise<string> => (await seenBy(browser)).id ?? '';

/** Another process on the same storage. */
const otherProcess = (open: OpenApp, { storage, clock }: TestApp) => open({ storage, clock, routes: BASICS });

const WAYS = ['/events', '/raw/write', '/raw/send'];

describe.each([['guard'], ['middleware']] as const)('with mount %s', (mount) => {
  onEachPlatform('an event stream', (open) => {
    it.each(WAYS)('ends with its session, and so does its producer: %s', async (path) => {
      const { ada, browser, store, log, feed, begin } = await openStreams(open, { mount });
      const id = await idOf(ada);
      const stream = await begin(path);
      feed.next('one');
      await stream.shows('data: one');
      await store.delete(id);
      const { status, text } = await stream.reply; // it ends, rather than breaks off
      expect(status).toBe(200);
      expect(text).toContain('data: one');
      await stream.hasStopped;
      feed.next('two');
      expect(store.manager.live.size).toBe(0);
      expect(log.sessionErrors).toEqual([]);
      expect((await browser().get('/plain')).status).toBe(200);
    });

    it('that reconnects is refused, and keeps the cookie that a newer sign-in may have set', async () => {
      const { ada, store, begin } = await openStreams(open, { mount });
      const stream = await begin('/events');
      await store.destroyAllForUser('ada');
      await stream.reply;
      const again = await ada.get('/events');
      expect([again.status, again.setCookies]).toEqual([401, []]);
    });

    it('ends when its browser signs in anew, and reconnects with the new cookie', async () => {
      const { ada, feed, begin } = await openStreams(open, { mount });
      const stream = await begin('/events');
      await ada.post('/do/in?user=bob');
      await stream.reply;
      const again = await begin('/events');
      feed.next('for bob');
      await again.shows('for bob');
      expect(await userOf(ada)).toBe('bob');
      again.abort();
    });

    it('ends with a logout of its browser, and stays open when others log out', async () => {
      const { ada, browser, feed, begin } = await openStreams(open, { mount });
      const bob = browser();
      await bob.post('/do/in?user=bob');
      const stream = await begin('/events');
      await bob.post('/do/out');
      feed.next('still there');
      await stream.shows('still there');
      await ada.post('/do/out');
      await stream.reply;
    });

    it('of a route that skips the session stays open', async () => {
      const { ada, store, feed, begin } = await openStreams(open, { mount });
      const id = await idOf(ada);
      const stream = await begin('/skipped');
      expect(store.manager.live.size).toBe(0);
      await store.delete(id);
      feed.next('still there');
      await stream.shows('still there');
      stream.abort();
    });

    it('is forgotten when its client hangs up', async () => {
      const { ada, store, begin } = await openStreams(open, { mount });
      const stream = await begin('/events');
      expect(store.manager.live.size).toBe(1);
      stream.abort();
      await stream.hasStopped;
      while (store.manager.live.size > 0) await ada.get('/plain');
    });
  });
});

onEachPlatform('an event stream', (open, platform) => {
  it('ends when another process has ended its session', async () => {
    const app = await openStreams(open, { live: { recheck: '100ms' } });
    const stream = await app.begin('/events');
    const other = await otherProcess(open, app);
    await other.store.destroyAll();
    expect((await stream.reply).status).toBe(200);
    await stream.hasStopped;
  });

  it('ends at its idle expiry', async () => {
    const { clock, begin } = await openStreams(open, { ttl: '1h', live: { recheck: '100ms' } });
    const stream = await begin('/events');
    clock.advance('1h');
    expect((await stream.reply).status).toBe(200);
  });

  it('stays open while storage is down', async () => {
    const { ada, storage, feed, begin } = await openStreams(open, { live: { recheck: '100ms' } });
    const stream = await begin('/events');
    storage.goDown();
    while (storage.calls.filter((call) => call === 'alive').length < 3) await ada.get('/plain');
    feed.next('still there');
    await stream.shows('still there');
    storage.recover();
    stream.abort();
  });

  it('ends also where there are a hundred of one session', async () => {
    const { store, begin } = await openStreams(open);
    const streams = await Promise.all(Array.from({ length: 100 }, () => begin('/raw/write')));
    expect(store.manager.live.size).toBe(1);
    await store.destroyAll();
    for (const { reply } of streams) expect((await reply).status).toBe(200);
  });

  it('ends when its own handler ends the session', async () => {
    const { feed, log, begin } = await openStreams(open, {}, (session) => void session.logout());
    const stream = await begin('/events');
    feed.next('one');
    await stream.reply;
    expect(log.sessionErrors).toEqual([]);
  });

  it('of which the client reads nothing has its connection closed', async () => {
    const { ada, port, store, feed } = await openStreams(open);
    const cookie = await ada.cookie();
    const socket = connect(port, '127.0.0.1', () =>
      socket.write(`GET /raw/write HTTP/1.1\r\nHost: app.test\r\nCookie: __Host-sid=${cookie}\r\n\r\n`),
    );
    socket.on('error', () => undefined);
    await once(socket, 'readable'); // and never reads it
    while (!feed.observed) await ada.get('/plain');
    for (let n = 0; n < 200; n++) feed.next('x'.repeat(100_000));
    await store.destroyAll();
    while (feed.observed) await ada.get('/plain');
    socket.destroy();
  });

  it('is the only long response that ends: a download goes on to its end', async () => {
    const { ada, store, feed } = await openStreams(open);
    const download = await ada.start('GET', '/raw/download');
    while (!feed.observed) await ada.get('/plain');
    feed.next('one,');
    await download.shows('one,');
    expect(store.manager.live.size).toBe(0);
    await store.destroyAll();
    feed.next('two,');
    feed.complete();
    expect((await download.reply).text).toBe('one,two,the end');
  });

  it('costs a response that ends at once no registration', async () => {
    const { ada, store, begin } = await openStreams(open);
    const added: string[] = [];
    const { live } = store.manager;
    const add = live.add.bind(live);
    live.add = (row, connection) => {
      added.push(row.id);
      return add(row, connection);
    };
    for (const path of ['/do/see', '/do/list', '/plain', '/do/data']) await ada.get(path);
    expect(added).toEqual([]);
    const stream = await begin('/events');
    expect(added).toHaveLength(1);
    stream.abort();
  });

  describe('that changes its session with each event', () => {
    const ONCE =
      /^GET .*: the session was changed while its event stream goes on\. .*use `update\(fn\)`.* said once a stream$/;

    it.each(['/events', '/raw/write'])('saves at each, with one warning: %s', async (path) => {
      const { ada, feed, log, begin } = await openStreams(open, {}, (session) => {
        session.data.count = (session.data.count ?? 0) + 1;
      });
      const stream = await begin(path);
      for (let n = 1; n <= 5; n++) {
        feed.next(`event ${n}`);
        await stream.shows(`event ${n}`);
        while ((await dataOf(ada))['count'] !== n) await ada.get('/plain');
      }
      expect(log.sessionErrors).toEqual([]);
      expect(log.sessionWarnings).toEqual([expect.stringMatching(ONCE)]);
      stream.abort();
    });

    it('does not keep the session alive by that: no event is a use of it', async () => {
      let updated: Promise<void> = Promise.resolve();
      const { store, clock, feed, begin } = await openStreams(open, { ttl: '30m' }, (session) => {
        updated = session.update((data) => void (data.count = (data.count ?? 0) + 1));
      });
      const [before] = await store.listForUser('ada');
      const stream = await begin('/events');
      for (let n = 1; n <= 2; n++) {
        clock.advance('10m');
        feed.next(`event ${n}`);
        await stream.shows(`event ${n}`);
        await updated;
      }
      const [during] = await store.listForUser('ada');
      expect(during?.lastActiveAt).toEqual(before?.lastActiveAt);
      clock.advance('10m');
      expect(await store.listForUser('ada')).toEqual([]);
      stream.abort();
    });

    it('by `update` saves at each, without a line', async () => {
      let updated: Promise<void> = Promise.resolve();
      const { ada, feed, log, begin } = await openStreams(open, {}, (session) => {
        updated = session.update((data) => void (data.count = (data.count ?? 0) + 1));
      });
      const stream = await begin('/events');
      for (let n = 1; n <= 5; n++) {
        feed.next(`event ${n}`);
        await stream.shows(`event ${n}`);
        await updated;
        await ada.post('/do/set', { [`other${n}`]: 'kept' });
      }
      expect(await dataOf(ada)).toMatchObject({ count: 5, other1: 'kept', other5: 'kept' });
      expect([...log.sessionErrors, ...log.sessionWarnings]).toEqual([]);
      stream.abort();
    });

    it('is told once that storage is down, and goes on', async () => {
      const { ada, feed, log, storage, begin } = await openStreams(open, {}, (session) => {
        session.data.count = (session.data.count ?? 0) + 1;
      });
      const stream = await begin('/events');
      storage.fail('save', 'find');
      for (let n = 1; n <= 5; n++) {
        feed.next(`event ${n}`);
        await stream.shows(`event ${n}`);
      }
      storage.recover();
      feed.next('event 6');
      await stream.shows('event 6');
      expect(await dataOf(ada)).toEqual({ count: 1 });
      const own = log.sessionErrors.filter((line) => line.startsWith('GET '));
      expect(own).toEqual([
        expect.stringMatching(/ while its event stream goes on, and could not be saved: .* once a stream$/),
      ]);
      stream.abort();
    });

    it('ends at the first event behind the end of its session, without an error in the log', async () => {
      const app = await openStreams(open, { live: { recheck: '1h' } }, (session) => {
        session.data.count = (session.data.count ?? 0) + 1;
      });
      const stream = await app.begin('/events');
      const other = await otherProcess(open, app);
      await other.store.destroyAll();
      app.feed.next('one');
      await stream.reply;
      expect(app.log.sessionErrors).toEqual([]);
    });
  });

  it(`is one by its type alone, however that is written, on ${platform}`, async () => {
    const app = await open({
      routes: {
        ...BASICS,
        upper: (_call, response) => {
          response.setHeader('content-type', 'Text/Event-Stream;charset=UTF-8');
          response.flushHeaders();
        },
        other: (_call, response) => {
          response.setHeader('Content-Type', 'text/event-streams');
          response.write('x');
          response.end();
        },
      },
    });
    const ada = app.browser();
    await ada.post('/do/in');
    const stream = await ada.start('GET', '/raw/upper');
    while (app.store.manager.live.size === 0) await ada.get('/plain');
    await ada.get('/raw/other');
    expect(app.store.manager.live.size).toBe(1);
    await app.store.destroyAll();
    await stream.reply;
  });
});
