import { onEachPlatform, START } from '../../support/open-app.js';
import { BASICS, dataOf, refusal, seenBy, userOf } from '../../support/session-routes.js';
import type { Routes } from '../../support/routes.js';
import { rowsOf } from '../../support/storage.js';

const HOUR = 3_600_000;
const at = (offset: number): string => new Date(START + offset).toISOString();
const routes: Routes = {
  ...BASICS,
  again: async (call, ...rest) => {
    await call.session.reauthenticate();
    return BASICS['see']?.(call, ...rest);
  },
};

onEachPlatform('reauthenticate', (open) => {
  it('keeps id and data, makes a new token, and sets `authenticatedAt` to now', async () => {
    const { browser, clock, events } = await open({ routes });
    const ada = browser();
    await ada.post('/do/in');
    await ada.post('/do/set', { a: '1' });
    const [before, token] = [await seenBy(ada), await ada.cookie()];
    clock.advance('1h');
    const reply = await ada.post('/do/again');
    expect(reply.json()).toMatchObject({
      id: before.id,
      userId: 'ada',
      authenticatedAt: at(HOUR),
      createdAt: at(0),
    });
    expect(reply.setCookies).toHaveLength(1);
    expect(await ada.cookie()).not.toBe(token);
    expect(await seenBy(ada)).toMatchObject({ id: before.id, authenticatedAt: at(HOUR), data: { a: '1' } });
    expect(events.map(({ name }) => name)).toEqual(['created', 'authenticated', 'authenticated', 'rotated']);
  });

  it('leaves the absolute expiry where it was', async () => {
    const { browser, clock, storage } = await open({ routes, options: { absoluteTtl: '3h' } });
    const ada = browser();
    await ada.post('/do/in');
    clock.advance('1h');
    expect((await ada.post('/do/again')).setCookies).toEqual([expect.stringContaining('; Max-Age=7200;')]);
    expect(rowsOf(storage).map(({ absoluteExpiresAt }) => absoluteExpiresAt)).toEqual([START + 3 * HOUR]);
    clock.advance('2h');
    expect(await userOf(ada)).toBeNull();
  });

  it('serves the old token no more, not even for a grace', async () => {
    const { browser, clock } = await open({ routes });
    const ada = browser();
    await ada.post('/do/in');
    const thief = await ada.copy();
    clock.advance('10m');
    await ada.post('/do/again');
    expect(await userOf(thief)).toBeNull();
    expect(await userOf(ada)).toBe('ada');
  });

  it('saves what the request changed before and after it', async () => {
    const { browser } = await open({
      routes: {
        ...routes,
        both: async ({ session }) => {
          session.data['before'] = '1';
          await session.reauthenticate();
          session.data['after'] = '2';
        },
      },
    });
    const ada = browser();
    await ada.post('/do/in');
    await ada.post('/do/both');
    expect(await dataOf(ada)).toEqual({ before: '1', after: '2' });
  });

  it('is a 401 for an anonymous visitor, with or without a session', async () => {
    const { browser } = await open({ routes });
    const visitor = browser();
    const expected = { status: 401, code: 'authentication_required' };
    expect(refusal(await visitor.post('/do/again'))).toEqual(expected);
    await visitor.post('/do/set', { a: '1' });
    expect(refusal(await visitor.post('/do/again'))).toEqual(expected);
    expect(await dataOf(visitor)).toEqual({ a: '1' });
  });

  it('is a 401 when the session has ended meanwhile, and revives nothing', async () => {
    const { browser, store } = await open({
      routes: {
        ...routes,
        ended: async ({ session }) => {
          await store.delete(session.id ?? '');
          await session.reauthenticate();
        },
      },
    });
    const ada = browser();
    await ada.post('/do/in');
    const reply = await ada.post('/do/ended');
    expect(refusal(reply)).toEqual({ status: 401, code: 'session_gone' });
    expect(reply.setCookies).toEqual([]);
    expect(await store.destroyAll()).toBe(0);
  });
});
