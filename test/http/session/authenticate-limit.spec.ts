import { onEachPlatform } from '../../support/open-app.js';
import { BASICS, dataOf, refusal, userOf } from '../../support/session-routes.js';
import { rowsOf } from '../../support/storage.js';

onEachPlatform("the limit of sessions per user, with `onLimit: 'evict'`", (open) => {
  it('ends the least recently active one at a sign-in over the limit', async () => {
    const { browser, clock, store, events } = await open({ routes: BASICS, options: { maxPerUser: 2 } });
    const [first, second, third] = [browser(), browser(), browser()];
    await first.post('/do/in');
    clock.advance('1m');
    await second.post('/do/in');
    clock.advance('10m');
    await first.get('/do/see'); // recorded as use: now the second is the least recently active
    await store.manager.drain();
    await third.post('/do/in');
    expect(await userOf(first)).toBe('ada');
    expect(await userOf(second)).toBeNull();
    expect(await userOf(third)).toBe('ada');
    expect(events.filter(({ name }) => name === 'evicted')).toHaveLength(1);
  });

  it('never exceeds it when 20 browsers sign in at once', async () => {
    const { browser, storage } = await open({ routes: BASICS, options: { maxPerUser: 3 } });
    const replies = await Promise.all(Array.from({ length: 20 }, () => browser().post('/do/in')));
    expect(replies.filter(({ status }) => status !== 200)).toEqual([]);
    expect(rowsOf(storage)).toHaveLength(3);
  });

  it('counts each user apart, and anonymous sessions not at all', async () => {
    const { browser, storage } = await open({ routes: BASICS, options: { maxPerUser: 1 } });
    const [visitor, other, ada, bob] = [browser(), browser(), browser(), browser()];
    await visitor.post('/do/set', { a: '1' });
    await other.post('/do/set', { a: '1' });
    await ada.post('/do/in?user=ada');
    await bob.post('/do/in?user=bob');
    expect(rowsOf(storage)).toHaveLength(4);
    expect([await userOf(ada), await userOf(bob)]).toEqual(['ada', 'bob']);
  });

  it('is lifted by `maxPerUser: false`', async () => {
    const { browser, storage } = await open({ routes: BASICS, options: { maxPerUser: false } });
    for (let i = 0; i < 12; i++) await browser().post('/do/in');
    expect(rowsOf(storage)).toHaveLength(12);
  });
});

onEachPlatform("the limit of sessions per user, with `onLimit: 'reject'`", (open) => {
  const options = { maxPerUser: 1, onLimit: 'reject' } as const;

  it('refuses the sign-in with a SessionLimitError, 409, and changes nothing', async () => {
    const { browser, storage } = await open({ routes: BASICS, options });
    const [first, second] = [browser(), browser()];
    await first.post('/do/in');
    await second.post('/do/set', { cart: ['tea'] });
    const reply = await second.post('/do/in');
    expect(refusal(reply)).toEqual({ status: 409, code: 'session_limit_reached' });
    expect(reply.setCookies).toEqual([]);
    expect(await userOf(first)).toBe('ada');
    expect(await userOf(second)).toBeNull();
    expect(await dataOf(second)).toEqual({ cart: ['tea'] });
    expect(rowsOf(storage)).toHaveLength(2);
  });

  it('lets the user sign in again in the browser of the session that it replaces', async () => {
    const { browser } = await open({ routes: BASICS, options });
    const ada = browser();
    await ada.post('/do/in');
    expect((await ada.post('/do/in')).status).toBe(200);
    expect(await userOf(ada)).toBe('ada');
  });

  it('lets the user in once another session has been ended, or has expired', async () => {
    const { browser, clock } = await open({ routes: BASICS, options });
    const [first, second, third] = [browser(), browser(), browser()];
    await first.post('/do/in');
    expect((await second.post('/do/in')).status).toBe(409);
    await first.post('/do/out');
    expect((await second.post('/do/in')).status).toBe(200);
    clock.advance('24h');
    expect((await third.post('/do/in')).status).toBe(200);
  });
});
