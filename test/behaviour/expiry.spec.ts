import { onEachPlatform, START } from '../support/open-app.js';
import { BASICS, dataOf, seenBy, userOf } from '../support/session-routes.js';
import { rowsOf } from '../support/storage.js';

const HOUR = 3_600_000;

onEachPlatform('rule 1, active means before the expiry', (open) => {
  it('holds to the millisecond for the idle timeout', async () => {
    const { browser, clock, events } = await open({ routes: BASICS, options: { ttl: '1h' } });
    const ada = browser();
    await ada.post('/do/in');
    clock.advance(HOUR - 1);
    expect(await userOf(await ada.copy())).toBe('ada');
    const bob = browser();
    await bob.post('/do/in?user=bob');
    clock.advance(HOUR);
    expect(await userOf(bob)).toBeNull();
    expect(events.filter(({ name }) => name === 'expired')).toMatchObject([
      { userId: 'bob', ip: '127.0.0.1' },
    ]);
  });

  it('slides with use, and ends at the absolute expiry all the same', async () => {
    const { browser, clock, store } = await open({
      routes: BASICS,
      options: { ttl: '1h', absoluteTtl: '3h' },
    });
    const ada = browser();
    await ada.post('/do/in');
    for (let n = 1; n < 6; n++) {
      clock.advance('30m');
      expect(await userOf(ada)).toBe('ada');
      await store.manager.drain();
    }
    expect((await seenBy(ada)).expiresAt).toBe(new Date(START + 3 * HOUR).toISOString());
    clock.advance(HOUR / 2 - 1);
    expect(await userOf(ada)).toBe('ada');
    clock.advance(1);
    expect(await userOf(ada)).toBeNull();
  });

  it('is a timeout of its own without a user, and with `remember`', async () => {
    const { browser, clock } = await open({
      routes: { ...BASICS, remember: ({ session }) => session.authenticate('ada', { remember: true }) },
      options: { ttl: '1h', anonymousTtl: '10m', remember: { ttl: '5d', absoluteTtl: '10d' } },
    });
    const [visitor, ada] = [browser(), browser()];
    await visitor.post('/do/set', { theme: 'dark' });
    await ada.post('/do/remember');
    clock.advance('10m');
    expect(await dataOf(visitor)).toEqual({});
    clock.advance('100h');
    expect(await userOf(ada)).toBe('ada');
  });

  it('leaves the cookie of an expired session alone until something new is stored', async () => {
    const { browser, clock, storage } = await open({ routes: BASICS, options: { ttl: '1h' } });
    const ada = browser();
    await ada.post('/do/in');
    const [old] = rowsOf(storage);
    clock.advance('1h');
    expect((await ada.get('/do/data')).setCookies).toEqual([]);
    const reply = await ada.post('/do/set', { theme: 'dark' });
    expect(reply.setCookies).toHaveLength(1);
    const seen = await seenBy(ada);
    expect(seen).toMatchObject({ userId: null, data: { theme: 'dark' } });
    expect(seen.id).not.toBe(old?.id);
  });
});
