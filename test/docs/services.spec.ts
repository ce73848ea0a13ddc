import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CacheModule } from '@nestjs/cache-manager';
import { signIn } from 'nest-sessions/testing';
import { openPage, type PageApp } from './page-app.js';
import { ROOT } from './compile.js';

const PAGE = 'docs/services.md';
let page: PageApp;

beforeEach(() => {
  page = openPage(PAGE, { goesOnWith: 'docs/getting-started.md', sessions: 'sessions.ts' });
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
  interface Ended {
    readonly code: number;
    readonly stdout: string;
    readonly stderr: string;
  }

  /** Jest on Node 20 does not load nest-commander, a CommonJS package that requires the ESM of Nest. Node itself does. */
  const runFile = (file: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Ended> => {
    const register = join(ROOT, 'test/backends/typeorm/support/ts-register.mjs');
    const argv = ['--import', register, join(process.cwd(), file), ...args];
    return new Promise((resolve) => {
      const child = execFile(
        process.execPath,
        argv,
        { cwd: process.cwd(), env: { ...process.env, NO_COLOR: '1', ...env } },
        (_, stdout, stderr) => resolve({ code: child.exitCode ?? -1, stdout, stderr }),
      );
    });
  };

  const programs = [
    ['a command', 'cli.ts', ['sign-out']],
    ['a script', 'sign-out-script.ts', []],
  ] as const;

  it.each([
    [...programs[0], '2 sessions of ada ended\n'],
    [...programs[1], '2\n'],
  ] as const)('%s ends the sessions of a user', async (_, file, args, output) => {
    const { app, get } = await page.start();
    const [desk, phone] = [await signIn(app, 'ada'), await signIn(app, 'ada')];
    const bob = await signIn(app, 'bob');
    expect(await runFile(file, [...args, 'ada'])).toEqual({ code: 0, stdout: output, stderr: '' });
    await get('/devices', desk.cookie).expect(401);
    await get('/devices', phone.cookie).expect(401);
    await get('/devices', bob.cookie).expect(200);
  });

  it.each(programs)('%s says what it wants when it is given no user', async (_, file, args) => {
    const { code, stdout, stderr } = await runFile(file, [...args, '']);
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(/^Usage: .*sign-out.* <userId>$/m);
    expect(stderr).not.toMatch(/^ +at /m);
  });

  it.each(programs)('%s says why it cannot start: without a key', async (_, file, args) => {
    const { code, stdout, stderr } = await runFile(file, [...args, 'ada'], { SESSION_KEY: '' });
    expect(code).toBe(1);
    expect(stdout + stderr).toContain(
      'SessionOptionsError: `key`: expected the encryption key, 32 bytes, got',
    );
  });

  it('a script says why it cannot start: without a database', async () => {
    writeFileSync('app.sessions.sqlite', 'no database '.repeat(1000));
    const { code, stdout, stderr } = await runFile('sign-out-script.ts', ['ada']);
    expect(code).toBe(1);
    expect(stdout + stderr).toContain('SQLITE_NOTADB');
  });

  it('a command says why it fails, once it has started', async () => {
    const { code, stdout, stderr } = await runFile('cli.ts', ['sign-out', 'x'.repeat(1000)]);
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toContain('Invalid user id: expected');
  });
});
