import { Controller, Get } from '@nestjs/common';
import { RequireAuth, SessionStore, SkipSession } from 'nest-sessions';
import { MemorySessionBackend, signIn } from 'nest-sessions/testing';
import { onEachPlatform, type OpenApp } from '../support/open-app.js';
import { BASICS } from '../support/session-routes.js';

@Controller('paths')
class PathsController {
  @Get('members')
  @RequireAuth()
  members(): string {
    return 'members';
  }

  @Get('skipped')
  @SkipSession()
  skipped(): string {
    return 'skipped';
  }
}

const NAME = '__Host-sid';

async function openPaths(open: OpenApp, mount: 'guard' | 'middleware') {
  const opened = await open({
    controllers: [PathsController],
    options: { transport: ['cookie', 'bearer'], mount },
    routes: BASICS,
  });
  const { app, store, clock } = opened;
  const foreign = new SessionStore(new MemorySessionBackend(), { key: Buffer.alloc(32, 'another') });
  const ended = await store.create({}, 'ada');
  await store.delete(ended.session.id);
  const expired = await store.create({}, 'ada');
  clock.advance('25h');
  const { cookie } = await signIn(app, 'ada');
  const { authorization } = await signIn(app, 'ada', { transport: 'bearer' });
  opened.storage.forget();
  const [token, bearer] = [cookie.slice(NAME.length + 1), authorization.slice('Bearer '.length)];
  const changed = `${token.slice(0, 40)}${token[40] === 'A' ? 'B' : 'A'}${token.slice(41)}`;
  const none: readonly [string, Record<string, string>][] = [
    ['nothing', {}],
    ['cookies of the app', { cookie: 'theme=dark' }],
    ['junk', { cookie: `${NAME}=junk` }],
    ['a token of another key', { cookie: `${NAME}=${(await foreign.create({}, 'ada')).token.reveal()}` }],
    ['a token with a changed secret', { cookie: `${NAME}=${changed}` }],
    ['a bearer token as cookie', { cookie: `${NAME}=${bearer}` }],
    ['a cookie token as bearer', { authorization: `Bearer ${token}` }],
    ['a token in another cookie', { cookie: `sid=${token}` }],
    ['a token of another scheme', { authorization: `Basic ${bearer}` }],
    ['both', { cookie, authorization }],
  ];
  const genuine: readonly [string, Record<string, string>][] = [
    ['a cookie', { cookie }],
    ['a bearer token', { authorization }],
    ['the cookie of a session that was ended', { cookie: `${NAME}=${ended.token.reveal()}` }],
    ['the cookie of a session that has expired', { cookie: `${NAME}=${expired.token.reveal()}` }],
  ];
  return { ...opened, none, genuine };
}

onEachPlatform('the only way to the database', (open) => {
  describe.each(['guard', 'middleware'] as const)('mounted as %s', (mount) => {
    it('is not taken without a genuine token, whatever the route', async () => {
      const { browser, none, storage } = await openPaths(open, mount);
      for (const [title, headers] of none) {
        for (const path of ['/plain', '/do/see', '/do/data', '/paths/members', '/paths/skipped', '/nowhere'])
          await browser().get(path, { headers });
        await browser().post('/do/set', undefined, headers);
        expect([title, storage.calls]).toEqual([title, []]);
      }
    });

    it('is one look-up of a genuine token, which then is found or not', async () => {
      const { browser, genuine, storage } = await openPaths(open, mount);
      for (const [title, headers] of genuine) {
        storage.forget();
        await browser().get('/do/see', { headers });
        expect([title, storage.calls]).toEqual([title, ['find']]);
      }
    });
  });

  it('is not taken where the route skips the session, nor where there is no route', async () => {
    const { browser, genuine, storage } = await openPaths(open, 'guard');
    for (const [, headers] of genuine) {
      await browser().get('/paths/skipped', { headers });
      await browser().get('/nowhere', { headers });
    }
    expect(storage.calls).toEqual([]);
  });
});
