import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { CacheModule } from '@nestjs/cache-manager';
import { signIn } from 'nest-sessions/testing';
import { openPage, type PageApp } from './page-app.js';
import { ROOT } from './compile.js';

const PAGE = 'docs/services.md';
let page: PageApp;

beforeEach(() => {
  page = openPage(PAGE, { goesOnWith: 'docs/getting-started.md' });
});
afterEach(() => page.close());

describe('a service', () => {
  it('knows who has sent the request that it is called in, and nobody outside one', async () => {
    const AuditService = await page.recipe<{ entries: string[]; write(action: string): void }>(
      'audit.service.ts',
      'AuditService',
    );
    const { app, post } = await page.start({
      controllers: [await page.recipe('orders.controller.ts', 'OrdersController')],
      providers: [AuditService],
    });
    const [ada, bob] = [await signIn(app, 'ada'), await signIn(app, 'bob')];
    await post('/orders', {}, ada.cookie).expect(201);
    await post('/orders', {}, bob.cookie).expect(201);
    await post('/orders').expect(401);
    const audit = app.get(AuditService, { strict: false });
    audit.write('cleaned up');
    expect(audit.entries).toEqual(['ada: placed an order', 'bob: placed an order', 'nobody: cleaned up']);
  });
});

describe('a cache', () => {
  it.each(['Express', 'Fastify'] as const)('keeps an answer for each user, on %s', async (on) => {
    const controllers = [await page.recipe('profile.controller.ts', 'ProfileController')];
    const { app, get } = await page.start(
      { controllers, imports: [CacheModule.register({ ttl: 60_000 })] },
      on,
    );
    const [ada, bob] = [await signIn(app, 'ada'), await signIn(app, 'bob')];
    const first = await get('/profile', ada.cookie).expect(200);
    expect(first.body).toMatchObject({ userId: 'ada' });
    expect((await get('/profile', bob.cookie)).body).toMatchObject({ userId: 'bob' });
    const second = await get('/profile', ada.cookie);
    expect([second.get('X-Cache'), second.body]).toEqual(['HIT', first.body]);
    await get('/profile').expect(401);
  });
});

describe('in another process', () => {
  /** Jest on Node 20 does not load nest-commander, a CommonJS package that requires the ESM of Nest. Node itself does. */
  const runFile = async (file: string, ...args: string[]): Promise<string> => {
    const register = join(ROOT, 'test/backends/typeorm/support/ts-register.mjs');
    const options = { cwd: process.cwd(), env: process.env };
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['--import', register, join(process.cwd(), file), ...args],
      options,
    );
    return stdout;
  };

  it.each([
    ['a command', 'cli.ts', ['sign-out', 'ada'], '2 sessions of ada ended\n'],
    ['a script', 'sign-out-script.ts', ['ada'], '2\n'],
  ] as const)('%s ends the sessions of a user', async (_, file, args, output) => {
    const { app, get } = await page.start();
    const [desk, phone] = [await signIn(app, 'ada'), await signIn(app, 'ada')];
    const bob = await signIn(app, 'bob');
    expect(await runFile(file, ...args)).toBe(output);
    await get('/devices', desk.cookie).expect(401);
    await get('/devices', phone.cookie).expect(401);
    await get('/devices', bob.cookie).expect(200);
  });
});
