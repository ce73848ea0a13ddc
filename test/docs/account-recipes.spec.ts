import { join } from 'node:path';
import { Controller, Get, type INestApplication, Logger, Module, Req, type Type } from '@nestjs/common';
import { APP_FILTER, APP_GUARD } from '@nestjs/core';
import { Test } from '@nestjs/testing';
import { RequireAuth, SessionModule, SessionStore } from 'nest-sessions';
import { ManualClock, MemorySessionBackend, signIn } from 'nest-sessions/testing';
import request from 'supertest';
import { ROOT } from './compile.js';
import { Document } from './document.js';
import { IdentityProvider, UsersService } from './prelude/users.js';
import { openWorkplace, type Workplace } from './run.js';

Logger.overrideLogger(false);

/** All that the pages show of accounts, side by side. */
const FILES = ['sign-in', 'protect-routes', 'passport-and-oauth'].flatMap((page) =>
  Document.read(join(ROOT, `docs/${page}.md`)).snippets.filter(({ isNamed }) => isNamed),
);
const NOW = Date.now();
const clock = new ManualClock(NOW);
let workplace: Workplace;
let app: INestApplication | undefined;

beforeEach(() => {
  workplace = openWorkplace(FILES);
});
afterEach(async () => {
  await app?.close();
  workplace.close();
});

/** What a recipe exports. */
async function recipe(file: string, name: string): Promise<Type> {
  return ((await workplace.run(file)) as Record<string, Type>)[name] as Type;
}

@Controller('who')
class WhoController {
  @Get()
  who(@Req() { user }: { user?: { name: string } }): { name: string | null } {
    return { name: user?.name ?? null };
  }

  @Get('members')
  @RequireAuth({ within: '10m' })
  members(): string {
    return 'members';
  }
}

async function appWith(metadata: Parameters<typeof Module>[0] = {}) {
  const sessions = SessionModule.forRoot({ plaintext: true, backend: new MemorySessionBackend(), clock });

  @Module({
    imports: [sessions],
    controllers: [WhoController, ...(metadata.controllers ?? [])],
    providers: [UsersService, IdentityProvider, ...(metadata.providers ?? [])],
  })
  class AppModule {}

  const testing = await Test.createTestingModule({ imports: [AppModule] }).compile();
  const running = await testing.createNestApplication().init();
  app = running;
  const agent = request(running.getHttpServer() as string);
  return {
    store: running.get(SessionStore),
    get: (path: string, cookie = '', accept = 'application/json') =>
      agent.get(path).set('Cookie', cookie).set('Accept', accept),
    post: (path: string, body: object = {}, cookie = '') => agent.post(path).set('Cookie', cookie).send(body),
    cookieOf: async (user: string, data = {}) => (await signIn(running, user, { data })).cookie,
  };
}

const newCookie = (response: request.Response): string =>
  response.get('Set-Cookie')?.[0]?.split(';')[0] ?? '';

describe('the recipe for a changed password', () => {
  it('ends the other sessions, and the token that was in use', async () => {
    const controllers = [await recipe('password.controller.ts', 'PasswordController')];
    const { get, post, cookieOf } = await appWith({ controllers });
    const [cookie, other] = [await cookieOf('7'), await cookieOf('7')];
    const changed = await post('/password', { password: 'new' }, cookie).expect(201, { ended: 1 });
    for (const old of [cookie, other]) await get('/who/members', old).expect(401);
    await get('/who/members', newCookie(changed)).expect(200);
  });
});

describe('the recipe for a disabled account', () => {
  it('ends its sessions and lets nobody in, at the word of an administrator', async () => {
    const controllers = [
      await recipe('accounts.controller.ts', 'AccountsController'),
      await recipe('sign-in.controller.ts', 'SignInController'),
    ];
    const { get, post, cookieOf } = await appWith({ controllers });
    const [admin, member, ada] = [
      await cookieOf('root', { role: 'admin' }),
      await cookieOf('9', { role: 'member' }),
      await cookieOf('7'),
    ];
    await post('/accounts/7/disable', {}, member).expect(403);
    await get('/who/members', ada).expect(200);
    await post('/accounts/7/disable', {}, admin).expect(201, { ended: 1 });
    await get('/who/members', ada).expect(401);
    await post('/login', { name: 'ada', password: 'secret' }).expect(401);
  });
});

describe('the recipe for request.user', () => {
  it('sets it for whoever is signed in, and ends the session of an account that is gone', async () => {
    const useClass = await recipe('user.guard.ts', 'UserGuard');
    const { get, cookieOf, store } = await appWith({ providers: [{ provide: APP_GUARD, useClass }] });
    const cookie = await cookieOf('7');
    await get('/who').expect(200, { name: null });
    await get('/who', cookie).expect(200, { name: 'Ada' });
    await app?.get(UsersService).disable('7');
    await get('/who', cookie).expect(401);
    expect(await store.listForUser('7')).toEqual([]);
  });
});

describe('the recipe for impersonation', () => {
  it('is a session of its own that shows who acts, and ends after half an hour', async () => {
    const controllers = [await recipe('impersonation.controller.ts', 'ImpersonationController')];
    const { get, post, cookieOf, store } = await appWith({ controllers });
    const admin = await cookieOf('root', { role: 'admin' });
    await post('/impersonation/7', {}, await cookieOf('9', { role: 'member' })).expect(403);
    const acting = newCookie(await post('/impersonation/7', {}, admin).expect(201));
    await get('/who/members', admin).expect(401);
    const [session] = await store.listForUser('7');
    expect([session?.data, session?.meta['impersonator']]).toEqual([{ impersonator: 'root' }, 'root']);
    await post('/impersonation/stop', {}, acting).expect(201);
    await get('/who/members', acting).expect(401);
    await post('/impersonation/stop', {}, await cookieOf('7')).expect(403);

    const again = newCookie(await post('/impersonation/7', {}, await cookieOf('root', { role: 'admin' })));
    clock.advance('31m');
    await get('/who/members', again).expect(401);
    expect((await store.listForUser('7')).filter(({ meta }) => meta['impersonator'])).toEqual([]);
  });
});

describe('the recipe for back-channel logout', () => {
  it("ends the sessions of the provider's session, or all of the user, and no session outlives it", async () => {
    const controllers = [await recipe('provider.controller.ts', 'ProviderController')];
    const { get, post, store } = await appWith({ controllers });
    const exp = Math.floor(clock.now() / 1000) + 300;
    const open = async (sid: string) =>
      newCookie(await post('/provider/callback', { id_token: `ada:${sid}:${exp}` }).expect(201));
    const [one, two] = [await open('one'), await open('two')];
    await post('/provider/logout', { logout_token: 'ada:one' }).expect(200);
    await get('/who/members', one).expect(401);
    await get('/who/members', two).expect(200);
    await post('/provider/logout', { logout_token: ':one' }).expect(401);
    await post('/provider/logout', { logout_token: 'ada:' }).expect(200);
    expect(await store.listForUser('ada')).toEqual([]);
    const three = await open('three');
    clock.advance('6m');
    await get('/who/members', three).expect(401);
  });
});

describe('the recipe for pages instead of JSON errors', () => {
  it('leads browsers to the sign-in page or to the one that confirms it, and tells programs in JSON', async () => {
    const useClass = await recipe('sign-in.filter.ts', 'SignInFilter');
    const { get, cookieOf } = await appWith({ providers: [{ provide: APP_FILTER, useClass }] });
    const page = await get('/who/members', '', 'text/html').expect(303);
    expect(page.get('Location')).toBe('/sign-in?returnTo=%2Fwho%2Fmembers');
    const cookie = await cookieOf('7');
    clock.advance('11m');
    const confirm = await get('/who/members', cookie, 'text/html').expect(303);
    expect(confirm.get('Location')).toBe('/confirm?returnTo=%2Fwho%2Fmembers');
    const answer = await get('/who/members', cookie).expect(401);
    expect(answer.body).toMatchObject({ code: 'reauthentication_required' });
  });
});
