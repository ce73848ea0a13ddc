import { Controller, Module, Post, UnauthorizedException } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { SessionModule, sessionOf, SessionStore, SkipSession } from 'nest-sessions';
import { MemorySessionBackend } from 'nest-sessions/testing';
import { Browser, type Reply } from '../../support/browser.js';
import { EXIT_CONTROLLERS, EXITS } from '../../support/exits.js';
import { type AppSetup, KEY, onEachPlatform, type OpenApp } from '../../support/open-app.js';
import { sendRaw } from '../../support/raw-request.js';
import type { Routes } from '../../support/routes.js';
import { BASICS, dataOf, refusal, type Seen, userOf } from '../../support/session-routes.js';
import { rowsOf } from '../../support/storage.js';

/** A form on a page of another site, which reaches the app without the Lax cookie. */
const FOREIGN = { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', origin: 'https://evil.test' };
const REFUSED = { status: 403, code: 'cross_site_request' };
const MOUNTS = ['guard', 'middleware'] as const;

const ROUTES: Routes = {
  ...BASICS,
  /** A login that fails, with words for the next page. */
  fail: ({ session }, _response, reply) => {
    session.flash('error', 'Wrong password');
    void reply.status(303).redirect('/login');
  },
  failByThrowing: ({ session }) => {
    session.flash('error', 'Wrong password');
    throw new UnauthorizedException();
  },
  update: ({ session }) => session.update((data) => void (data.cart = ['of mallory'])),
  save: async ({ session }) => {
    session.data.theme = 'dark';
    await session.save();
  },
  replace: ({ session }) => void (session.data = { theme: 'dark' }),
  writeToBag: ({ request }) => void Object.assign(request.session ?? {}, { theme: 'dark' }),
  takeOnce: ({ session }) => session.takeOnce('theme'),
  clear: ({ session }) => session.clear(),
  read: ({ session }) => ({ user: session.userId, theme: session.get('theme') ?? null }),
  bearer: async ({ session }) => (await session.authenticate('ada', { transport: 'bearer' })).reveal(),
  rotate: ({ session }) => session.rotate(),
};

@Controller('skipped')
class SkippedController {
  constructor(private readonly store: SessionStore) {}

  /** As a webhook or an API of others would keep something by itself. */
  @Post()
  @SkipSession()
  async skipped(): Promise<string> {
    const { session } = await this.store.create({}, null, { from: 'a webhook' });
    return session.id;
  }
}

describe.each(MOUNTS)("with mount: '%s',", (mount) => {
  const openRoutes = (open: OpenApp, setup: AppSetup = {}) =>
    open({
      controllers: [SkippedController],
      routes: ROUTES,
      ...setup,
      options: { key: KEY, mount, ...setup.options },
    });

  onEachPlatform('a page of another site begins no session', (open) => {
    it.each([
      ['a write', '/do/set'],
      ['a write of all data', '/do/replace'],
      ['update()', '/do/update'],
      ['save()', '/do/save'],
      ['a write to req.session', '/do/writeToBag'],
      ['a failed login that flashes', '/raw/fail'],
      ['a failed login that throws', '/do/failByThrowing'],
      ['a login', '/do/in?user=mallory'],
    ])('by %s: 403, nothing stored, no cookie', async (_title, path) => {
      const { browser, storage } = await openRoutes(open);
      const reply = await browser().post(path, { theme: 'dark' }, FOREIGN);
      expect(refusal(reply)).toEqual(REFUSED);
      expect(reply.setCookies).toEqual([]);
      expect(reply.headers.location).toBeUndefined();
      expect(storage.calls).toEqual([]);
    });

    it.each(['PUT', 'PATCH', 'DELETE'])('by %s', async (method) => {
      const { browser, storage } = await openRoutes(open);
      const reply = await browser().send(method, '/do/replace', { headers: FOREIGN });
      expect(refusal(reply)).toEqual(REFUSED);
      expect(storage.calls).toEqual([]);
    });

    it.each(['PURGE', 'QUERY', 'LINK', 'PROPFIND', 'TRACE'])('by %s, where it is routed', async (method) => {
      const { browser, storage } = await openRoutes(open);
      const { status, setCookies } = await browser().send(method, '/do/replace', {
        body: method === 'QUERY' ? {} : undefined,
        headers: FOREIGN,
      });
      expect([403, 404]).toContain(status);
      expect([setCookies, storage.calls]).toEqual([[], []]);
    });

    it.each([
      ['another site, in an older browser', ['Origin: https://evil.test']],
      ['two origins, one of them its own', ['Origin: https://app.test', 'Origin: https://evil.test']],
      ['two origins, both its own', ['Origin: https://app.test', 'Origin: https://app.test']],
      ['two words on where it comes from', ['Sec-Fetch-Site: none', 'Sec-Fetch-Site: cross-site']],
      ['a sibling host', ['Sec-Fetch-Site: same-site', 'Origin: https://blog.app.test']],
      ['a page that hides its origin', ['Origin: null']],
    ])('from %s, over the wire', async (_title, lines) => {
      const { port, storage } = await openRoutes(open);
      const head = ['POST /do/replace HTTP/1.1', 'Host: app.test', 'Content-Length: 0', 'Connection: close'];
      const { status, text } = await sendRaw(port, Buffer.from([...head, ...lines, '', ''].join('\r\n')));
      expect(status).toBe(403);
      expect(text.toLowerCase()).not.toContain('set-cookie');
      expect(storage.calls).toEqual([]);
    });

    it.each(EXITS.filter(({ method }) => method !== 'HEAD'))('by $title', async (exit) => {
      const { browser, storage, log } = await openRoutes(open, {
        controllers: EXIT_CONTROLLERS,
        prepare: (app) => app.enableVersioning(),
      });
      const reply = await browser().send('POST', exit.path, { headers: { ...FOREIGN, ...exit.headers } });
      // A filter of the app for everything answers the refusal as it answers all else.
      const isFiltered = reply.text === 'teapot';
      expect(reply.status).toBe(isFiltered ? 418 : 403);
      if (!isFiltered) expect(refusal(reply)).toEqual(REFUSED);
      expect(reply.setCookies).toEqual([]);
      expect(reply.headers.location).toBeUndefined();
      expect(storage.calls).toEqual([]);
      expect(log.sessionErrors).toEqual([]);
    });

    it('in place of that of a victim, whose browser withholds the cookie', async () => {
      const { browser } = await openRoutes(open);
      const ada = browser();
      await ada.post('/do/in');
      await ada.post('/do/set', { cart: 'of ada' });
      const before = await ada.cookie();
      for (const path of ['/do/set', '/do/update', '/raw/fail', '/do/in?user=mallory'])
        await withhold(ada, (withoutCookie) => withoutCookie.post(path, { cart: 'of mallory' }, FOREIGN));
      expect(await ada.cookie()).toBe(before);
      expect([await userOf(ada), await dataOf(ada)]).toEqual(['ada', { cart: 'of ada' }]);
    });

    it('so that nobody is locked out by a limit', async () => {
      const { browser, storage } = await openRoutes(open, {
        options: { key: KEY, mount, maxPerUser: 3, onLimit: 'reject' },
      });
      const ada = browser();
      await ada.post('/do/in');
      for (let form = 0; form < 3; form++) {
        await withhold(ada, (withoutCookie) => withoutCookie.post('/do/set', { theme: 'dark' }, FOREIGN));
        expect((await ada.post('/do/in')).status).toBe(200);
      }
      expect(rowsOf(storage)).toHaveLength(1);
    });

    it('and is served where none would begin', async () => {
      const { browser, storage } = await openRoutes(open);
      const visitor = browser();
      for (const path of ['/do/read', '/do/takeOnce', '/do/clear', '/do/out', '/do/list', '/do/rotate']) {
        const reply = await visitor.post(path, {}, FOREIGN);
        expect([path, reply.status, reply.setCookies]).toEqual([path, 200, []]);
      }
      expect(storage.calls).toEqual([]);
    });

    it('and cannot see whether somebody is signed in, or change a session that the cookie reached', async () => {
      const { browser, storage } = await openRoutes(open);
      const visitor = browser();
      await visitor.post('/do/set', { theme: 'light' });
      storage.forget();
      const paths = ['/do/set', '/do/update', '/do/save', '/do/writeToBag', '/raw/fail', '/do/clear'];
      for (const path of [...paths, '/do/in', '/do/out', '/do/rotate', '/do/read', '/do/takeOnce']) {
        const reply = await visitor.post(path, { theme: 'dark' }, FOREIGN);
        expect([path, refusal(reply), reply.setCookies]).toEqual([path, REFUSED, []]);
      }
      expect(storage.calls.filter((call) => call !== 'find')).toEqual([]);
      expect(await dataOf(visitor)).toEqual({ theme: 'light' });
    });

    it.each([
      ['another site', FOREIGN, { cookies: 0, calls: ['find', 'close'] }],
      ['the app', {}, { cookies: 1, calls: ['find', 'changeToken', 'touch', 'close'] }],
    ])(
      'and one that is there is extended and rotated by a page of %s, or not',
      async (_of, headers, expected) => {
        const { browser, storage, clock, app } = await openRoutes(open, {
          options: { key: KEY, mount, rotation: { every: '10m' } },
        });
        const ada = browser();
        await ada.post('/do/in');
        clock.advance('20m');
        storage.forget();
        const { setCookies } = await ada.post('/do/read', {}, headers);
        await app.close(); // writes what is recorded
        expect({ cookies: setCookies.length, calls: storage.calls }).toEqual(expected);
      },
    );

    it('while a program, a page of the app, a page that is listed, and a safe method do', async () => {
      const { browser } = await openRoutes(open, {
        options: { key: KEY, mount, csrf: { origins: ['https://admin.test'] } },
      });
      const post = (headers: Record<string, string>) => browser().post('/do/set', { theme: 'dark' }, headers);
      const replies = [
        await post({}),
        await post({ 'sec-fetch-site': 'same-origin', origin: 'https://app.test' }),
        await post({ 'sec-fetch-site': 'none' }),
        await post({ ...FOREIGN, origin: 'https://admin.test' }),
        await browser().get('/do/replace', { headers: FOREIGN }),
        await browser().send('HEAD', '/do/replace', { headers: FOREIGN }),
        await browser().send('OPTIONS', '/do/replace', { headers: FOREIGN }),
      ];
      expect(replies.map(({ status, setCookies }) => [status, setCookies.length])).toEqual(
        replies.map(() => [200, 1]),
      );
    });

    it('unless something else protects the app: `csrf: false`', async () => {
      const { browser } = await openRoutes(open, { options: { key: KEY, mount, csrf: false } });
      for (const path of ['/do/set', '/do/in', '/do/update'])
        expect((await browser().post(path, { theme: 'dark' }, FOREIGN)).setCookies).toHaveLength(1);
    });

    it('nor ends the session of a bearer token, which no browser sends by itself', async () => {
      const { browser } = await openRoutes(open, {
        options: { key: KEY, mount, transport: ['cookie', 'bearer'] },
      });
      const signedIn = await browser().post('/do/bearer', {}, FOREIGN); // no cookie: a page of anybody may
      expect(signedIn.setCookies).toEqual([]);
      const headers = { ...FOREIGN, authorization: `Bearer ${signedIn.text}` };
      expect((await browser().post('/do/set', { theme: 'dark' }, headers)).status).toBe(200);
      const seen = await browser().get('/do/see', { headers });
      expect(seen.json<Seen>()).toMatchObject({ userId: 'ada', data: { theme: 'dark' } });
    });

    it('where a route skips the session: what the app does there with the store is its own', async () => {
      const { browser, storage } = await openRoutes(open);
      const reply = await browser().post('/skipped', {}, FOREIGN);
      expect([reply.status, reply.setCookies]).toEqual([201, []]);
      expect(rowsOf(storage)).toHaveLength(1);
    });

    it('in an app whose options come from a factory', async () => {
      @Module({
        imports: [
          SessionModule.forRootAsync({
            useFactory: () => ({ key: KEY, mount, cleanup: false as const }),
            backend: MemorySessionBackend,
          }),
        ],
        controllers: EXIT_CONTROLLERS,
      })
      class FactoryModule {}
      const app = await NestFactory.create(FactoryModule, { logger: false, abortOnError: false });
      await app.listen(0, '127.0.0.1');
      const { port } = app.getHttpServer().address() as AddressInfo;
      const reply = await new Browser(port).post('/exit/object', {}, FOREIGN);
      await app.close();
      expect([refusal(reply), reply.setCookies]).toEqual([REFUSED, []]);
    });
  });
});

onEachPlatform('middleware that writes before the route is known', (open) => {
  it('keeps nothing for a page of another site, whether it answers by itself or goes on', async () => {
    const { browser, storage } = await open({
      options: { key: KEY, mount: 'middleware' },
      routes: BASICS,
      prepare: (app) =>
        app.use((request: IncomingMessage, response: ServerResponse, next: () => void) => {
          const session = sessionOf<{ views?: number }>(request);
          session?.set('views', (session.get('views') ?? 0) + 1);
          if (request.url === '/answered') response.end('by itself');
          else next();
        }),
    });
    const ada = browser();
    await ada.post('/do/in');
    storage.forget();
    for (const path of ['/answered', '/do/see', '/no/such/page']) {
      for (const visitor of [browser(), ada]) {
        const reply = await visitor.post(path, {}, FOREIGN);
        expect([path, refusal(reply), reply.setCookies]).toEqual([path, REFUSED, []]);
      }
    }
    expect(storage.calls).toEqual(['find', 'find', 'find']);
    expect((await browser().post('/answered')).text).toBe('by itself');
  });
});

/** What a browser does of which another site asks: it withholds the cookie, and takes the one that comes back. */
async function withhold(browser: Browser, send: (withoutCookie: Browser) => Promise<Reply>): Promise<Reply> {
  const withoutCookie = new Browser(browser.port, browser.host);
  const reply = await send(withoutCookie);
  for (const cookie of reply.setCookies) await browser.jar.setCookie(cookie, `https://${browser.host}/`);
  return reply;
}
