import { type OpenApp, onEachPlatform, type Platform, type TestApp } from '../support/open-app.js';
import { type Exit, EXIT_CONTROLLERS, EXITS } from '../support/exits.js';
import { rowsOf } from '../support/storage.js';

const send = (browser: ReturnType<TestApp['browser']>, { method = 'GET', path, headers }: Exit) =>
  browser.start(method, path, { headers });

async function openExits(open: OpenApp) {
  const app = await open({
    controllers: EXIT_CONTROLLERS,
    prepare: (made) => made.enableVersioning(),
    routes: { in: ({ session }) => session.authenticate('ada'), data: ({ session }) => session.data },
  });
  return { app, browser: app.browser(), storage: app.storage, log: app.log };
}

const statusOf = ({ status, onFastify }: Exit, platform: Platform): number =>
  platform === 'fastify' ? (onFastify ?? status) : status;

/** Lets everything happen that is on its way: whole requests come and go. */
async function letTimePass(app: TestApp): Promise<void> {
  for (let i = 0; i < 3; i++) await app.browser().get('/plain');
}

onEachPlatform(
  'rule 4, acknowledged means durable: the first byte leaves after the write',
  (open, platform) => {
    it.each(EXITS)('by $title', async (exit) => {
      const { browser, app, storage, log } = await openExits(open);
      await browser.get('/do/in');
      const held = storage.hold('save');
      const exchange = await send(browser, exit);
      await held.reached;
      await letTimePass(app);
      expect(exchange.hasBegun()).toBe(false);
      held.release();
      const reply = await exchange.reply;
      expect(reply.status).toBe(statusOf(exit, platform));
      expect(reply.text).toContain(exit.body ?? '');
      expect((await browser.get('/do/data')).json()).toMatchObject({ theme: 'dark' });
      expect(storage.calls.filter((call) => call === 'save')).toHaveLength(1);
      expect(log.sessionErrors).toEqual([]);
    });
  },
);

onEachPlatform('rule 4, a new session and its cookie', (open, platform) => {
  it.each(EXITS)('leave together by $title', async (exit) => {
    const { browser, storage, log } = await openExits(open);
    const held = storage.hold('insert');
    const exchange = await send(browser, exit);
    await held.reached;
    held.release();
    const reply = await exchange.reply;
    expect(reply.status).toBe(statusOf(exit, platform));
    expect(reply.text).toContain(exit.body ?? '');
    expect(reply.setCookies).toEqual([expect.stringMatching(/^__Host-sid=\w/)]);
    expect((await browser.get('/do/data')).json()).toMatchObject({ theme: 'dark' });
    expect(rowsOf(storage)).toHaveLength(1);
    expect(log.sessionErrors).toEqual([]);
  });
});

onEachPlatform('rule 4, a write that fails', (open) => {
  it.each(EXITS)('is a 503 with Retry-After, by $title', async (exit) => {
    const { browser, storage } = await openExits(open);
    await browser.get('/do/in');
    const cookie = await browser.cookie();
    storage.forget();
    const held = storage.hold('save');
    const exchange = await send(browser, exit);
    await held.reached;
    held.release(new Error('disk full'));
    const reply = await exchange.reply;
    if (exit.path === '/exit/filtered' && reply.status === 418) {
      // The failure went through the app's own filter, which answered as it always does.
      expect(reply.text).toBe('teapot');
    } else {
      expect(reply.status).toBe(503);
      expect(reply.headers['retry-after']).toBe('5');
      expect(reply.text).not.toContain(exit.body || 'disk full');
      expect(reply.headers.location).toBeUndefined();
    }
    expect(await browser.cookie()).toBe(cookie);
    expect((await browser.get('/do/data')).json()).toEqual({});
    expect(storage.calls.filter((call) => call === 'save')).toHaveLength(1);
  });
});
