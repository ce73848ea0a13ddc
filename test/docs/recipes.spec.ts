import {
  type CanActivate,
  Controller,
  Get,
  type INestApplication,
  Logger,
  Module,
  type Type,
} from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { TerminusModule } from '@nestjs/terminus';
import { Test } from '@nestjs/testing';
import { SessionModule } from 'nest-sessions';
import { ManualClock, MemorySessionBackend, signIn } from 'nest-sessions/testing';
import request from 'supertest';
import { shownFile } from './compile.js';
import { UsersService } from './prelude/users.js';
import { openWorkplace } from './run.js';

Logger.overrideLogger(false);

const opened: (() => unknown)[] = [];
let clock: ManualClock;

afterEach(async () => {
  for (const close of opened.splice(0).toReversed()) await close();
});

/** What a file of the pages exports under a name. */
async function recipe<T>(file: string, name: string): Promise<Type<T>> {
  const workplace = openWorkplace([shownFile(file)]);
  opened.push(() => workplace.close());
  return ((await workplace.run(file)) as Record<string, Type<T>>)[name] as Type<T>;
}

/** An app with recipes for controllers, and the way to call it with a Cookie header. */
async function appWith(
  metadata: Pick<Parameters<typeof Module>[0], 'controllers' | 'providers' | 'imports'>,
) {
  clock = new ManualClock('2030-01-01');
  const options = { plaintext: true, backend: new MemorySessionBackend(), clock } as const;

  @Module({
    ...metadata,
    imports: [SessionModule.forRoot(options), ...(metadata.imports ?? [])],
    providers: [UsersService, ...(metadata.providers ?? [])],
  })
  class AppModule {}

  const testing = await Test.createTestingModule({ imports: [AppModule] }).compile();
  const app: INestApplication = await testing.createNestApplication().init();
  opened.push(() => app.close());
  const agent = request(app.getHttpServer() as string);
  return {
    app,
    get: (path: string, cookie = '') => agent.get(path).set('Cookie', cookie),
    post: (path: string, body: object = {}, cookie = '') => agent.post(path).set('Cookie', cookie).send(body),
  };
}

function cookieOf(response: request.Response): string {
  return response.get('Set-Cookie')?.[0]?.split(';')[0] ?? '';
}

const SECRET = { name: 'ada', password: 'secret' };

describe('the recipes for a sign-in, a page of devices and a cart', () => {
  async function shop() {
    return appWith({
      controllers: [
        await recipe('sign-in.controller.ts', 'SignInController'),
        await recipe('devices.controller.ts', 'DevicesController'),
        await recipe('cart.controller.ts', 'CartController'),
      ],
    });
  }

  it('keep the cart at the sign-in, under a new token; the old one is worth nothing', async () => {
    const { get, post } = await shop();
    const before = cookieOf(await post('/cart', { sku: 'A-1', count: 1 }).expect(201, '1'));
    expect((await post('/login', { ...SECRET, password: 'guessed' }, before)).status).toBe(401);
    const after = cookieOf(await post('/login', SECRET, before).expect(201));
    expect(after).not.toBe(before);
    await get('/devices', before).expect(401);
    await get('/devices', after).expect(200);
    await post('/cart', { sku: 'A-2', count: 1 }, after).expect(201, '2');
  });

  it('list devices, not for caches, and sign one out from another', async () => {
    const { get, post } = await shop();
    const [here, there] = [cookieOf(await post('/login', SECRET)), cookieOf(await post('/login', SECRET))];
    const page = await get('/devices', here).expect(200);
    expect(page.get('Cache-Control')).toBe('no-store');
    const devices = page.body as { id: string; current: boolean }[];
    expect(devices.filter(({ current }) => current)).toHaveLength(1);
    const other = devices.find(({ current }) => !current);
    await post(`/devices/${other?.id}/revoke`, {}, here).expect(201);
    await post(`/devices/${other?.id}/revoke`, {}, here).expect(404);
    await get('/devices', there).expect(401);
    await get('/devices', here).expect(200);
  });

  it('log out the others, and everywhere', async () => {
    const { get, post } = await shop();
    const cookies = [];
    for (let i = 0; i < 3; i++) cookies.push(cookieOf(await post('/login', SECRET)));
    await post('/devices/logout-others', {}, cookies[0]).expect(201, { ended: 2 });
    await post('/logout-everywhere', {}, cookies[0]).expect(201, { ended: 1 });
    for (const cookie of cookies) await get('/devices', cookie).expect(401);
  });

  it('give a voucher to one of parallel requests', async () => {
    const { app, post } = await shop();
    const { cookie } = await signIn(app, 7, { data: { voucher: 'TEA' } });
    const answers = await Promise.all(Array.from({ length: 5 }, () => post('/cart/voucher', {}, cookie)));
    expect(answers.filter(({ body }) => (body as { voucher?: string }).voucher === 'TEA')).toHaveLength(1);
  });
});

describe('the recipe for a recent sign-in', () => {
  it('asks for the password when the last proof of identity is older than 10 minutes', async () => {
    const { app, post } = await appWith({
      controllers: [await recipe('security.controller.ts', 'SecurityController')],
    });
    const { cookie: other } = await signIn(app, 7);
    const { cookie } = await signIn(app, 7);
    clock.advance('11m');
    const refused = await post('/account/password', { password: 'new' }, cookie).expect(401);
    expect(refused.body).toMatchObject({ code: 'reauthentication_required' });

    const confirmed = await post('/account/confirm', SECRET, cookie).expect(201);
    const renewed = cookieOf(confirmed);
    expect(renewed).not.toBe(cookie);
    await post('/account/password', { password: 'new' }, renewed).expect(201);
    await post('/account/confirm', { password: 'new' }, other).expect(401);
    await post('/account/confirm', { password: 'new' }, cookie).expect(401);
  });
});

describe('the recipe for flash messages', () => {
  it('shows one on the next page, once', async () => {
    const { get, post } = await appWith({
      controllers: [await recipe('order.controller.ts', 'OrderController')],
    });
    const redirect = await post('/orders').expect(302);
    const cookie = cookieOf(redirect);
    const messages = [{ kind: 'success', text: 'Your order is on its way' }];
    await get('/', cookie).expect(200, { messages });
    await get('/', cookie).expect(200, { messages: [] });
  });
});

describe('the recipe for health', () => {
  it('says up', async () => {
    const controllers = [await recipe('health.controller.ts', 'HealthController')];
    const { get } = await appWith({ imports: [TerminusModule], controllers });
    const answer = await get('/health').expect(200);
    expect(answer.body).toMatchObject({
      status: 'ok',
      info: { sessions: { status: 'up', lastCleanup: null } },
    });
  });
});

describe('the recipe for a guard', () => {
  it('lets in whom it should, as a guard of the root module', async () => {
    @Controller()
    class AdminController {
      @Get('admin')
      show() {
        return 'for admins';
      }
    }

    const useClass = await recipe<CanActivate>('admin.guard.ts', 'AdminGuard');
    const providers = [{ provide: APP_GUARD, useClass }];
    const { app, get } = await appWith({ controllers: [AdminController], providers });
    await get('/admin').expect(403);
    await get('/admin', (await signIn(app, 'bob', { data: { role: 'member' } })).cookie).expect(403);
    await get('/admin', (await signIn(app, 'ada', { data: { role: 'admin' } })).cookie).expect(200);
  });
});
