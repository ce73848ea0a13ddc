import { onEachPlatform } from '../../support/open-app.js';
import { BASICS, dataOf, seenBy, userOf } from '../../support/session-routes.js';
import type { Routes } from '../../support/routes.js';
import { rowsOf } from '../../support/storage.js';

const routes: Routes = {
  ...BASICS,
  others: async ({ session }) => ({ ended: await session.logoutOthers(), userId: session.userId }),
  all: async ({ session }) => ({ ended: await session.logoutAll(), userId: session.userId }),
};
const NOBODY = { id: null, userId: null, isAuthenticated: false, isNew: true, expiresAt: null, data: {} };

onEachPlatform('logout', (open) => {
  it('ends the session, removes the cookie, and leaves a new, empty, anonymous session', async () => {
    const { browser, storage, events } = await open({
      routes: {
        ...routes,
        out: async (call, ...rest) => {
          call.session.data['unsaved'] = 'x';
          await call.session.logout();
          return BASICS['see']?.(call, ...rest);
        },
      },
    });
    const ada = browser();
    await ada.post('/do/in');
    await ada.post('/do/set', { a: '1' });
    const thief = await ada.copy();
    const reply = await ada.post('/do/out');
    expect(reply.json()).toMatchObject(NOBODY);
    expect(reply.setCookies).toEqual([
      '__Host-sid=; Max-Age=0; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly; Secure; SameSite=Lax',
    ]);
    expect(await ada.cookie()).toBeUndefined();
    expect(rowsOf(storage)).toEqual([]);
    expect(await userOf(thief)).toBeNull();
    expect(events.at(-1)).toMatchObject({ name: 'revoked', reason: 'logout', userId: 'ada' });
  });

  it('is idempotent: in one request, in two, and for somebody who is not signed in', async () => {
    const { browser, events } = await open({
      routes: {
        ...routes,
        twice: async ({ session }) => {
          await session.logout();
          await session.logout();
        },
      },
    });
    const [ada, visitor] = [browser(), browser()];
    await ada.post('/do/in');
    expect((await ada.post('/do/twice')).status).toBe(200);
    expect((await ada.post('/do/out')).status).toBe(200);
    const reply = await visitor.post('/do/out');
    expect([reply.status, reply.setCookies]).toEqual([200, []]);
    expect(events.filter(({ name }) => name === 'revoked')).toHaveLength(1);
  });

  it('ends an anonymous session too', async () => {
    const { browser, storage } = await open({ routes });
    const visitor = browser();
    await visitor.post('/do/set', { a: '1' });
    await visitor.post('/do/out');
    expect(rowsOf(storage)).toEqual([]);
    expect(await visitor.cookie()).toBeUndefined();
  });

  it('can be followed by a new anonymous session in the same request', async () => {
    const { browser, storage } = await open({
      routes: {
        ...routes,
        bye: async ({ session }) => {
          await session.logout();
          session.data['goodbye'] = 'ada';
          session.flash('info', 'See you');
        },
      },
    });
    const ada = browser();
    await ada.post('/do/in');
    await ada.post('/do/set', { secret: 'of ada' });
    const before = await seenBy(ada);
    const reply = await ada.post('/do/bye');
    expect(reply.setCookies).toEqual([expect.stringMatching(/^__Host-sid=[\w-]{119};/)]);
    const after = await seenBy(ada);
    expect(after).toMatchObject({ userId: null, isNew: false, data: { goodbye: 'ada' } });
    expect(after.id).not.toBe(before.id);
    expect(rowsOf(storage)).toHaveLength(1);
  });

  it('can be followed by a sign-in in the same request, which gets none of the old data', async () => {
    const { browser } = await open({
      routes: {
        ...routes,
        change: async ({ session }) => {
          await session.logout();
          await session.authenticate('bob');
        },
      },
    });
    const shared = browser();
    await shared.post('/do/in');
    await shared.post('/do/set', { secret: 'of ada' });
    expect((await shared.post('/do/change')).setCookies).toHaveLength(1);
    expect(await seenBy(shared)).toMatchObject({ userId: 'bob', data: {} });
  });

  it('leaves the other sessions of the user alone', async () => {
    const { browser } = await open({ routes });
    const [laptop, phone] = [browser(), browser()];
    await laptop.post('/do/in');
    await phone.post('/do/in');
    await laptop.post('/do/out');
    expect(await userOf(phone)).toBe('ada');
  });
});

onEachPlatform('logoutOthers', (open) => {
  it("ends the user's other sessions, says how many, and keeps this one with its data", async () => {
    const { browser, events } = await open({ routes });
    const [laptop, phone, tablet, bob] = [browser(), browser(), browser(), browser()];
    for (const one of [laptop, phone, tablet]) await one.post('/do/in');
    await bob.post('/do/in?user=bob');
    await laptop.post('/do/set', { a: '1' });
    const reply = await laptop.post('/do/others');
    expect(reply.json()).toEqual({ ended: 2, userId: 'ada' });
    expect(reply.setCookies).toEqual([]);
    expect([await userOf(laptop), await userOf(phone), await userOf(tablet)]).toEqual(['ada', null, null]);
    expect(await userOf(bob)).toBe('bob');
    expect(await dataOf(laptop)).toEqual({ a: '1' });
    expect(events.filter(({ reason }) => reason === 'logout-others')).toHaveLength(2);
  });

  it('is idempotent, and 0 for somebody who is not signed in', async () => {
    const { browser, storage } = await open({ routes });
    const [laptop, phone, visitor] = [browser(), browser(), browser()];
    await laptop.post('/do/in');
    await phone.post('/do/in');
    await laptop.post('/do/others');
    expect((await laptop.post('/do/others')).json()).toMatchObject({ ended: 0 });
    await visitor.post('/do/set', { a: '1' });
    expect((await visitor.post('/do/others')).json()).toEqual({ ended: 0, userId: null });
    expect(rowsOf(storage)).toHaveLength(2);
  });

  it('does not count sessions that had expired already', async () => {
    const { browser, clock } = await open({ routes });
    const [laptop, phone] = [browser(), browser()];
    await phone.post('/do/in');
    clock.advance('24h');
    await laptop.post('/do/in');
    expect((await laptop.post('/do/others')).json()).toMatchObject({ ended: 0 });
  });
});

onEachPlatform('logoutAll', (open) => {
  it("ends all of the user's sessions, says how many, and removes the cookie", async () => {
    const { browser, storage, events } = await open({ routes });
    const [laptop, phone, bob] = [browser(), browser(), browser()];
    await laptop.post('/do/in');
    await phone.post('/do/in');
    await bob.post('/do/in?user=bob');
    const reply = await laptop.post('/do/all');
    expect(reply.json()).toEqual({ ended: 2, userId: null });
    expect(await laptop.cookie()).toBeUndefined();
    expect(await userOf(phone)).toBeNull();
    expect(rowsOf(storage).map(({ userId }) => userId)).toEqual(['bob']);
    expect(events.filter(({ reason }) => reason === 'logout-all')).toHaveLength(2);
  });

  it('is idempotent, and 0 for somebody without a session', async () => {
    const { browser } = await open({
      routes: {
        ...routes,
        twice: async ({ session }) => [await session.logoutAll(), await session.logoutAll()],
      },
    });
    const ada = browser();
    await ada.post('/do/in');
    expect((await ada.post('/do/twice')).json()).toEqual([1, 0]);
    expect((await ada.post('/do/all')).json()).toEqual({ ended: 0, userId: null });
  });

  it('can be followed by a new anonymous session in the same request', async () => {
    const { browser } = await open({
      routes: {
        ...routes,
        bye: async ({ session }) => {
          await session.logoutAll();
          session.data['goodbye'] = 'ada';
        },
      },
    });
    const ada = browser();
    await ada.post('/do/in');
    await ada.post('/do/bye');
    expect(await seenBy(ada)).toMatchObject({ userId: null, isNew: false, data: { goodbye: 'ada' } });
  });
});
