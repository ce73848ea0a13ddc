import { EXIT_CONTROLLERS, EXITS } from '../../support/exits.js';
import { KEY, onEachPlatform, type OpenApp } from '../../support/open-app.js';
import { BASICS, dataOf, refusal, userOf } from '../../support/session-routes.js';

/** A link on a page of another site: the browser withholds a Strict cookie. */
const LINK = { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' };

const openStrict = (open: OpenApp, sameSite: 'strict' | 'lax' = 'strict', csrf?: false) =>
  open({
    options: { key: KEY, cookie: { sameSite }, ...(csrf === false ? { csrf } : {}) },
    controllers: EXIT_CONTROLLERS,
    prepare: (app) => app.enableVersioning(),
    routes: {
      ...BASICS,
      keep: async ({ session }) => {
        session.data.theme = 'dark';
        session.flash('notice', 'Welcome');
        await session.save();
        const cart = await session.update((data) => (data.cart = ['tea']).length);
        return { cart, isNew: session.isNew };
      },
      late: ({ session }, response) => {
        response.end('done');
        session.set('theme', 'dark');
      },
      bag: ({ request }) => void Object.assign(request.session ?? {}, { theme: 'dark' }),
      carry: async ({ session }) => {
        session.data.theme = 'dark';
        await session.authenticate('ada');
      },
    },
  });

onEachPlatform("with `cookie.sameSite: 'strict'`, a visit that another site leads to", (open, platform) => {
  it.each(EXITS)('begins no session, and is answered as it was to be, by $title', async (exit) => {
    const { browser, storage, log } = await openStrict(open);
    const reply = await browser().send(exit.method ?? 'GET', exit.path, {
      headers: { ...LINK, ...exit.headers },
    });
    expect(reply.status).toBe(platform === 'fastify' ? (exit.onFastify ?? exit.status) : exit.status);
    expect(reply.text).toContain(exit.body ?? '');
    expect(reply.setCookies).toEqual([]);
    expect(storage.calls).toEqual([]);
    expect(log.sessionErrors).toEqual([]);
  });

  it('keeps nothing of what a handler saves in between, messages and late changes included', async () => {
    const { browser, storage, log } = await openStrict(open);
    const visitor = browser();
    const reply = await visitor.get('/do/keep', { headers: LINK });
    expect([reply.status, reply.json()]).toEqual([200, { cart: 1, isNew: true }]);
    for (const path of ['/do/bag', '/raw/late'])
      expect((await visitor.get(path, { headers: LINK })).status).toBe(200);
    expect(storage.calls).toEqual([]);
    expect(log.lines).toEqual([]);
  });

  it('may sign in: that is a new session on purpose, with what the handler put into it', async () => {
    const { browser } = await openStrict(open);
    const visitor = browser();
    expect((await visitor.get('/do/carry', { headers: LINK })).status).toBe(200);
    expect([await userOf(visitor), await dataOf(visitor)]).toEqual(['ada', { theme: 'dark' }]);
  });

  it('changes the session that its cookie leads to, should a browser send it', async () => {
    const { browser } = await openStrict(open);
    const ada = browser();
    await ada.post('/do/in');
    expect((await ada.get('/do/bag', { headers: LINK })).status).toBe(200);
    expect(await dataOf(ada)).toEqual({ theme: 'dark' });
  });

  it.each([
    ['a page of the app', { ...LINK, 'sec-fetch-site': 'same-origin' }],
    ['a sibling host, whose links carry the cookie', { ...LINK, 'sec-fetch-site': 'same-site' }],
    ['the address bar', { ...LINK, 'sec-fetch-site': 'none' }],
    ['a program', {}],
  ])('is none that comes from %s', async (_title, headers) => {
    const { browser } = await openStrict(open);
    const visitor = browser();
    expect((await visitor.get('/do/bag', { headers })).setCookies).toHaveLength(1);
    expect(await dataOf(visitor)).toEqual({ theme: 'dark' });
  });

  it.each([
    ['several values', 'cross-site, same-site'],
    ['a value that is not one of Fetch Metadata', 'Same-Origin'],
  ])('is one with %s', async (_title, site) => {
    const { browser, storage } = await openStrict(open);
    await browser().get('/do/bag', { headers: { ...LINK, 'sec-fetch-site': site } });
    expect(storage.calls).toEqual([]);
  });

  it('is 403 when it is a form', async () => {
    const { browser, storage } = await openStrict(open);
    const reply = await browser().post('/do/bag', {}, LINK);
    expect(refusal(reply)).toEqual({ status: 403, code: 'cross_site_request' });
    expect(storage.calls).toEqual([]);
  });

  it('begins one with a Lax cookie, which comes along, and with `csrf: false`', async () => {
    const lax = await openStrict(open, 'lax');
    expect((await lax.browser().get('/do/bag', { headers: LINK })).setCookies).toHaveLength(1);
    const off = await openStrict(open, 'strict', false);
    expect((await off.browser().get('/do/bag', { headers: LINK })).setCookies).toHaveLength(1);
  });
});
