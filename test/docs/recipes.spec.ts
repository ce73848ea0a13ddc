import { type INestApplication, Logger, Module, type Type } from '@nestjs/common';
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

describe('the recipe for a cart', () => {
  it('gives a voucher to one of parallel requests', async () => {
    const controllers = [await recipe('cart.controller.ts', 'CartController')];
    const { app, post } = await appWith({ controllers });
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
