import { onEachPlatform } from '../../support/open-app.js';
import { BASICS, dataOf, seenBy, userOf } from '../../support/session-routes.js';
import type { Routes } from '../../support/routes.js';
import { rowsOf } from '../../support/storage.js';

const routes: Routes = {
  ...BASICS,
  rotate: async ({ session }) => {
    session.data['rotated'] = true;
    await session.rotate();
    return { id: session.id };
  },
};

onEachPlatform('rotate', (open) => {
  it('sends a new token for the same session with the response', async () => {
    const { browser } = await open({ routes });
    const ada = browser();
    await ada.post('/do/in');
    const [before, token] = [await seenBy(ada), await ada.cookie()];
    const reply = await ada.post('/do/rotate');
    expect(reply.json()).toEqual({ id: before.id });
    expect(reply.setCookies).toHaveLength(1);
    expect(await ada.cookie()).not.toBe(token);
    expect(await seenBy(ada)).toEqual({ ...before, data: { rotated: true } });
  });

  it('lets the old token work for the grace, and no longer', async () => {
    const { browser, clock } = await open({ routes, options: { rotation: { grace: '10s' } } });
    const ada = browser();
    await ada.post('/do/in');
    const old = await ada.copy();
    await ada.post('/do/rotate');
    expect(await userOf(ada)).toBe('ada');
    clock.advance(9_999);
    expect(await userOf(old)).toBe('ada');
    clock.advance(1);
    expect(await userOf(old)).toBeNull();
  });

  it('gives one of several parallel requests a cookie, and serves them all', async () => {
    const { browser } = await open({ routes });
    const ada = browser();
    await ada.post('/do/in');
    const browsers = await Promise.all(Array.from({ length: 5 }, () => ada.copy()));
    const replies = await Promise.all(browsers.map((one) => one.post('/do/rotate')));
    expect(replies.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
    expect(replies.flatMap(({ setCookies }) => setCookies)).toHaveLength(1);
    for (const one of browsers) expect(await userOf(one)).toBe('ada');
  });

  it('does nothing while nothing is stored', async () => {
    const { browser, storage } = await open({ routes: { rotate: ({ session }) => session.rotate() } });
    const reply = await browser().post('/do/rotate');
    expect(reply.status).toBe(200);
    expect(reply.setCookies).toEqual([]);
    expect(rowsOf(storage)).toEqual([]);
  });

  it('works for an anonymous session too', async () => {
    const { browser } = await open({ routes });
    const visitor = browser();
    await visitor.post('/do/set', { a: '1' });
    const token = await visitor.cookie();
    await visitor.post('/do/rotate');
    expect(await visitor.cookie()).not.toBe(token);
    expect(await dataOf(visitor)).toEqual({ a: '1', rotated: true });
  });

  it('adds no second token to a request that signs in', async () => {
    const { browser, events } = await open({
      routes: {
        ...routes,
        both: async ({ session }) => {
          await session.rotate();
          await session.authenticate('ada');
          await session.rotate();
        },
      },
    });
    const ada = browser();
    await ada.post('/do/set', { a: '1' });
    expect((await ada.post('/do/both')).setCookies).toHaveLength(1);
    expect(await userOf(ada)).toBe('ada');
    expect(events.filter(({ name }) => name === 'rotated')).toEqual([]);
  });
});
