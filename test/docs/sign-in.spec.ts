import { Controller, Get, HttpCode, Post, type Type } from '@nestjs/common';
import { APP_FILTER } from '@nestjs/core';
import { getRepositoryToken } from '@nestjs/typeorm';
import { RequireAuth, type RequestSession, Session, SessionStore } from 'nest-sessions';
import { signIn } from 'nest-sessions/testing';
import type { Repository } from 'typeorm';
import { type MailServer, openMailServer } from './mail-server.js';
import {
  cookieLineOf,
  cookieOf,
  hashCheaply,
  openPage,
  type PageApp,
  type PageOptions,
  type Running,
} from './page-app.js';

const ADA = { email: 'ada@example.com', password: 'correct horse battery' };
const NEW = 'another horse battery';
const DAY = 24 * 3600;

let page: PageApp;

beforeEach(() => {
  page = openPage('docs/sign-in.md');
});
afterEach(() => page.close());

/** The page's app with other options. */
async function reopened(options: PageOptions): Promise<void> {
  await page.close();
  page = openPage('docs/sign-in.md', options);
}

interface StoredUser {
  id: string;
  email: string;
  passwordHash: string;
  role: string;
  disabled: boolean;
}

/** What the page's service changes of a user. */
interface UserChanges {
  verify(email: string, password: string): Promise<object>;
  find(id: string): Promise<object | null>;
  checkPassword(id: string, password: string): Promise<object>;
  setPassword(user: object | null, password: string): Promise<boolean>;
  setEmail(user: object | null, email: string): Promise<boolean>;
}

/** What a visitor may see, and what only a user, and one who has proved it recently. */
@Controller('who')
class WhoController {
  @Get()
  @RequireAuth()
  who(@Session() session: RequestSession): object {
    return { userId: session.userId, role: session.get('role' as never) };
  }

  @Get('recent')
  @RequireAuth({ within: '10m' })
  recent(): string {
    return 'recent';
  }

  @Post('told')
  @HttpCode(204)
  told(@Session() session: RequestSession): void {
    session.flash('success', 'Told');
  }
}

/** The page's app, with more of the page's controllers. */
async function started(...files: readonly [file: string, name: string][]): Promise<Running> {
  return startedOn('Express', ...files);
}

async function startedOn(
  platform: 'Express' | 'Fastify',
  ...files: readonly [file: string, name: string][]
): Promise<Running> {
  const controllers: Type[] = [WhoController];
  for (const [file, name] of files) controllers.push(await page.recipe(file, name));
  const imports = [await page.recipe('accounts.module.ts', 'AccountsModule')];
  const providers = [
    await page.recipe('mailer.ts', 'Mailer'),
    { provide: APP_FILTER, useClass: await page.recipe('sign-in.filter.ts', 'SignInFilter') },
  ];
  return page.start({ imports, controllers, providers }, platform);
}

async function signedUp({ post }: Running): Promise<{ userId: string; cookie: string }> {
  const answer = await post('/sign-up', ADA).expect(201);
  return { userId: (answer.body as { userId: string }).userId, cookie: cookieOf(answer) };
}

async function usersOf({ app }: Running): Promise<Repository<StoredUser>> {
  return app.get(getRepositoryToken(await page.recipe('user.entity.ts', 'User')), { strict: false });
}

async function serviceOf({ app }: Running): Promise<UserChanges> {
  return app.get(await page.recipe<UserChanges>('users.service.ts', 'UsersService'), { strict: false });
}

/** Has something done once, before the next call of a method of the service. */
async function onceBefore(running: Running, method: keyof UserChanges, first: () => unknown): Promise<void> {
  const users = await serviceOf(running);
  const call = users[method].bind(users) as (...args: unknown[]) => Promise<never>;
  import.meta.jest.spyOn(users, method).mockImplementationOnce(async (...args: unknown[]) => {
    await first();
    return call(...args);
  });
}

async function admin({ app }: Running, data: object = { role: 'admin' }): Promise<string> {
  return (await signIn(app, 'root', { data })).cookie;
}

describe('users and passwords', () => {
  beforeEach(() => reopened({ edit: (file) => file })); // with all of the work

  it('are stored as a salted hash, which no two users share', async () => {
    const running = await started();
    const { post } = running;
    await signedUp(running);
    await post('/sign-up', { ...ADA, email: 'bob@example.com' }).expect(201);
    const [ada, bob] = await (await usersOf(running)).find();
    expect(ada?.passwordHash).toMatch(/^[\w-]{22}\.[\w-]{43}$/);
    expect(ada?.passwordHash).not.toBe(bob?.passwordHash);
    await post('/sign-up', ADA).expect(409);
  });

  it('are one to an address, also of sign-ups at once', async () => {
    const running = await started();
    const answers = await Promise.all(Array.from({ length: 6 }, () => running.post('/sign-up', ADA)));
    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([
      201, 409, 409, 409, 409, 409,
    ]);
    expect(await (await usersOf(running)).find()).toHaveLength(1);
  });

  it('compare a password with the hash of it alone', async () => {
    const { hashPassword, isPassword } = await page.exports<{
      hashPassword: (password: string) => Promise<string>;
      isPassword: (password: string, hash: string) => Promise<boolean>;
    }>('password-hash.ts');
    const hash = await hashPassword('\u00C5 horse');
    expect(await isPassword('A\u030A horse', hash)).toBe(true); // the same letters, composed otherwise
    expect(await isPassword('A horse', hash)).toBe(false);
  });

  it('take one answer, and as much work, for an unknown address, a wrong password and a disabled account', async () => {
    const running = await started();
    const { userId } = await signedUp(running);
    const bob = { ...ADA, email: 'bob@example.com' };
    const { body } = await running.post('/sign-up', bob);
    await (await usersOf(running)).update((body as { userId: string }).userId, { disabled: true });
    await running.get('/who', (await signIn(running.app, userId)).cookie).expect(200); // all is loaded
    const seen: unknown[] = [];
    const work: number[] = [];
    for (const attempt of [{ ...ADA, password: 'guessed' }, { ...ADA, email: 'eve@example.com' }, bob]) {
      const before = process.cpuUsage();
      const answer = await running.post('/login', attempt);
      work.push(process.cpuUsage(before).user);
      seen.push([answer.status, answer.body as object]);
    }
    expect(seen).toEqual(
      Array.from({ length: 3 }, () => [401, { statusCode: 401, message: 'Unauthorized' }]),
    );
    expect(Math.min(...work)).toBeGreaterThan(Math.max(...work) / 2);
  });
});

describe('sign-in with JSON', () => {
  it('signs in under a new token, with the role, and out again', async () => {
    const running = await started();
    const { get, post } = running;
    const { userId } = await signedUp(running);
    const answer = await post('/login', { ...ADA, email: ' Ada@Example.com ' }).expect(200, { userId });
    const cookie = cookieOf(answer);
    await get('/who', cookie).expect(200, { userId, role: 'member' });
    const out = await post('/logout', {}, cookie).expect(204);
    expect(cookieLineOf(out)).toContain('Max-Age=0');
    await get('/who', cookie).expect(401);
  });

  it('begins a session for a visitor when the old cookie comes once more with something to store', async () => {
    const running = await started();
    const { get, post } = running;
    await signedUp(running);
    const visitor = cookieOf(await post('/who/told').expect(204));
    const user = cookieOf(await post('/login', ADA, visitor).expect(200));
    const late = cookieOf(await post('/who/told', {}, visitor).expect(204)); // the browser takes the cookie that is last
    expect(late).toMatch(/^__Host-sid=./);
    await get('/who', late).expect(401);
    await get('/who', user).expect(200);
  });

  it('leaves no account where no session may begin', async () => {
    const running = await started();
    const { post } = running;
    await post('/sign-up', ADA).set('Sec-Fetch-Site', 'cross-site').expect(403);
    expect(await (await usersOf(running)).find()).toEqual([]);
    await post('/sign-up', ADA).expect(201);
    await post('/sign-up', ADA).set('Sec-Fetch-Site', 'cross-site').expect(409);
    await post('/login', ADA).expect(200);
  });

  it('answers 400 to what is no sign-in', async () => {
    const { post } = await started();
    for (const body of [
      {},
      { email: 'ada', password: 'x' },
      { ...ADA, password: { $ne: '' } },
      { ...ADA, password: '' },
    ])
      expect([body, (await post('/login', body)).status]).toEqual([body, 400]);
    await post('/sign-up', { ...ADA, password: 'short' }).expect(400);
  });
});

describe.each(['Express', 'Fastify'] as const)('sign-in with HTML forms, on %s', (platform) => {
  it('shows a form, refuses, leads to where the visitor wanted to go, and signs out', async () => {
    const running = await startedOn(platform, ['sign-in-page.controller.ts', 'SignInPageController']);
    const { get, submit } = running;
    await signedUp(running);
    const asked = await get('/who', '', 'text/html').expect(303);
    expect(asked.get('Location')).toBe('/sign-in?returnTo=%2Fwho');
    const form = await get(asked.get('Location') ?? '').expect(200);
    expect(form.get('Content-Type')).toBe('text/html; charset=utf-8');
    expect(form.text).toContain('name="returnTo" value="/who"');
    expect(form.text).not.toContain('role="alert"');

    const failed = await submit('/sign-in', { ...ADA, password: 'guessed', returnTo: '/who' }).expect(303);
    expect(failed.get('Location')).toBe('/sign-in?failed=&email=ada%40example.com&returnTo=%2Fwho');
    const again = await get(failed.get('Location') ?? '').expect(200);
    expect(again.text).toContain('role="alert"');
    expect(again.text).toContain('value="ada@example.com"');
    expect(again.text).toContain('name="returnTo" value="/who"');
    expect(cookieOf(failed)).toBe('');

    const done = await submit('/sign-in', { ...ADA, returnTo: '/who' }).expect(303);
    expect(done.get('Location')).toBe('/who');
    await get('/who', cookieOf(done)).expect(200);
    const out = await submit('/sign-out', {}, cookieOf(done)).expect(303);
    expect(out.get('Location')).toBe('/sign-in');
    await get('/who', cookieOf(done)).expect(401);
  });

  it('leads to no other site, and puts nothing into the page that is not escaped', async () => {
    const running = await startedOn(platform, ['sign-in-page.controller.ts', 'SignInPageController']);
    await signedUp(running);
    for (const returnTo of [
      'https://evil.example',
      '//evil.example',
      '/\\evil.example',
      'javascript:alert(1)',
    ])
      expect((await running.submit('/sign-in', { ...ADA, returnTo })).get('Location')).toBe('/');
    for (const query of ['returnTo=/"><script>', 'email="><script>', 'email[]="><script>'])
      expect((await running.get(`/sign-in?${query}`).expect(200)).text).not.toContain('<script>');
  });

  it('is refused when a page of another site posts it', async () => {
    const running = await startedOn(platform, ['sign-in-page.controller.ts', 'SignInPageController']);
    await signedUp(running);
    await running.submit('/sign-in', ADA).set('Sec-Fetch-Site', 'cross-site').expect(403);
  });
});

describe('remember me', () => {
  it('keeps the cookie for who asked for it, and for nobody else', async () => {
    const running = await started(['sign-in-page.controller.ts', 'SignInPageController']);
    const { post, submit } = running;
    await signedUp(running);
    for (const remember of [true, 'on', 'true', '1'])
      expect(cookieLineOf(await post('/login', { ...ADA, remember }))).toContain(`Max-Age=${30 * DAY};`);
    for (const remember of [false, 'off', 'false', '0', '', null, undefined])
      expect(cookieLineOf(await post('/login', { ...ADA, remember }))).toMatch(/^(?!.*Max-Age)__Host-sid=./);
    const refused = await post('/login', { ...ADA, remember: 'perhaps' }).expect(400);
    expect(refused.body).toMatchObject({ code: 'session_data_invalid' });
    expect(JSON.stringify(refused.body)).toContain('see `remember`');

    expect(cookieLineOf(await submit('/sign-in', { ...ADA, remember: 'on' }))).toContain(
      `Max-Age=${30 * DAY};`,
    );
    expect(cookieLineOf(await submit('/sign-in', ADA))).not.toContain('Max-Age');

    const bob = await post('/sign-up', { ...ADA, email: 'bob@example.com' }).expect(201);
    expect(cookieLineOf(bob)).toMatch(/^(?!.*Max-Age)__Host-sid=./); // was not asked
  });

  it('lasts for 30 days without use, and a day without it', async () => {
    const running = await started();
    const { get, post, clock } = running;
    await signedUp(running);
    const kept = cookieOf(await post('/login', { ...ADA, remember: 'on' }));
    const not = cookieOf(await post('/login', ADA));
    clock.advance('24h');
    await get('/who', not).expect(401);
    await get('/who', kept).expect(200);
    clock.advance('29d');
    await get('/who', kept).expect(401);
  });
});

describe('log out everywhere', () => {
  it('ends all sessions, or all others', async () => {
    const running = await started(['log-out.controller.ts', 'LogOutController']);
    const { app, get, post } = running;
    const cookies: string[] = [];
    for (let i = 0; i < 3; i++) cookies.push((await signIn(app, 'ada')).cookie);
    const [here = '', ...others] = cookies;
    await post('/logout-elsewhere', {}, here).expect(200, { ended: 2 });
    for (const cookie of others) await get('/who', cookie).expect(401);
    await post('/logout-everywhere', {}, here).expect(200, { ended: 1 });
    await get('/who', here).expect(401);
  });
});

describe('a changed password', () => {
  it('takes the old one, ends the other sessions, and the token that was in use', async () => {
    const running = await started(['password.controller.ts', 'PasswordController']);
    const { app, get, post } = running;
    const { userId, cookie } = await signedUp(running);
    const other = (await signIn(app, userId)).cookie;
    const wrong = await post('/password', { oldPassword: 'guessed', newPassword: NEW }, cookie).expect(403);
    expect(wrong.body).toMatchObject({ statusCode: 403, code: 'wrong_password' });
    expect(wrong.get('Set-Cookie')).toBeUndefined();
    await post('/password', { oldPassword: ADA.password, newPassword: 'short' }, cookie).expect(400);
    const changed = await post('/password', { oldPassword: ADA.password, newPassword: NEW }, cookie);
    expect([changed.status, changed.body]).toEqual([200, { ended: 1 }]);
    for (const old of [cookie, other]) await get('/who', old).expect(401);
    await get('/who', cookieOf(changed)).expect(200);
    await post('/login', ADA).expect(401);
    await post('/login', { ...ADA, password: NEW }).expect(200);
  });

  it('is that of one of two devices that change it at the same time, and that one stays signed in', async () => {
    const running = await started(['password.controller.ts', 'PasswordController']);
    const { app, get, post } = running;
    const { userId, cookie } = await signedUp(running);
    const devices = [
      { password: 'horse battery one', cookie },
      { password: 'horse battery two', cookie: (await signIn(app, userId)).cookie },
    ];
    const users = await serviceOf(running);
    const check = users.checkPassword.bind(users);
    let arrived = 0;
    let goOn = (): void => undefined;
    const bothHaveProved = new Promise<void>((resolve) => (goOn = resolve));
    import.meta.jest.spyOn(users, 'checkPassword').mockImplementation(async (id, password) => {
      const user = await check(id, password);
      if (++arrived === 2) goOn();
      await bothHaveProved;
      return user;
    });
    const answers = await Promise.all(
      devices.map(({ password, cookie: own }) =>
        post('/password', { oldPassword: ADA.password, newPassword: password }, own),
      ),
    );
    const winner = answers.findIndex(({ status }) => status === 200);
    const loser = answers.findIndex(({ status }) => status === 403);
    expect(answers[loser]?.body).toMatchObject({ code: 'wrong_password' });
    await post('/login', { ...ADA, password: devices[winner]?.password }).expect(200);
    await post('/login', { ...ADA, password: devices[loser]?.password }).expect(401);
    const answer = answers[winner];
    await get('/who', answer && cookieOf(answer)).expect(200);
    await get('/who', devices[loser]?.cookie).expect(401);
  });
});

describe('a recent sign-in', () => {
  it('is asked for when the last proof of identity is older than 10 minutes', async () => {
    const running = await started(['email.controller.ts', 'EmailController']);
    const { get, post, clock } = running;
    const { cookie } = await signedUp(running);
    clock.advance('11m');
    const change = { email: 'Ada@Lovelace.example' };
    const refused = await post('/email', change, cookie).expect(401);
    expect(refused.body).toMatchObject({ code: 'reauthentication_required' });
    const wrong = await post('/reauthenticate', { password: 'guessed' }, cookie).expect(403);
    expect(wrong.body).toMatchObject({ code: 'wrong_password' });
    const renewed = cookieOf(await post('/reauthenticate', { password: ADA.password }, cookie).expect(204));
    expect(renewed).not.toBe(cookie);
    await post('/email', change, renewed).expect(204);
    await get('/who', renewed).expect(200);
    await get('/who', cookie).expect(401);
    await post('/login', { ...ADA, email: 'ada@lovelace.example' }).expect(200);
  });

  it.each([
    ['find', 401],
    ['setEmail', 409],
  ] as const)(
    'changes no address in a session that a changed password has ended meanwhile, before %s()',
    async (method, status) => {
      const running = await started(
        ['email.controller.ts', 'EmailController'],
        ['password.controller.ts', 'PasswordController'],
      );
      const { app, post } = running;
      const { userId, cookie } = await signedUp(running);
      const thief = (await signIn(app, userId)).cookie;
      await onceBefore(running, method, () =>
        post('/password', { oldPassword: ADA.password, newPassword: NEW }, cookie).expect(200),
      );
      await post('/email', { email: 'eve@example.com' }, thief).expect(status);
      await post('/login', { ...ADA, password: NEW }).expect(200);
    },
  );
});

describe('a reset by mail', () => {
  let mails: MailServer;

  beforeEach(async () => {
    mails = await openMailServer();
  });
  afterEach(() => mails.close());

  const withReset = () => started(['reset.controller.ts', 'ResetController']);

  it('sends a link that works once, ends all sessions, and lets in with the new password alone', async () => {
    const running = await withReset();
    const { get, post, submit, app } = running;
    const { userId, cookie } = await signedUp(running);
    await post('/reset', { email: ADA.email }).expect(202);
    const mail = await mails.next();
    expect(mail).toContain('To: ada@example.com');
    const [link = '', token = ''] = /http:\/\/localhost:3000\/reset\?token=(\S+)/.exec(mail) ?? [];
    const form = await get(link.replace('http://localhost:3000', '')).expect(200);
    expect(form.text).toContain(`value="${token}"`);
    expect(form.get('Referrer-Policy')).toBe('no-referrer');
    expect(await app.get(SessionStore).listForUser(userId)).toHaveLength(1);

    await submit('/reset/confirm', { token: `${userId}.guessed`, password: NEW }).expect(400);
    const done = await submit('/reset/confirm', { token, password: NEW }).expect(303);
    expect(done.get('Location')).toBe('/sign-in');
    await get('/who', cookie).expect(401);
    await post('/login', ADA).expect(401);
    await post('/login', { ...ADA, password: NEW }).expect(200);
    await submit('/reset/confirm', { token, password: ADA.password }).expect(400);
  });

  it('gives a link for half an hour, and takes the newest one alone', async () => {
    const running = await withReset();
    const { post, submit, clock } = running;
    await signedUp(running);
    const tokens: string[] = [];
    for (let i = 0; i < 2; i++) {
      await post('/reset', { email: ADA.email }).expect(202);
      tokens.push(/token=(\S+)/.exec(await mails.next())?.[1] ?? '');
    }
    const [first, second] = tokens;
    await submit('/reset/confirm', { token: first, password: NEW }).expect(400);
    clock.advance('30m');
    await submit('/reset/confirm', { token: second, password: NEW }).expect(400);
    await post('/login', ADA).expect(200);
  });

  it('takes no link of before another password, or another address', async () => {
    const running = await withReset();
    const { post, submit } = running;
    const { userId } = await signedUp(running);
    const users = await serviceOf(running);
    for (const change of [
      async () => users.setPassword(await users.find(userId), NEW),
      async () => users.setEmail(await users.find(userId), 'ada@example.org'),
    ]) {
      await post('/reset', { email: ADA.email }).expect(202);
      const token = /token=(\S+)/.exec(await mails.next())?.[1];
      expect(await change()).toBe(true);
      await submit('/reset/confirm', { token, password: ADA.password }).expect(400);
    }
  });

  it('sets no password over one that was set, nor in an account that was disabled, while the link was looked up', async () => {
    const running = await withReset();
    const { post, submit } = running;
    const { userId } = await signedUp(running);
    const users = await serviceOf(running);
    const rows = await usersOf(running);
    for (const change of [
      async () => users.setPassword(await users.find(userId), NEW),
      () => rows.update(userId, { disabled: true }),
    ]) {
      await post('/reset', { email: ADA.email }).expect(202);
      const token = /token=(\S+)/.exec(await mails.next())?.[1];
      let changed: string | undefined;
      await onceBefore(running, 'setPassword', async () => {
        await change();
        changed = (await rows.findOneBy({ id: userId }))?.passwordHash;
      });
      await submit('/reset/confirm', { token, password: 'a third horse battery' }).expect(400);
      expect((await rows.findOneBy({ id: userId }))?.passwordHash).toBe(changed);
    }
  });

  it('answers the same for an address that has no account, and sends nothing', async () => {
    const running = await withReset();
    await signedUp(running);
    const answers = [
      await running.post('/reset', { email: 'nobody@example.com' }),
      await running.post('/reset', { email: ADA.email }),
    ];
    expect(answers.map(({ status, text }) => [status, text])).toEqual([
      [202, ''],
      [202, ''],
    ]);
    expect(await mails.next()).toContain('To: ada@example.com');
  });
});

describe('a disabled account', () => {
  it('ends its sessions and lets nobody in, at the word of an administrator', async () => {
    const running = await started(['accounts.controller.ts', 'AccountsController']);
    const { get, post } = running;
    const { userId, cookie } = await signedUp(running);
    await post(`/accounts/${userId}/disable`, {}, await admin(running, { role: 'member' })).expect(403);
    await get('/who', cookie).expect(200);
    await post(`/accounts/${userId}/disable`, {}, await admin(running)).expect(200, { ended: 1 });
    await get('/who', cookie).expect(401);
    await post('/login', ADA).expect(401);
  });
});

describe('a sign-in during which the user is changed', () => {
  /** Does it after the next password has been found right, before the session begins. */
  async function onceVerified(running: Running, change: () => Promise<unknown>): Promise<void> {
    const UsersService = await page.recipe<{ verify: (...args: unknown[]) => Promise<object> }>(
      'users.service.ts',
      'UsersService',
    );
    const users = running.app.get(UsersService, { strict: false });
    const verify = users.verify.bind(users);
    import.meta.jest.spyOn(users, 'verify').mockImplementationOnce(async (...args) => {
      const user = await verify(...args);
      await change();
      return user;
    });
  }

  const SIGN_INS = [
    ['/login', 401],
    ['/sign-in', 303],
    ['/take-over', 401],
    ['/take-over/sign-in', 303],
    ['/token', 401],
    ['/kiosk', 401],
  ] as const;

  async function signInsBeside(...files: readonly [file: string, name: string][]): Promise<Running> {
    await reopened({
      also: ['token.controller.ts', 'bearer-sessions.ts', 'kiosk.controller.ts'],
      sessions: 'bearer-sessions.ts',
    });
    return started(
      ['sign-in-page.controller.ts', 'SignInPageController'],
      ['take-over.controller.ts', 'TakeOverController'],
      ['take-over-page.controller.ts', 'TakeOverPageController'],
      ['token.controller.ts', 'TokenController'],
      ['kiosk.controller.ts', 'KioskController'],
      ...files,
    );
  }

  it.each(SIGN_INS)('leaves no session at %s when the password is changed', async (path, status) => {
    const running = await signInsBeside(['password.controller.ts', 'PasswordController']);
    const { get, post, submit, app } = running;
    const { userId, cookie } = await signedUp(running);
    let own = '';
    await onceVerified(running, async () => {
      const change = { oldPassword: ADA.password, newPassword: NEW };
      own = cookieOf(await post('/password', change, cookie).expect(200));
    });
    const answer = await submit(path, { ...ADA, place: 'Lobby' }).expect(status);
    expect(answer.text).not.toContain('access_token');
    if (status === 303) expect(answer.get('Location')).toContain('?failed=&email=');
    await get('/who', cookieOf(answer)).expect(401);
    expect(await app.get(SessionStore).listForUser(userId)).toHaveLength(1);
    await get('/who', own).expect(200);
    await post('/login', { ...ADA, password: NEW }).expect(200);
  });

  it('leaves no session when the account is disabled, or the role is another', async () => {
    const running = await signInsBeside(['accounts.controller.ts', 'AccountsController']);
    const { post, app } = running;
    const { userId } = await signedUp(running);
    const store = app.get(SessionStore);
    const users = await usersOf(running);
    await onceVerified(running, async () => {
      await users.update(userId, { role: 'admin' });
      await store.destroyAllForUser(userId);
    });
    await post('/login', ADA).expect(401);
    expect(await store.listForUser(userId)).toEqual([]);
    await post('/login', ADA).expect(200);
    const root = await admin(running);
    await onceVerified(running, () => post(`/accounts/${userId}/disable`, {}, root).expect(200));
    await post('/login', ADA).expect(401);
    expect(await store.listForUser(userId)).toEqual([]);
  });
});

describe('one session per user', () => {
  /** The page's app with the module of the recipe in place of the one it has. */
  async function limited(onLimit?: 'reject'): Promise<Running> {
    const limit = onLimit ? `maxPerUser: 1, onLimit: '${onLimit}'` : 'maxPerUser: 1';
    await reopened({
      sessions: 'one-session.ts',
      edit: (file) => hashCheaply({ ...file, code: file.code.replace('maxPerUser: 1', limit) }),
    });
    return started(
      ['take-over.controller.ts', 'TakeOverController'],
      ['sign-in-page.controller.ts', 'SignInPageController'],
      ['take-over-page.controller.ts', 'TakeOverPageController'],
    );
  }

  it('ends the session on the first device when a second one signs in', async () => {
    const running = await limited();
    const { get, post, app } = running;
    const { userId, cookie: first } = await signedUp(running);
    const evicted: (string | null)[] = [];
    app.get(SessionStore).events.on('evicted', (event) => evicted.push(event.userId));
    const second = cookieOf(await post('/login', ADA).expect(200));
    await get('/who', first).expect(401);
    await get('/who', second).expect(200);
    expect(evicted).toEqual([userId]);
  });

  it('refuses the second device, until the user says that it should take over', async () => {
    const running = await limited('reject');
    const { get, post } = running;
    const { cookie: first } = await signedUp(running);
    const refused = await post('/take-over', ADA).expect(409);
    expect(refused.body).toMatchObject({ code: 'session_limit_reached' });
    await get('/who', first).expect(200);
    await post('/take-over', { ...ADA, password: 'guessed', takeOver: true }).expect(401);
    await get('/who', first).expect(200);
    await post('/take-over', { ...ADA, takeOver: true, remember: 'perhaps' }).expect(400);
    await post('/take-over', { ...ADA, takeOver: true })
      .set('Sec-Fetch-Site', 'cross-site')
      .expect(403);
    await get('/who', first).expect(200);
    const second = cookieOf(await post('/take-over', { ...ADA, takeOver: true }).expect(200, { ended: 1 }));
    await get('/who', first).expect(401);
    await get('/who', second).expect(200);
    const again = await post('/take-over', { ...ADA, takeOver: true }, second).expect(200, { ended: 0 });
    await get('/who', cookieOf(again)).expect(200); // on the device that is signed in, too
  });

  it('leads who signs in with a form on a second device to a page where it can take over', async () => {
    const running = await limited('reject');
    const { get, submit } = running;
    const { cookie: first } = await signedUp(running);
    const refused = await submit('/sign-in', { ...ADA, returnTo: '/who' }).expect(303);
    expect(refused.get('Location')).toBe('/take-over?email=ada%40example.com&returnTo=%2Fwho');
    const form = await get(refused.get('Location') ?? '').expect(200);
    expect(form.text).toContain('value="ada@example.com"');
    expect(form.text).toContain('name="returnTo" value="/who"');
    expect(form.text).not.toContain('role="alert"');
    expect((await get('/take-over?email="><script>&returnTo=/"><script>')).text).not.toContain('<script>');

    const action = /action="([^"]+)"/.exec(form.text)?.[1] ?? '';
    const wrong = await submit(action, { ...ADA, password: 'guessed', returnTo: '/who' }).expect(303);
    expect((await get(wrong.get('Location') ?? '')).text).toContain('role="alert"');
    await submit(action, { ...ADA, remember: 'perhaps', returnTo: '/who' }).expect(400);
    await get('/who', first).expect(200);
    const done = await submit(action, { ...ADA, returnTo: '/who' }).expect(303);
    expect(done.get('Location')).toBe('/who');
    await get('/who', first).expect(401);
    await get('/who', cookieOf(done)).expect(200);
    const again = await submit(action, { ...ADA, returnTo: 'https://evil.example' }, cookieOf(done)).expect(
      303,
    );
    expect(again.get('Location')).toBe('/');
    await get('/who', cookieOf(again)).expect(200);
  });
});

describe('impersonation', () => {
  it('is a session of its own that shows who acts, and ends after half an hour', async () => {
    const running = await started(['impersonation.controller.ts', 'ImpersonationController']);
    const { app, get, post, clock } = running;
    const store = app.get(SessionStore);
    const root = await admin(running);
    await post('/impersonation/7', {}, await admin(running, { role: 'member' })).expect(403);
    const acting = cookieOf(await post('/impersonation/7', {}, root).expect(204));
    await get('/who', root).expect(401);
    const [session] = await store.listForUser('7');
    expect([session?.data, session?.meta['impersonator']]).toEqual([{ impersonator: 'root' }, 'root']);
    await post('/impersonation/stop', {}, acting).expect(204);
    await get('/who', acting).expect(401);
    await post('/impersonation/stop', {}, (await signIn(app, '7')).cookie).expect(403);

    const again = cookieOf(await post('/impersonation/7', {}, await admin(running)));
    clock.advance('31m');
    await get('/who', again).expect(401);
    expect((await store.listForUser('7')).filter(({ meta }) => meta['impersonator'])).toEqual([]);
  });
});

describe.each(['Express', 'Fastify'] as const)('pages instead of JSON errors, on %s', (platform) => {
  it('lead browsers to the page that helps, and tell programs in JSON', async () => {
    const running = await startedOn(platform, ['confirm-page.controller.ts', 'ConfirmPageController']);
    const { get, submit, clock } = running;
    const { cookie } = await signedUp(running);
    clock.advance('11m');
    const asked = await get('/who/recent', cookie, 'text/html').expect(303);
    expect(asked.get('Location')).toBe('/confirm?returnTo=%2Fwho%2Frecent');
    const answer = await get('/who/recent', cookie).expect(401);
    expect(answer.body).toMatchObject({ code: 'reauthentication_required' });

    const form = await get(asked.get('Location') ?? '', cookie).expect(200);
    expect(form.text).toContain('name="returnTo" value="/who/recent"');
    const returnTo = '/who/recent';
    const wrong = await submit('/confirm', { password: 'guessed', returnTo }, cookie).expect(303);
    expect(wrong.get('Location')).toBe('/confirm?failed=&returnTo=%2Fwho%2Frecent');
    expect(form.text).not.toContain('role="alert"');
    expect((await get(wrong.get('Location') ?? '', cookie)).text).toContain('role="alert"');
    const done = await submit('/confirm', { password: ADA.password, returnTo }, cookie).expect(303);
    expect(done.get('Location')).toBe('/who/recent');
    await get('/who/recent', cookieOf(done)).expect(200);
  });
});
