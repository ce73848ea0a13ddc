import type { Browser } from '../../support/browser.js';
import { type AppSetup, KEY, openApp, type TestApp } from '../../support/open-app.js';
import type { Route } from '../../support/routes.js';
import { BASICS, dataOf, refusal, seenBy, userOf } from '../../support/session-routes.js';
import { rowsOf } from '../../support/storage.js';
import { accounts, openPassport } from './support/passport-app.js';

const apps: TestApp[] = [];
const open = async (setup?: AppSetup): Promise<TestApp> => {
  const opened = await openPassport(setup);
  apps.push(opened);
  return opened;
};
afterEach(async () => {
  for (const { app } of apps.splice(0)) await app.close();
});

const logIn = (browser: Browser, username = 'ada', password = 'secret') =>
  browser.post('/passport/login', { username, password });

async function signedIn(browser: () => Browser, username?: string): Promise<Browser> {
  const visitor = browser();
  await logIn(visitor, username);
  return visitor;
}

const reasons = ({ events }: TestApp): unknown[] =>
  events.filter(({ name }) => name === 'revoked').map(({ reason }) => reason);

describe('Passport, signing in', () => {
  it('is remembered, by Passport and by our session', async () => {
    const { browser } = await open();
    const ada = browser();
    expect((await ada.get('/passport/me')).status).toBe(403);
    expect((await logIn(ada)).json()).toEqual({ id: 7, name: 'ada' });
    expect((await ada.get('/passport/me')).json()).toEqual({ id: 7, name: 'ada' });
    expect(await seenBy(ada)).toMatchObject({ userId: '7', isAuthenticated: true });
  });

  it('ends the session from before, and keeps nothing of it', async () => {
    const app = await open();
    const ada = app.browser();
    await ada.post('/do/set', { theme: 'dark' });
    const planted = await ada.copy();
    await logIn(ada);
    expect(await dataOf(ada)).toEqual({ passport: { user: 7 } });
    expect(await dataOf(planted)).toEqual({});
    expect(rowsOf(app.storage)).toHaveLength(1);
    expect(reasons(app)).toEqual(['replaced']);
  });

  it('keeps what was there when it is asked to', async () => {
    const { browser } = await open();
    const ada = browser();
    await ada.post('/do/set', { theme: 'dark' });
    expect((await ada.post('/passport/login-and-keep')).status).toBe(201);
    expect(await dataOf(ada)).toEqual({ theme: 'dark', passport: { user: 7 } });
    expect(await userOf(ada)).toBe('7');
  });

  it('looks up once, and stores once', async () => {
    const { browser, storage } = await open();
    const ada = browser();
    await logIn(ada);
    expect(storage.calls).toEqual(['insert']);
    storage.forget();
    await logIn(ada);
    expect(storage.calls).toEqual(['find', 'delete', 'insert']);
    storage.forget();
    await ada.get('/passport/me');
    expect(storage.calls).toEqual(['find']);
  });

  it('with another password stores nothing', async () => {
    const { browser, storage } = await open();
    const reply = await logIn(browser(), 'ada', 'guess');
    expect([reply.status, reply.setCookies, storage.calls]).toEqual([401, [], []]);
  });

  it('counts towards the limit', async () => {
    const { browser } = await open({ options: { maxPerUser: 2 } });
    const [first, second, third] = [
      await signedIn(browser),
      await signedIn(browser),
      await signedIn(browser),
    ];
    const bob = await signedIn(browser, 'bob');
    const states = await Promise.all([first, second, third, bob].map((one) => one.get('/passport/me')));
    expect(states.map(({ status }) => status)).toEqual([403, 200, 200, 200]);
  });

  it('is refused over the limit, with onLimit: reject', async () => {
    const { browser } = await open({ options: { maxPerUser: 1, onLimit: 'reject' } });
    await signedIn(browser);
    const second = browser();
    expect(refusal(await logIn(second))).toEqual({ status: 409, code: 'session_limit_reached' });
    expect((await second.get('/passport/me')).status).toBe(403);
  });

  it('is listed, and can be revoked from another device', async () => {
    const { browser } = await open({
      routes: { revoke: ({ session, query }) => session.revoke(query['id'] ?? '') },
    });
    const [laptop, phone] = [await signedIn(browser), await signedIn(browser)];
    const devices = (await laptop.get('/do/list')).json<{ id: string; current: boolean }[]>();
    expect(devices.filter(({ current }) => current)).toHaveLength(1);
    const id = devices.find(({ current }) => !current)?.id;
    expect((await laptop.get(`/do/revoke?id=${id}`)).text).toBe('true');
    expect((await phone.get('/passport/me')).status).toBe(403);
    expect((await laptop.get('/passport/me')).status).toBe(200);
  });

  it('fails while storage is down, and signs nobody in', async () => {
    const { browser, storage } = await open();
    const ada = browser();
    storage.goDown();
    const reply = await logIn(ada);
    expect([reply.status, reply.headers['retry-after'], reply.setCookies]).toEqual([503, '5', []]);
    storage.recover();
    expect((await ada.get('/passport/me')).status).toBe(403);
  });

  it('is refused when a page of another site sends it', async () => {
    const { browser, storage } = await open();
    const body = { username: 'ada', password: 'secret' };
    const reply = await browser().post('/passport/login', body, { 'sec-fetch-site': 'cross-site' });
    expect([reply.status, storage.calls]).toEqual([403, []]);
  });

  it('as somebody else ends the session of the first', async () => {
    const app = await open();
    const visitor = await signedIn(app.browser, 'ada');
    const before = await visitor.copy();
    await logIn(visitor, 'bob');
    expect([await userOf(visitor), await userOf(before)]).toEqual(['8', null]);
    expect(reasons(app)).toEqual(['replaced']);
  });
});

describe('Passport, signing out', () => {
  it('ends the session and removes the cookie', async () => {
    const app = await open();
    const ada = await signedIn(app.browser);
    const thief = await ada.copy();
    app.storage.forget();
    expect((await ada.post('/passport/logout')).status).toBe(201);
    expect(app.storage.calls).toEqual(['find', 'delete']);
    expect(await ada.cookie()).toBeUndefined();
    expect((await thief.get('/passport/me')).status).toBe(403);
    expect(reasons(app)).toEqual(['logout']);
  });

  it('keeps the rest for a session without a user when it is asked to', async () => {
    const app = await open();
    const ada = await signedIn(app.browser);
    await ada.post('/do/set', { theme: 'dark' });
    await ada.post('/passport/logout', { keep: true });
    expect(await seenBy(ada)).toMatchObject({ userId: null, data: { theme: 'dark', passport: {} } });
    expect(reasons(app)).toEqual(['logout']);
  });

  it('happens when the account is gone', async () => {
    const app = await open();
    const ada = await signedIn(app.browser);
    accounts.delete(7);
    expect((await ada.get('/passport/me')).status).toBe(403);
    expect(rowsOf(app.storage)).toEqual([]);
    expect(await ada.cookie()).toBeUndefined();
    expect(reasons(app)).toEqual(['logout']);
  });

  it('that storage does not take is no success', async () => {
    const { browser, storage } = await open();
    const ada = await signedIn(browser);
    storage.fail('delete');
    expect((await ada.post('/passport/logout')).status).toBe(503);
    storage.recover();
    expect((await ada.get('/passport/me')).status).toBe(200);
  });
});

describe('what looks like a user of Passport', () => {
  const plant: Route = async ({ session, request }) => {
    session.data['passport'] = { user: 7 };
    await (request.session as { save(): Promise<void> } | undefined)?.save();
  };

  it('signs nobody in when it comes from anywhere but a sign-in', async () => {
    const { browser } = await open({ routes: { plant } });
    const mallory = browser();
    await mallory.get('/do/plant');
    expect(await userOf(mallory)).toBeNull();
  });

  it('is not looked for where there is no Passport', async () => {
    const regenerate: Route = async (call, ...rest) => {
      await (call.request.session as { regenerate(): Promise<void> } | undefined)?.regenerate();
      return plant(call, ...rest);
    };
    const app = await openApp('express', { options: { key: KEY }, routes: { ...BASICS, regenerate } });
    apps.push(app);
    const mallory = app.browser();
    await mallory.get('/do/regenerate');
    expect(await seenBy(mallory)).toMatchObject({ userId: null, data: { passport: { user: 7 } } });
  });
});
