import type { UserId } from '../../../src/core/identifiers.js';
import { onEachPlatform, START } from '../../support/open-app.js';
import { BASICS, dataOf, refusal, seenBy, userOf } from '../../support/session-routes.js';
import type { Route, Routes } from '../../support/routes.js';
import { rowsOf } from '../../support/storage.js';

const DAY = 24 * 3_600_000;
const at = (offset: number): string => new Date(START + offset).toISOString();

const withOptions =
  (options: Parameters<Parameters<Route>[0]['session']['authenticate']>[1]): Route =>
  ({ session }) =>
    session.authenticate('ada', options);

onEachPlatform('authenticate', (open) => {
  it('makes a new session with a new id and token, and ends the old one', async () => {
    const { browser, storage, events } = await open({ routes: BASICS });
    const ada = browser();
    await ada.post('/do/set', { a: '1' });
    const [anonymous, before] = [await seenBy(ada), await ada.cookie()];
    await ada.post('/do/in');
    const after = await seenBy(ada);
    expect(after.id).not.toBe(anonymous.id);
    expect(await ada.cookie()).not.toBe(before);
    expect(rowsOf(storage).map(({ id }) => id)).toEqual([after.id]);
    expect(events.map(({ name, reason }) => [name, reason])).toEqual([
      ['created', undefined],
      ['created', undefined],
      ['authenticated', undefined],
      ['revoked', 'replaced'],
    ]);
  });

  it('resolves to nothing', async () => {
    const { browser } = await open({
      routes: {
        in: async ({ session }) => {
          const result: unknown = await session.authenticate('ada');
          return { result: typeof result };
        },
      },
    });
    expect((await browser().post('/do/in')).json()).toEqual({ result: 'undefined' });
  });

  it('sets a cookie until the absolute expiry, unless `remember` says otherwise', async () => {
    const { browser } = await open({ routes: BASICS, options: { absoluteTtl: '7d' } });
    const { setCookies } = await browser().post('/do/in');
    expect(setCookies).toEqual([
      expect.stringMatching(
        /^__Host-sid=[\w-]{119}; Max-Age=604800; Path=\/; HttpOnly; Secure; SameSite=Lax$/,
      ),
    ]);
  });

  it('with `remember: true` sets a persistent cookie, and 30 days for both lifetimes', async () => {
    const { browser, clock } = await open({
      options: { ttl: '1h', absoluteTtl: '2h', cookie: { persistent: false } },
      routes: { ...BASICS, remember: withOptions({ remember: true }) },
    });
    const ada = browser();
    const { setCookies } = await ada.post('/do/remember');
    expect(setCookies).toEqual([expect.stringContaining('; Max-Age=2592000;')]);
    expect((await seenBy(ada)).expiresAt).toBe(at(30 * DAY));
    clock.advance('29d');
    expect(await userOf(ada)).toBe('ada');
    clock.advance('1d');
    expect(await userOf(ada)).toBeNull();
  });

  it('with `remember: true` keeps the lifetimes of the `remember` option with the session', async () => {
    const { browser, clock, store } = await open({
      options: { ttl: '1h', absoluteTtl: '2h', remember: { ttl: '2d', absoluteTtl: '3d' } },
      routes: { ...BASICS, remember: withOptions({ remember: true }) },
    });
    const ada = browser();
    expect((await ada.post('/do/remember')).setCookies).toEqual([
      expect.stringContaining('; Max-Age=259200;'),
    ]);
    clock.advance('1d');
    expect(await userOf(ada)).toBe('ada');
    await store.manager.drain();
    expect((await seenBy(ada)).expiresAt).toBe(at(3 * DAY));
  });

  it('with `remember: false` sets a cookie for the browser session, with the usual lifetimes', async () => {
    const { browser } = await open({
      routes: { ...BASICS, forget: withOptions({ remember: false }) },
    });
    const ada = browser();
    const { setCookies } = await ada.post('/do/forget');
    expect(setCookies).toEqual([
      expect.stringMatching(/^__Host-sid=[\w-]{119}; Path=\/; HttpOnly; Secure; SameSite=Lax$/),
    ]);
    expect((await seenBy(ada)).expiresAt).toBe(at(DAY));
  });

  it('with `remember: false` keeps to a cookie without Max-Age when the token is rotated later', async () => {
    const { browser } = await open({
      routes: {
        ...BASICS,
        forget: withOptions({ remember: false }),
        rotate: ({ session }) => session.rotate(),
      },
    });
    const ada = browser();
    await ada.post('/do/forget');
    const { setCookies } = await ada.post('/do/rotate');
    expect(setCookies).toHaveLength(1);
    expect(setCookies[0]).not.toMatch(/Max-Age|Expires/i);
  });

  it('with `notAfter` ends the session then, however much it is used', async () => {
    const { browser, clock, store } = await open({
      routes: { ...BASICS, until: withOptions({ notAfter: new Date(START + 2 * 3_600_000) }) },
    });
    const ada = browser();
    expect((await ada.post('/do/until')).setCookies).toEqual([expect.stringContaining('; Max-Age=7200;')]);
    expect((await seenBy(ada)).expiresAt).toBe(at(2 * 3_600_000));
    clock.advance('119m');
    expect(await userOf(ada)).toBe('ada');
    await store.manager.drain();
    clock.advance('1m');
    expect(await userOf(ada)).toBeNull();
  });

  it('with a `notAfter` beyond the absolute timeout does not extend it', async () => {
    const { browser } = await open({
      options: { absoluteTtl: '1d' },
      routes: { ...BASICS, until: withOptions({ notAfter: new Date(START + 90 * DAY) }) },
    });
    expect((await browser().post('/do/until')).setCookies).toEqual([
      expect.stringContaining('; Max-Age=86400;'),
    ]);
  });

  it.each([
    ['a past `notAfter`', 400, { notAfter: new Date(START) }],
    ['an invalid `notAfter`', 500, { notAfter: new Date(Number.NaN) }],
    ['a `notAfter` that is no Date', 400, { notAfter: '2031-01-01' as unknown as Date }],
    ['a `remember` that is neither yes nor no', 400, { remember: 'perhaps' }],
    ['a `remember` that no client can have sent', 500, { remember: Symbol('on') as never }],
    ['null for options', 500, null as never],
    ['a name for options', 500, 'ada' as never],
    ['an option that does not exist', 500, { remember: undefined, rememberMe: true }],
  ])('refuses %s, by %i, and signs nobody in', async (_, status, options) => {
    const { browser, storage } = await open({ routes: { ...BASICS, bad: withOptions(options) } });
    const ada = browser();
    await ada.post('/do/set', { a: '1' });
    const reply = await ada.post('/do/bad');
    expect(refusal(reply)).toEqual({ status, code: 'session_data_invalid' });
    expect(reply.setCookies).toEqual([]);
    expect(rowsOf(storage).map(({ userId }) => userId)).toEqual([null]);
    expect(await dataOf(ada)).toEqual({ a: '1' });
  });

  it.each<[string, unknown]>([
    ['an empty string', ''],
    ['null', null],
    ['undefined', undefined],
    ['NaN', Number.NaN],
    ['a fraction', 1.5],
    ['a string with NUL', 'a\0b'],
    ['an object', { id: 'ada' }],
    ['a boolean', true],
    ['256 characters', 'x'.repeat(256)],
  ])('refuses %s as user id, and leaves the anonymous session as it is', async (_, userId) => {
    const { browser, storage } = await open({
      routes: { ...BASICS, bad: ({ session }) => session.authenticate(userId as UserId) },
    });
    const ada = browser();
    await ada.post('/do/set', { a: '1' });
    const before = await seenBy(ada);
    const reply = await ada.post('/do/bad');
    const status = Number.isNaN(userId) ? 500 : 400; // JSON has no NaN
    expect(refusal(reply)).toEqual({ status, code: 'session_data_invalid' });
    expect(reply.setCookies).toEqual([]);
    expect(rowsOf(storage)).toHaveLength(1);
    expect(await seenBy(ada)).toEqual(before);
  });

  it('compares user ids byte for byte', async () => {
    const routes: Routes = BASICS;
    const { browser } = await open({ routes, options: { maxPerUser: 1 } });
    const names = ['bob', 'Bob', 'bob ', 'b\u00f6b', 'bo\u0308b'];
    const browsers = names.map(() => browser());
    for (const [index, one] of browsers.entries()) {
      await one.post(`/do/in?user=${encodeURIComponent(names[index] ?? '')}`);
    }
    for (const [index, one] of browsers.entries()) {
      expect(await userOf(one)).toBe(names[index]);
      expect((await one.get('/do/list')).json()).toHaveLength(1);
    }
  });
});
