import type { SessionInfo } from 'nest-sessions';
import { onEachPlatform, START } from '../../support/open-app.js';
import type { Browser } from '../../support/browser.js';
import { BASICS, type Seen, seenBy, userOf } from '../../support/session-routes.js';
import type { Routes } from '../../support/routes.js';
import { rowsOf } from '../../support/storage.js';

const routes: Routes = {
  ...BASICS,
  revoke: async ({ session, body }) => ({
    revoked: await session.revoke(body['id'] ?? ''),
    userId: session.userId,
  }),
};
const listOf = async (browser: Browser): Promise<SessionInfo[]> =>
  (await browser.get('/do/list')).json<SessionInfo[]>();
const signIn = async (browser: Browser, user = 'ada'): Promise<string> =>
  (await browser.post(`/do/in?user=${user}`)).json<Seen>().id ?? '';
const MINUTE = 60_000;

onEachPlatform('list', (open) => {
  it("names the user's sessions, most recently active first, and marks the current one", async () => {
    const { browser, clock } = await open({ routes });
    const [laptop, phone, bob] = [browser(), browser(), browser()];
    const first = await signIn(laptop);
    clock.advance('1m');
    const second = await signIn(phone);
    await signIn(bob, 'bob');
    expect((await listOf(laptop)).map(({ id, current }) => [id, current])).toEqual([
      [second, false],
      [first, true],
    ]);
    expect((await listOf(phone)).map(({ id, current }) => [id, current])).toEqual([
      [second, true],
      [first, false],
    ]);
  });

  it('follows the recorded use', async () => {
    const { browser, clock, store } = await open({ routes });
    const [laptop, phone] = [browser(), browser()];
    const first = await signIn(laptop);
    clock.advance('1m');
    await signIn(phone);
    clock.advance('10m');
    await seenBy(laptop);
    await store.manager.drain();
    expect((await listOf(phone)).map(({ id }) => id)[0]).toBe(first);
  });

  it('tells of each what the documentation says, and neither token nor data', async () => {
    const { browser, storage } = await open({ routes });
    const ada = browser();
    const id = await signIn(ada);
    await ada.post('/do/set', { secret: 'a customer' });
    const reply = await ada.get('/do/list');
    expect(reply.json()).toEqual([
      {
        id,
        current: true,
        createdAt: new Date(START).toISOString(),
        authenticatedAt: new Date(START).toISOString(),
        lastActiveAt: new Date(START).toISOString(),
        expiresAt: new Date(START + 24 * 60 * MINUTE).toISOString(),
        meta: { ip: '127.0.0.1', userAgent: null, deviceName: 'Unknown device', deviceType: 'unknown' },
        integrity: 'intact',
      },
    ]);
    const token = (await ada.cookie()) ?? '';
    for (const secret of ['customer', token, token.slice(26), rowsOf(storage)[0]?.tokenHash ?? 'hash']) {
      expect(reply.text).not.toContain(secret);
    }
  });

  it('gives instants as Dates', async () => {
    const { browser } = await open({
      routes: {
        ...routes,
        dates: async ({ session }) => {
          const [one] = await session.list();
          return [one?.createdAt, one?.authenticatedAt, one?.lastActiveAt, one?.expiresAt].map(
            (date) => date instanceof Date,
          );
        },
      },
    });
    const ada = browser();
    await signIn(ada);
    expect((await ada.get('/do/dates')).json()).toEqual([true, true, true, true]);
  });

  it('leaves out sessions that have expired or ended', async () => {
    const { browser, clock } = await open({ routes });
    const [old, out, ada] = [browser(), browser(), browser()];
    await signIn(old);
    clock.advance('24h');
    await signIn(out);
    await out.post('/do/out');
    const id = await signIn(ada);
    expect((await listOf(ada)).map((one) => one.id)).toEqual([id]);
  });

  it('marks a session that does not open, so that its owner can revoke it', async () => {
    const { browser, storage } = await open({ routes });
    const [laptop, phone] = [browser(), browser()];
    const broken = await signIn(phone);
    await signIn(laptop);
    const payload = Buffer.from(storage.memory.row(broken).payload);
    payload.writeUInt8(payload.readUInt8(payload.length - 1) ^ 1, payload.length - 1);
    storage.memory.tamper(broken, { payload });
    expect((await listOf(laptop)).find(({ id }) => id === broken)).toMatchObject({
      meta: {},
      integrity: 'tampered',
    });
    expect((await laptop.post('/do/revoke', { id: broken })).json()).toEqual({
      revoked: true,
      userId: 'ada',
    });
  });

  it('is empty for somebody who is not signed in, without asking storage', async () => {
    const { browser, storage } = await open({ routes });
    const visitor = browser();
    expect(await listOf(visitor)).toEqual([]);
    await visitor.post('/do/set', { a: '1' });
    expect(await listOf(visitor)).toEqual([]);
    expect(storage.calls).not.toContain('list');
  });

  it('knows the session that the same request has just signed in as current', async () => {
    const { browser } = await open({
      routes: {
        enter: async ({ session }) => {
          await session.authenticate('ada');
          return (await session.list()).map(({ id, current }) => [id === session.id, current]);
        },
      },
    });
    expect((await browser().post('/do/enter')).json()).toEqual([[true, true]]);
  });
});

onEachPlatform('revoke', (open) => {
  it("ends another session of the user's, and keeps this one", async () => {
    const { browser, events } = await open({ routes });
    const [laptop, phone] = [browser(), browser()];
    await signIn(laptop);
    const id = await signIn(phone);
    const reply = await laptop.post('/do/revoke', { id });
    expect(reply.json()).toEqual({ revoked: true, userId: 'ada' });
    expect(reply.setCookies).toEqual([]);
    expect([await userOf(laptop), await userOf(phone)]).toEqual(['ada', null]);
    expect(events.at(-1)).toMatchObject({ name: 'revoked', reason: 'revoked', sessionId: id });
    expect((await laptop.post('/do/revoke', { id })).json()).toEqual({ revoked: false, userId: 'ada' });
  });

  it('of the own session is a logout', async () => {
    const { browser, storage } = await open({ routes });
    const ada = browser();
    const id = await signIn(ada);
    expect((await ada.post('/do/revoke', { id })).json()).toEqual({ revoked: true, userId: null });
    expect(await ada.cookie()).toBeUndefined();
    expect(rowsOf(storage)).toEqual([]);
  });

  it("is false for another user's session and for an unknown one alike, and ends neither", async () => {
    const { browser, storage } = await open({ routes });
    const [ada, bob, visitor] = [browser(), browser(), browser()];
    await signIn(ada);
    const foreign = await signIn(bob, 'bob');
    await visitor.post('/do/set', { a: '1' });
    const anonymous = (await seenBy(visitor)).id ?? '';
    for (const id of [foreign, anonymous, '01J00000000000000000000000']) {
      expect((await ada.post('/do/revoke', { id })).json()).toEqual({ revoked: false, userId: 'ada' });
    }
    expect(rowsOf(storage)).toHaveLength(3);
    expect(await userOf(bob)).toBe('bob');
  });

  it('is false for a malformed id, without asking storage', async () => {
    const malformed: unknown[] = ['', 'a\0b', 'x'.repeat(10_000), null, undefined, 42, {}, ['a']];
    const { browser, storage } = await open({
      routes: {
        ...routes,
        malformed: ({ session }) => Promise.all(malformed.map((id) => session.revoke(id as string))),
      },
    });
    const ada = browser();
    await signIn(ada);
    expect((await ada.post('/do/malformed')).json()).toEqual(malformed.map(() => false));
    expect(storage.calls).not.toContain('delete');
    expect(await userOf(ada)).toBe('ada');
  });

  it('is false for somebody who is not signed in, also of the own anonymous session', async () => {
    const { browser, storage } = await open({ routes });
    const [ada, visitor] = [browser(), browser()];
    const id = await signIn(ada);
    await visitor.post('/do/set', { a: '1' });
    const own = (await seenBy(visitor)).id ?? '';
    expect((await visitor.post('/do/revoke', { id })).json()).toEqual({ revoked: false, userId: null });
    expect((await visitor.post('/do/revoke', { id: own })).json()).toEqual({ revoked: false, userId: null });
    expect(rowsOf(storage)).toHaveLength(2);
  });
});
