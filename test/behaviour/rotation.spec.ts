import type { Browser } from '../support/browser.js';
import { onEachPlatform, type OpenApp } from '../support/open-app.js';
import { barrier, BASICS, dataOf, seenBy, userOf } from '../support/session-routes.js';
import { rowsOf } from '../support/storage.js';

const HOUR = 3_600_000;

async function openRotating(open: OpenApp, every: string | undefined = '1h') {
  const meet = barrier(6);
  const app = await open({
    options: { rotation: { every, grace: '30s' }, ttl: '7d' },
    routes: {
      ...BASICS,
      rotate: ({ session }) => session.rotate(),
      meet: async ({ session }) => {
        await meet();
        return { user: session.userId };
      },
    },
  });
  const ada = app.browser();
  await ada.post('/do/in');
  app.storage.forget();
  return { ...app, ada };
}

/** Sends a request whose response gets lost: the jar keeps what it had. */
async function lose(browser: Browser, path = '/do/see') {
  return (await browser.copy()).get(path);
}

onEachPlatform('rule 8, periodic rotation', (open) => {
  it('happens with the first response after `every`, and keeps session, data and expiry', async () => {
    const { ada, clock, events, storage } = await openRotating(open);
    await ada.post('/do/set', { theme: 'dark' });
    const before = await seenBy(ada);
    const cookie = await ada.cookie();
    clock.advance(HOUR - 1);
    expect((await ada.get('/do/see')).setCookies).toEqual([]);
    clock.advance(1);
    const reply = await ada.get('/do/see');
    expect(reply.setCookies).toEqual([expect.stringMatching(/; Max-Age=2588400; Path=\/; HttpOnly; Secure/)]);
    expect(reply.headers['cache-control']).toBe('no-store');
    expect(await ada.cookie()).not.toBe(cookie);
    expect(await seenBy(ada)).toMatchObject({ id: before.id, userId: 'ada', data: { theme: 'dark' } });
    expect(rowsOf(storage)).toHaveLength(1);
    expect(events.filter(({ name }) => name === 'rotated')).toHaveLength(1);
  });

  it('comes again only after another `every`', async () => {
    const { ada, clock } = await openRotating(open);
    let cookies = 0;
    for (let n = 0; n < 36; n++) {
      clock.advance('10m');
      cookies += (await ada.get('/do/see')).setCookies.length;
    }
    expect(cookies).toBe(6);
    expect(await userOf(ada)).toBe('ada');
  });

  it('has one winner among parallel requests; the others get no cookie, and all are served', async () => {
    const { ada, clock } = await openRotating(open);
    clock.advance('1h');
    const replies = await Promise.all(Array.from({ length: 6 }, () => ada.get('/do/meet')));
    expect(replies.map((reply) => reply.json())).toEqual(Array.from({ length: 6 }, () => ({ user: 'ada' })));
    expect(replies.flatMap(({ setCookies }) => setCookies)).toHaveLength(1);
    expect(await userOf(ada)).toBe('ada');
  });

  it('serves the superseded token within its grace, without a cookie', async () => {
    const { ada, clock } = await openRotating(open);
    clock.advance('1h');
    const straggler = await ada.copy();
    await ada.get('/do/see');
    clock.advance(29_999);
    const reply = await straggler.get('/do/see');
    expect(reply.json()).toMatchObject({ userId: 'ada' });
    expect(reply.setCookies).toEqual([]);
    await straggler.post('/do/set', { theme: 'dark' });
    expect(await dataOf(ada)).toEqual({ theme: 'dark' });
  });

  it('writes down the first use of the new token once, before it is served', async () => {
    const { ada, clock, storage, store } = await openRotating(open);
    clock.advance('1h');
    await ada.get('/do/see');
    await store.manager.drain(); // its touch
    storage.forget();
    await ada.get('/do/see');
    await ada.get('/do/see');
    expect(storage.calls).toEqual(['find', 'changeToken', 'find']);
  });
});

onEachPlatform('rule 8, lossy responses', (open) => {
  it('reissues when the response that carried the new token was lost, over and over', async () => {
    const { ada, clock, events } = await openRotating(open);
    for (let n = 0; n < 5; n++) {
      clock.advance('1h');
      expect((await lose(ada)).setCookies).toHaveLength(1);
      clock.advance('31s');
      expect((await ada.get('/do/see')).setCookies).toHaveLength(1);
      expect(await userOf(ada)).toBe('ada');
    }
    expect(events.map(({ name }) => name)).not.toContain('reuse');
  });

  it('restarts the grace with a reissue that is lost too', async () => {
    const { ada, clock } = await openRotating(open);
    clock.advance('1h');
    await lose(ada);
    for (let n = 0; n < 4; n++) {
      clock.advance('31s');
      expect((await lose(ada)).setCookies).toHaveLength(1);
      clock.advance('10s');
      expect((await lose(ada)).setCookies).toEqual([]);
    }
    clock.advance('31s');
    await ada.get('/do/see');
    expect(await userOf(ada)).toBe('ada');
  });

  it('keeps a browser that loses every third response signed in for a week', async () => {
    const { ada, clock, events } = await openRotating(open);
    for (let n = 0; n < 168; n++) {
      clock.advance(n % 7 === 0 ? '3h' : '20m');
      const reply = n % 3 === 0 ? await lose(ada) : await ada.get('/do/see');
      expect(reply.json()).toMatchObject({ userId: 'ada' });
    }
    expect(events.map(({ name }) => name)).not.toContain('reuse');
  });
});

onEachPlatform('rule 8, a thief with a copy of the cookie', (open) => {
  it('ends the session for both as soon as the second of them shows a token that was replaced', async () => {
    const { ada, clock, events, storage } = await openRotating(open);
    const thief = await ada.copy();
    clock.advance('1h');
    await thief.get('/do/see');
    await thief.get('/do/see');
    clock.advance('31s');
    const reply = await ada.get('/do/see');
    expect(reply.json()).toMatchObject({ userId: null });
    expect(rowsOf(storage)).toEqual([]);
    expect(events.filter(({ name }) => name === 'reuse' || name === 'revoked')).toMatchObject([
      { name: 'reuse', userId: 'ada' },
      { name: 'revoked', userId: 'ada', reason: 'reuse' },
    ]);
    expect(await userOf(thief)).toBeNull();
  });

  it('who rotates twice is found out too', async () => {
    const { ada, clock, storage } = await openRotating(open);
    const thief = await ada.copy();
    for (let n = 0; n < 2; n++) {
      clock.advance('1h');
      await thief.get('/do/see');
      await thief.get('/do/see');
    }
    expect(await userOf(ada)).toBeNull();
    expect(rowsOf(storage)).toEqual([]);
    expect(await userOf(thief)).toBeNull();
  });

  it('is found out when the honest browser was the faster one', async () => {
    const { ada, clock, storage } = await openRotating(open);
    const thief = await ada.copy();
    clock.advance('1h');
    await ada.get('/do/see');
    await ada.get('/do/see');
    clock.advance('31s');
    expect(await userOf(thief)).toBeNull();
    expect(rowsOf(storage)).toEqual([]);
  });
});

onEachPlatform('rule 8, a response that can carry no cookie', (open) => {
  it('does not rotate: not after the first byte, and not for a superseded token', async () => {
    const { ada, clock, storage, store } = await openRotating(open);
    clock.advance('1h');
    const straggler = await ada.copy();
    await ada.get('/do/see');
    await store.manager.drain(); // its touch
    storage.forget();
    expect((await straggler.get('/do/rotate')).setCookies).toEqual([]);
    expect(storage.calls).toEqual(['find']);
  });

  it('does not rotate with a sign-in, a sign-out or a renewed sign-in: these set a cookie of their own', async () => {
    const { ada, clock, events } = await openRotating(open);
    clock.advance('1h');
    expect((await ada.post('/do/in')).setCookies).toHaveLength(1);
    clock.advance('1h');
    expect((await ada.post('/do/out')).setCookies).toHaveLength(1);
    expect(events.map(({ name }) => name)).not.toContain('rotated');
  });
});
