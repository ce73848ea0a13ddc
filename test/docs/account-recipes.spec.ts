import { join } from 'node:path';
import { Controller, Get, type INestApplication, Logger, Module, Req, type Type } from '@nestjs/common';
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
const FILES = ['passport-and-oauth'].flatMap((page) =>
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
