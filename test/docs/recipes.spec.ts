import { type INestApplication, Logger, Module, type Type } from '@nestjs/common';
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

describe('the recipes for a page of devices and a cart', () => {
  async function shop() {
    const { app, ...calls } = await appWith({
      controllers: [
        await recipe('devices.controller.ts', 'DevicesController'),
        await recipe('cart.controller.ts', 'CartController'),
      ],
    });
    return { app, ...calls, signedIn: async () => (await signIn(app, '7')).cookie };
  }

  it('list devices, not for caches, and sign one out from another', async () => {
    const { get, post, signedIn } = await shop();
    const [here, there] = [await signedIn(), await signedIn()];
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

  it('log out the others', async () => {
    const { get, post, signedIn } = await shop();
    const [here, ...others] = [await signedIn(), await signedIn(), await signedIn()];
    await post('/devices/logout-others', {}, here).expect(201, { ended: 2 });
    for (const cookie of others) await get('/devices', cookie).expect(401);
  });

  it('give a voucher to one of parallel requests', async () => {
    const { app, post } = await shop();
    const { cookie } = await signIn(app, 7, { data: { voucher: 'TEA' } });
    const answers = await Promise.all(Array.from({ length: 5 }, () => post('/cart/voucher', {}, cookie)));
    expect(answers.filter(({ body }) => (body as { voucher?: string }).voucher === 'TEA')).toHaveLength(1);
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
