import type { Browser } from '../../support/browser.js';
import { onEachPlatform, type TestApp } from '../../support/open-app.js';
import type { Routes } from '../../support/routes.js';
import { BASICS, refusal, seenBy, userOf } from '../../support/session-routes.js';

const ROUTES: Routes = {
  ...BASICS,
  again: ({ session }) => session.reauthenticate(),
  'out-and-in': async ({ session }) => {
    await session.logout();
    await session.authenticate('ada');
  },
  others: ({ session }) => session.logoutOthers(),
  all: ({ session }) => session.logoutAll(),
  revoke: ({ session, query }) => session.revoke(query['id'] ?? ''),
};

/** Who ends the session of the laptop meanwhile: an admin, or its owner on the phone. */
const ENDS: ReadonlyArray<[string, (app: TestApp, id: string, phone: Browser) => Promise<unknown>]> = [
  ['destroyAllForUser', ({ store }) => store.destroyAllForUser('ada')],
  ['delete', ({ store }, id) => store.delete(id)],
  ['destroyAll', ({ store }) => store.destroyAll()],
  ['logoutOthers of the phone', (_app, _id, phone) => phone.post('/do/others')],
  ['logoutAll of the phone', (_app, _id, phone) => phone.post('/do/all')],
  ['revoke of the phone', (_app, id, phone) => phone.post(`/do/revoke?id=${id}`)],
];

onEachPlatform('a new proof of identity, while the session of the request is ended', (open) => {
  /** Ada on her laptop and on her phone. */
  async function openTwo(options: Parameters<typeof open>[0] = {}) {
    const app = await open({ routes: ROUTES, ...options });
    const [laptop, phone] = [app.browser(), app.browser()];
    for (const one of [laptop, phone]) await one.post('/do/in');
    return { app, laptop, phone, id: (await seenBy(laptop)).id ?? '' };
  }

  describe.each([
    ['authenticate', '/do/in', 'insert'],
    ['reauthenticate', '/do/again', 'changeToken'],
    ['logout, and authenticate', '/do/out-and-in', 'delete'],
  ] as const)('by %s', (_name, path, method) => {
    it.each(ENDS)('is refused when %s comes first, and leaves no session', async (_end, end) => {
      const { app, laptop, phone, id } = await openTwo();
      const held = app.storage.hold(method);
      const { reply } = await laptop.start('POST', path);
      await held.reached;
      await end(app, id, phone);
      const left = (await app.store.listForUser('ada')).map((one) => one.id);
      held.release();
      const answer = await reply;
      expect(refusal(answer)).toEqual({ status: 401, code: 'session_gone' });
      expect(answer.setCookies).toEqual([]);
      expect((await app.store.listForUser('ada')).map((one) => one.id)).toEqual(left);
      expect(await userOf(laptop)).toBeNull();
    });
  });

  it('is ended with the others when `destroyAllForUser` comes second', async () => {
    const { app, laptop } = await openTwo();
    const held = app.storage.hold('delete');
    const ended = app.store.destroyAllForUser('ada');
    await held.reached;
    expect((await laptop.post('/do/in')).status).toBe(200);
    held.release();
    expect(await ended).toBe(2);
    expect(await userOf(laptop)).toBeNull();
    expect(await app.store.listForUser('ada')).toEqual([]);
  });

  it('by a bearer token is refused as well', async () => {
    const routes: Routes = {
      ...ROUTES,
      token: async ({ session }) => ({
        token: (await session.authenticate('ada', { transport: 'bearer' })).reveal(),
      }),
    };
    const { app, phone } = await openTwo({ routes, options: { transport: ['cookie', 'bearer'] } });
    const { token } = (await app.browser().post('/do/token')).json<{ token: string }>();
    const held = app.storage.hold('insert');
    const headers = { authorization: `Bearer ${token}` };
    const reply = app.browser().post('/do/token', {}, headers);
    await held.reached;
    await phone.post('/do/others');
    held.release();
    expect(refusal(await reply)).toEqual({ status: 401, code: 'session_gone' });
    expect(await app.store.listForUser('ada')).toHaveLength(1);
  });

  it('is refused when a sign-in elsewhere has evicted the session: that is an end as any other', async () => {
    const { app, laptop } = await openTwo({ routes: ROUTES, options: { maxPerUser: 2 } });
    const held = app.storage.hold('insert');
    const { reply } = await laptop.start('POST', '/do/in');
    await held.reached;
    app.clock.advance(1);
    for (const tablet of [app.browser(), app.browser()]) await tablet.post('/do/in');
    held.release();
    expect(refusal(await reply)).toEqual({ status: 401, code: 'session_gone' });
    expect(await app.store.listForUser('ada')).toHaveLength(2);
  });

  it('signs in once when it is sent twice', async () => {
    const { app, laptop } = await openTwo();
    const twin = await laptop.copy();
    const held = app.storage.hold('insert');
    const { reply } = await laptop.start('POST', '/do/in');
    await held.reached;
    expect((await twin.post('/do/in')).status).toBe(200);
    held.release();
    expect(refusal(await reply)).toEqual({ status: 401, code: 'session_gone' });
    expect(await userOf(twin)).toBe('ada');
    expect(await app.store.listForUser('ada')).toHaveLength(2);
  });

  it('succeeds, without carried data, when the session has only expired: nobody ended it', async () => {
    const { app, laptop } = await openTwo({ routes: ROUTES, options: { ttl: '1h' } });
    await laptop.post('/do/set', { a: '1' });
    const held = app.storage.hold('insert');
    const { reply } = await laptop.start('POST', '/do/in');
    await held.reached;
    app.clock.advance('2h');
    held.release();
    expect((await reply).status).toBe(200);
    expect(await seenBy(laptop)).toMatchObject({ userId: 'ada', data: {} });
  });

  it('of somebody else succeeds: what was ended was not theirs', async () => {
    const { app, laptop } = await openTwo();
    const held = app.storage.hold('insert');
    const { reply } = await laptop.start('POST', '/do/in?user=bob');
    await held.reached;
    await app.store.destroyAllForUser('ada');
    held.release();
    expect((await reply).status).toBe(200);
    expect(await userOf(laptop)).toBe('bob');
    expect(await app.store.listForUser('ada')).toEqual([]);
  });

  it('works with the next request, whose cookie leads nowhere', async () => {
    const { app, laptop } = await openTwo();
    const held = app.storage.hold('insert');
    const { reply } = await laptop.start('POST', '/do/in');
    await held.reached;
    await app.store.destroyAllForUser('ada');
    held.release();
    await reply;
    expect((await laptop.post('/do/in')).status).toBe(200);
    expect(await userOf(laptop)).toBe('ada');
  });
});
