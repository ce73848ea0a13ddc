import { Controller, Get, Header } from '@nestjs/common';
import type { ServerResponse } from 'node:http';
import { RequireAuth, SkipSession } from 'nest-sessions';
import { type AppSetup, onEachPlatform, type OpenApp } from '../support/open-app.js';
import type { Reply } from '../support/browser.js';
import type { PlatformResponse, Routes } from '../support/routes.js';
import { BASICS } from '../support/session-routes.js';

@Controller('cached')
class CachedController {
  @Get('own')
  @Header('Cache-Control', 'private, max-age=60')
  own(): string {
    return 'mine';
  }

  @Get('skipped')
  @SkipSession()
  skipped(): string {
    return 'public';
  }

  @Get('members')
  @RequireAuth()
  members(): string {
    return 'members';
  }
}

const caching = ({ headers }: Reply) => [headers['cache-control'], headers.vary];

async function openCached(open: OpenApp, options: AppSetup['options'] = {}) {
  const app = await open({
    options,
    controllers: [CachedController],
    routes: {
      ...BASICS,
      inWithCookies: async ({ session }, response, reply) => {
        response.setHeader('Set-Cookie', 'raw=1');
        reply.header('X-App', 'yes');
        await session.authenticate('ada');
        return 'in';
      },
      vary: ({ session, query }, response) => {
        response.setHeader('Vary', query['vary']?.split('|') ?? '');
        response.end(session.userId);
      },
      noTransform: ({ session }, response) => {
        response.setHeader('cache-control', 'public, max-age=1');
        response.end(session.userId);
      },
    },
  });
  const ada = app.browser();
  return { ...app, ada };
}

onEachPlatform('rule 12, caches', (open) => {
  it('may keep nothing that sets our cookie', async () => {
    const { ada, browser } = await openCached(open);
    expect(caching(await browser().post('/do/set', { theme: 'dark' }))).toEqual(['no-store', 'Cookie']);
    expect(caching(await ada.post('/do/in'))).toEqual(['no-store', 'Cookie']);
    expect(caching(await ada.post('/do/out'))).toEqual(['no-store', 'Cookie']);
  });

  describe.each<[string, (answer: ServerResponse, reply: PlatformResponse) => unknown]>([
    ['setHeader', (response) => response.setHeader('cache-control', 'public, max-age=60').end('ok')],
    ['writeHead', (response) => response.writeHead(200, { 'Cache-Control': 'public, max-age=60' }).end('ok')],
    [
      'writeHead and a list',
      (response) =>
        response.writeHead(200, ['Cache-Control', 'public', 'cache-control', 's-maxage=60']).end(),
    ],
    ['flushHeaders', (response) => response.setHeader('Cache-Control', 'public').flushHeaders()],
    ['the platform', (_, reply) => reply.header('Cache-Control', 'public, max-age=60').send('ok')],
  ])('may keep nothing that sets our cookie, though the app says so by %s:', (_title, answer) => {
    const steps: Routes = {
      'a sign-in': ({ session }) => session.authenticate('ada'),
      'a new session': ({ session }) => session.set('theme', 'dark'),
      'a rotation': ({ session }) => session.rotate(),
      'a sign-out': ({ session }) => session.logout(),
    };

    it.each(Object.keys(steps))('%s', async (name) => {
      const { browser } = await open({
        routes: {
          ...BASICS,
          step: async (call, response, reply) => {
            await steps[name]?.(call, response, reply);
            answer(response, reply);
            response.end();
          },
        },
      });
      const visitor = browser();
      if (name !== 'a new session') await visitor.post('/do/in');
      const reply = await visitor.get('/raw/step');
      expect(reply.setCookies).toHaveLength(1);
      expect(caching(reply)).toEqual(['no-store', 'Cookie']);
    });
  });

  it.each(['CDN-Cache-Control', 'Vercel-CDN-Cache-Control', 'Surrogate-Control', 'X-Accel-Expires'])(
    'may keep nothing that sets our cookie for %s, and follow it otherwise',
    async (name) => {
      const { browser } = await open({
        routes: {
          ...BASICS,
          page: ({ session, query }, response) => {
            if (query['write']) session.set('theme', 'dark');
            response.setHeader(name, 'max-age=60').end();
          },
        },
      });
      const kept = name.toLowerCase();
      expect((await browser().get('/raw/page?write=1')).headers).not.toHaveProperty([kept]);
      expect((await browser().get('/raw/page')).headers).toHaveProperty([kept], 'max-age=60');
    },
  );

  it('may keep nothing that rotates by itself, though the app says so by decorator', async () => {
    const { browser, clock } = await openCached(open, { rotation: { every: '10m' } });
    const visitor = browser();
    await visitor.post('/do/in');
    expect(caching(await visitor.get('/cached/own'))).toEqual(['private, max-age=60', 'Cookie']);
    clock.advance('10m');
    const rotated = await visitor.get('/cached/own');
    expect([rotated.setCookies.length, ...caching(rotated)]).toEqual([1, 'no-store', 'Cookie']);
  });

  it('may keep nothing of a signed-in session, also where no handler looks at it', async () => {
    const { ada } = await openCached(open);
    await ada.post('/do/in');
    for (const path of ['/do/see', '/plain', '/cached/members', '/do/nothing-there', '/raw/vary?vary=Cookie'])
      expect([path, ...caching(await ada.get(path))]).toEqual([path, 'no-store', 'Cookie']);
  });

  it('learn that a response varies with the cookie when a session was read, or asked for', async () => {
    const { ada, browser } = await openCached(open);
    await ada.post('/do/set', { theme: 'dark' });
    expect(caching(await ada.get('/plain'))).toEqual([undefined, 'Cookie']);
    expect(caching(await ada.get('/do/data'))).toEqual([undefined, 'Cookie']);
    expect(caching(await browser().get('/do/data'))).toEqual([undefined, 'Cookie']);
    const refused = await browser().get('/cached/members');
    expect([refused.status, ...caching(refused)]).toEqual([401, undefined, 'Cookie']);
  });

  it('are told nothing where no session was involved', async () => {
    const { ada, browser } = await openCached(open);
    expect(caching(await browser().get('/plain'))).toEqual([undefined, undefined]);
    await ada.post('/do/in');
    expect(caching(await ada.get('/cached/skipped'))).toEqual([undefined, undefined]);
  });

  it('follow the Cache-Control of the app where it set one, by decorator or by hand', async () => {
    const { ada } = await openCached(open);
    await ada.post('/do/in');
    expect(caching(await ada.get('/cached/own'))).toEqual(['private, max-age=60', 'Cookie']);
    expect(caching(await ada.get('/raw/noTransform'))).toEqual(['public, max-age=1', 'Cookie']);
  });

  it.each([
    ['Accept-Encoding', 'Accept-Encoding, Cookie'],
    ['accept, cookie', 'accept, cookie'],
    ['Accept|Origin', 'Accept,Origin, Cookie'],
    ['*', '*'],
  ])('see our Vary merged into that of the app: %s', async (vary, merged) => {
    const { ada } = await openCached(open);
    await ada.post('/do/in');
    expect((await ada.get(`/raw/vary?vary=${encodeURIComponent(vary)}`)).headers.vary).toBe(merged);
  });

  it('and browsers get the Set-Cookie headers of the app beside ours', async () => {
    const { ada } = await openCached(open);
    const reply = await ada.post('/do/inWithCookies');
    expect(reply.headers['x-app']).toBe('yes');
    expect(reply.setCookies).toEqual(['raw=1', expect.stringMatching(/^__Host-sid=/)]);
  });

  it('and browsers remove the cookie that they were given: same name, path and flags', async () => {
    const { ada } = await openCached(open);
    await ada.post('/do/in');
    const { setCookies } = await ada.post('/do/out');
    expect(setCookies).toEqual([
      '__Host-sid=; Max-Age=0; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly; Secure; SameSite=Lax',
    ]);
    expect(await ada.cookie()).toBeUndefined();
  });
});
