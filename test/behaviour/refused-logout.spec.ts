import { SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { Session, SessionStore } from 'nest-sessions';
import { OTHER_KEY } from '../core/support/open-store.js';
import type { Browser } from '../support/browser.js';
import { onEachPlatform } from '../support/open-app.js';
import type { Call, Routes, TestSession } from '../support/routes.js';
import { BASICS, refusal, seenBy, userOf } from '../support/session-routes.js';
import {
  type Answer,
  closeSockets,
  codeOf,
  cookieNow,
  SOCKET_PLATFORMS,
  SOCKETS,
} from '../support/sockets.js';
import { rowsOf, type TestStorage } from '../support/storage.js';

afterEach(closeSockets);

/** `req.session` of express-session. */
interface ExpressFace {
  destroy(): Promise<void>;
  regenerate(): Promise<void>;
}
const faceOf = ({ request }: Call): ExpressFace => {
  const { raw, session = (raw as typeof request | undefined)?.session } = request;
  return session as unknown as ExpressFace;
};

/** All that ends the session of its own request. */
const ENDINGS: Routes = {
  'logout()': ({ session }) => session.logout(),
  'logoutAll()': async ({ session }) => ({ ended: await session.logoutAll() }),
  'revoke()': async ({ session, body }) => ({ revoked: await session.revoke(body['id'] ?? '') }),
  'req.session.destroy()': (call) => faceOf(call).destroy(),
  'req.session.regenerate()': (call) => faceOf(call).regenerate(),
  'authenticate()': ({ session }) => session.authenticate('ada'),
  'authenticate() by bearer': async ({ session }) => {
    await session.authenticate('ada', { transport: 'bearer' });
  },
};

const routes: Routes = { ...BASICS, ...ENDINGS };
const options = { mount: 'middleware', transport: ['cookie', 'bearer'] } as const;
const pathOf = (name: string): string => `/do/${encodeURIComponent(name)}`;

/** Storage does what it is told next, and then cannot say that it lasts: as Redis does that waits for a replica in vain. */
function refuseNext(storage: TestStorage, method: 'delete' | 'insert'): void {
  const held = storage.hold(method, 'after');
  void held.reached.then(() => held.release(new Error('No replica confirmed the write')));
}

const deletesOf = ({ calls }: TestStorage): number => calls.filter((call) => call === 'delete').length;

onEachPlatform('what ends the session of its request, and was refused when it had done so', (open) => {
  const openSignedIn = async () => {
    const opened = await open({ routes, options });
    const ada = opened.browser();
    await ada.post('/do/in');
    const { id } = await seenBy(ada);
    return { ...opened, ada, id: id ?? '' };
  };

  it.each(Object.keys(ENDINGS))(
    'writes again when %s is tried again, until that is confirmed',
    async (name) => {
      const { ada, id, storage, events } = await openSignedIn();
      const cookie = await ada.cookie();
      refuseNext(storage, name.startsWith('authenticate') ? 'insert' : 'delete');
      expect(refusal(await ada.post(pathOf(name), { id })).status).toBe(503);
      expect(rowsOf(storage).map((row) => row.id)).not.toContain(id);

      for (const _ of [1, 2]) {
        refuseNext(storage, 'delete');
        const reply = await ada.post(pathOf(name), { id });
        expect(refusal(reply)).toEqual({ status: 503, code: 'session_store_unavailable' });
        expect([reply.headers['retry-after'], reply.setCookies]).toEqual(['5', []]);
        expect(await ada.cookie()).toBe(cookie);
      }
      storage.forget();
      expect((await ada.post(pathOf(name), { id })).status).toBe(200);
      expect(deletesOf(storage)).toBe(1);
      expect(events.filter(({ name: event }) => event === 'revoked')).toEqual([]); // nothing ended that was not there
    },
  );

  it('is done again by each try of one request', async () => {
    let refuse = (): void => undefined;
    const { browser, storage } = await open({
      routes: {
        ...BASICS,
        stubborn: async ({ session }) => {
          refuse();
          await session.logout().catch(() => undefined);
          await session.logout();
        },
      },
    });
    refuse = () => refuseNext(storage, 'delete');
    const ada = browser();
    await ada.post('/do/in');
    storage.forget();
    expect((await ada.post('/do/stubborn')).status).toBe(200);
    expect(deletesOf(storage)).toBe(2);
  });

  it('ends behind a call that has found the session gone, in the same request', async () => {
    const opened = await open({
      routes: {
        ...BASICS,
        leave: async ({ session }) => {
          await opened.store.delete(session.id ?? '');
          await session.logoutOthers().catch(() => undefined);
          opened.storage.forget();
          await session.logout();
        },
      },
    });
    const ada = opened.browser();
    await ada.post('/do/in');
    expect((await ada.post('/do/leave')).status).toBe(200);
    expect(deletesOf(opened.storage)).toBe(1);
  });

  it('costs nothing without a token of ours, and a token that no key of ours has signed ends nothing', async () => {
    const { ada, id, browser, storage, store } = await openSignedIn();
    const stranger = new SessionStore(storage.memory, { key: OTHER_KEY });
    const foreign = stranger.parts.issuer.issue(id, { generation: 0, kin: undefined }).reveal();
    const genuine = (await ada.cookie()) ?? '';
    const altered = genuine.slice(0, -1) + (genuine.endsWith('A') ? 'B' : 'A');
    const ended = await store.create({}, 'bob');
    await store.delete(ended.session.id);
    const ofEnded = stranger.parts.issuer.issue(ended.session.id, { generation: 0, kin: undefined }).reveal();
    for (const planted of [undefined, 'junk', foreign, altered, ofEnded]) {
      for (const name of Object.keys(ENDINGS).filter((one) => !one.startsWith('authenticate'))) {
        const visitor = browser();
        if (planted !== undefined) await visitor.plant(planted);
        storage.forget();
        expect((await visitor.post(pathOf(name), { id })).status).toBe(200);
        expect(storage.calls).toEqual([]);
      }
    }
    expect(await userOf(ada)).toBe('ada');
  });

  it('changes nothing by a page of another site', async () => {
    const { ada, id, storage, store } = await openSignedIn();
    await store.delete(id);
    const foreign = { 'sec-fetch-site': 'cross-site', origin: 'https://evil.test' };
    storage.forget();
    for (const name of ['logout()', 'logoutAll()', 'revoke()']) {
      const reply = await ada.post(pathOf(name), { id }, foreign);
      expect(reply.status).toBe(403);
    }
    expect((await ada.post(pathOf('authenticate() by bearer'), {}, foreign)).status).toBe(200);
    expect(deletesOf(storage)).toBe(0);
  });

  it.each(['logout()', 'logoutAll()'])(
    'writes again by %s also where a cookie behind that of the ended session leads to another one',
    async (name) => {
      const { ada, id, storage, store, browser } = await openSignedIn();
      const behind = await store.create({}, 'bob');
      const cookie = `${await cookieNow(ada)}; __Host-sid=${behind.token.reveal()}`;
      refuseNext(storage, 'delete');
      expect((await browser().post(pathOf(name), {}, { cookie })).status).toBe(503);
      const selections: unknown[] = [];
      const { memory } = storage;
      const remove = memory.delete.bind(memory);
      memory.delete = (selection) => (selections.push(selection), remove(selection));
      expect((await browser().post(pathOf(name), {}, { cookie })).status).toBe(200);
      expect(JSON.stringify(selections)).toContain(id);
      expect(rowsOf(storage)).toEqual([]);
    },
  );

  it('leaves the visitor what a visitor has: something may be kept, and nobody is told to drop a cookie', async () => {
    const { browser, store } = await open({
      routes: {
        ...BASICS,
        bye: async ({ session }) => {
          await session.logout();
          session.flash('info', 'See you');
        },
      },
    });
    const [ada, eve] = [browser(), browser()];
    for (const one of [ada, eve]) await one.post('/do/in');
    await store.destroyAllForUser('ada');
    const reply = await eve.post('/do/out');
    expect([reply.status, reply.setCookies]).toEqual([200, []]); // it may be that of a newer sign-in
    expect((await ada.post('/do/bye')).setCookies).toEqual([
      expect.stringMatching(/^__Host-sid=[\w-]{119};/),
    ]);
  });
});

onEachPlatform('a session that is there again before it is signed out once more', (open) => {
  /** Signed in on two devices; the first was signed out everywhere, which storage undoes while the next request runs. */
  const openUndone = async (again: (session: TestSession) => Promise<unknown>) => {
    let undo = (): void => undefined;
    const opened = await open({
      routes: {
        ...BASICS,
        again: ({ session }) => {
          undo();
          return again(session);
        },
      },
    });
    const { browser, storage, store } = opened;
    const [laptop, phone] = [browser(), browser()];
    for (const one of [laptop, phone]) await one.post('/do/in');
    const rows = rowsOf(storage);
    await store.destroyAllForUser('ada');
    undo = () => rows.forEach((row) => storage.memory.plant(row));
    return { ...opened, laptop, phone, events: opened.events as readonly { name: string }[] };
  };
  const revoked = (events: readonly { name: string }[]): readonly unknown[] =>
    events.filter(({ name }) => name === 'revoked').slice(2);

  it('ends by `logout()`, and alone', async () => {
    const { laptop, phone, events } = await openUndone((session) => session.logout());
    const copy = await laptop.copy();
    const reply = await laptop.post('/do/again');
    expect(reply.setCookies).toEqual([expect.stringContaining('Max-Age=0')]); // this request has ended it
    expect([await userOf(copy), await userOf(phone)]).toEqual([null, 'ada']);
    expect(revoked(events)).toEqual([expect.objectContaining({ reason: 'logout', userId: 'ada' })]);
  });

  it('ends by `logoutAll()`, and so do all others of its user', async () => {
    const { laptop, phone } = await openUndone(async (session) => ({ ended: await session.logoutAll() }));
    const copy = await laptop.copy();
    expect((await laptop.post('/do/again')).json()).toEqual({ ended: 2 });
    expect([await userOf(copy), await userOf(phone)]).toEqual([null, null]);
  });

  it('ends by a sign-in', async () => {
    const { laptop, phone, events } = await openUndone((session) => session.authenticate('ada'));
    const copy = await laptop.copy();
    await laptop.post('/do/again');
    expect([await userOf(copy), await userOf(laptop), await userOf(phone)]).toEqual([null, 'ada', 'ada']);
    expect(revoked(events)).toEqual([expect.objectContaining({ reason: 'replaced', userId: 'ada' })]);
  });
});

@WebSocketGateway()
class Gateway {
  @SubscribeMessage('out')
  async out(@Session() session: TestSession): Promise<Answer> {
    await session.logout();
    return { event: 'answer', data: 'signed out' };
  }
}

onEachPlatform('a message that signs out', (open) => {
  describe.each(SOCKETS)('over %s', (kind) => {
    const { adapt, open: openSocket } = SOCKET_PLATFORMS[kind];
    const start = () => open({ routes: BASICS, providers: [Gateway], prepare: adapt });
    const signedIn = async (browser: Browser): Promise<string> => {
      await browser.post('/do/in');
      return cookieNow(browser);
    };

    it('writes again over a socket that was opened with the token of an ended session', async () => {
      const { browser, port, storage } = await start();
      const ada = browser();
      const cookie = await signedIn(ada);
      refuseNext(storage, 'delete');
      expect((await ada.post('/do/out')).status).toBe(503);
      const socket = await openSocket(port, { cookie });
      for (const _ of [1, 2]) {
        refuseNext(storage, 'delete');
        expect(codeOf(await socket.ask('out'))).toBe('session_store_unavailable');
      }
      storage.forget();
      expect(await socket.ask('out')).toEqual({ event: 'answer', data: 'signed out' });
      expect(storage.calls).toEqual(['delete']);
    });

    it('ends the session of a token that was replaced, and that no message is served by', async () => {
      const { port, store, clock, storage } = await start();
      const { session, token } = await store.create({}, 'ada');
      for (const _ of [1, 2]) await store.readByToken(await store.rotateToken(session.id, { grace: '30s' }));
      clock.advance(1);
      const socket = await openSocket(port, { cookie: `__Host-sid=${token.reveal()}` });
      const other = await openSocket(port, { cookie: `__Host-sid=${token.reveal()}` });
      expect(await socket.ask('out')).toEqual({ event: 'answer', data: 'signed out' });
      expect(rowsOf(storage)).toEqual([]);
      refuseNext(storage, 'delete');
      expect(codeOf(await other.ask('out'))).toBe('session_store_unavailable');
    });

    it('writes nothing over one that a page of another site has opened with it', async () => {
      const { browser, port, storage, store } = await start();
      const ada = browser();
      const cookie = await signedIn(ada);
      await store.destroyAllForUser('ada');
      const socket = await openSocket(port, { cookie, headers: { origin: 'https://evil.test' } });
      storage.forget();
      expect(await socket.ask('out')).toEqual({ event: 'answer', data: 'signed out' });
      expect(storage.calls).toEqual([]);
    });
  });
});
