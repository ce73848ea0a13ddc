import { join } from 'node:path';
import { Logger, type Type } from '@nestjs/common';
import { SessionStore } from 'nest-sessions';
import { signIn } from 'nest-sessions/testing';
import { DataSource } from 'typeorm';
import { ROOT } from './compile.js';
import { Document } from './document.js';
import { type MailServer, openMailServer } from './mail-server.js';
import {
  cookieLineOf,
  cookieOf,
  openPage,
  type PageApp,
  type PageOptions,
  type Running,
} from './page-app.js';

const ADA = { email: 'ada@example.com', password: 'correct horse battery' };
const FIREFOX = 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0';
const SAFARI =
  'Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1';
const PAGE = 'docs/devices-and-admin.md';

let page: PageApp;

function open(options: PageOptions = {}): void {
  page = openPage(PAGE, { goesOnWith: 'docs/sign-in.md', ...options });
}

afterEach(() => page.close());

async function started(...files: readonly [file: string, name: string][]): Promise<Running> {
  const controllers: Type[] = [];
  for (const [file, name] of files) controllers.push(await page.recipe(file, name));
  return page.start({ imports: [await page.recipe('accounts.module.ts', 'AccountsModule')], controllers });
}

/** A sign-in by password from a browser. */
async function signedIn({ post }: Running, userAgent = FIREFOX): Promise<string> {
  return cookieOf(await post('/login', ADA).set('User-Agent', userAgent).expect(200));
}

async function signedUp({ post }: Running): Promise<string> {
  const answer = await post('/sign-up', ADA).set('User-Agent', FIREFOX).expect(201);
  return (answer.body as { userId: string }).userId;
}

interface Device {
  readonly id: string;
  readonly current: boolean;
  readonly meta: Record<string, unknown>;
}

describe('a page of devices, as JSON', () => {
  beforeEach(() => open());

  it('looks as the page shows it, and is not for caches', async () => {
    const running = await started(['devices.controller.ts', 'DevicesController']);
    await signedUp(running);
    const answer = await running.get('/devices', await signedIn(running)).expect(200);
    expect(answer.get('Cache-Control')).toBe('no-store');
    const { text } = Document.read(join(ROOT, PAGE));
    const [shown] = JSON.parse(/```json\n([^]*?)```/.exec(text)?.[1] ?? '') as Device[];
    const [device] = answer.body as Device[];
    expect(Object.keys(device ?? {})).toEqual(Object.keys(shown ?? {}));
    expect(device).toMatchObject({ current: true, meta: shown?.meta, integrity: 'intact' });
    expect(shown?.id).toMatch(/^[0-9A-HJKMNP-TV-Z]{26}$/);
  });

  it('signs one device out from another, or all others, and nobody of somebody else', async () => {
    const running = await started(['devices.controller.ts', 'DevicesController']);
    const { app, get, post } = running;
    const cookies: string[] = [];
    for (let i = 0; i < 4; i++) cookies.push((await signIn(app, 'ada')).cookie);
    const [here = '', ...others] = cookies;
    const devices = (await get('/devices', here).expect(200)).body as Device[];
    expect([devices.length, devices.filter(({ current }) => current).length]).toEqual([4, 1]);
    const other = devices.find(({ current }) => !current)?.id;
    await post(`/devices/${other}/revoke`, {}, (await signIn(app, 'eve')).cookie).expect(404);
    await post(`/devices/${other}/revoke`, {}, here).expect(204);
    await post(`/devices/${other}/revoke`, {}, here).expect(404);
    await post('/devices/logout-others', {}, here).expect(200, { ended: 2 });
    for (const cookie of others) await get('/devices', cookie).expect(401);
    await get('/devices', here).expect(200);
  });
});

describe('a page of devices, as HTML', () => {
  beforeEach(() => open());

  it('has a button for each, which signs it out, and says so once', async () => {
    const running = await started(['devices-page.controller.ts', 'DevicesPageController']);
    const { get, submit } = running;
    await signedUp(running);
    const [here, there] = [await signedIn(running), await signedIn(running, SAFARI)];
    const { text } = await get('/account/devices', here).expect(200);
    expect(text).toContain('Firefox on Linux (this device)');
    const action = /action="([^"]+)"><button>Sign out Safari on iOS</.exec(text)?.[1] ?? '';
    const done = await submit(action, {}, here).expect(303);
    expect(done.get('Location')).toBe('/account/devices');
    expect((await get('/account/devices', here)).text).toContain('<p role="status">Signed out</p>');
    expect((await get('/account/devices', here)).text).not.toContain('role="status"');
    await get('/account/devices', there).expect(401);

    await signedIn(running, SAFARI);
    await submit('/account/devices/end-others', {}, here).expect(303);
    expect((await get('/account/devices', here)).text).toContain('Signed out on 2 other devices');
  });

  it('signs this device out, too, and begins no session for it', async () => {
    const running = await started(['devices-page.controller.ts', 'DevicesPageController']);
    const { get, submit } = running;
    await signedUp(running);
    const here = await signedIn(running);
    const { text } = await get('/account/devices', here).expect(200);
    const action = /action="([^"]+)"><button>Sign out Firefox on Linux \(this/.exec(text)?.[1] ?? '';
    const done = await submit(action, {}, here).expect(303);
    expect(cookieOf(done)).toBe('__Host-sid=');
    await get('/account/devices', here).expect(401);
  });

  it('escapes the keys that the app keeps values of a user under', async () => {
    const running = await started(['devices-page.controller.ts', 'DevicesPageController']);
    const userId = await signedUp(running);
    const cookie = await signedIn(running);
    const key = 'note:"><img src=x onerror=alert(1)>';
    await running.app.get(SessionStore).put(key, { userId, data: {} }, '1h');
    const { text } = await running.get('/account/devices', cookie);
    expect(text).toContain(encodeURIComponent(key));
    expect(text).not.toContain('<img');
  });

  it('escapes what browsers say of themselves', async () => {
    const running = await started(['devices-page.controller.ts', 'DevicesPageController']);
    await signedUp(running);
    const cookie = await signedIn(running, '<script>alert(1)</script>/1.0');
    expect((await running.get('/account/devices', cookie)).text).not.toContain('<script>');
  });
});

describe('names of devices', () => {
  it('hold what the option adds and what a sign-in adds, beside what is known of the client', async () => {
    open({ sessions: 'device-meta.ts' });
    const running = await started(
      ['devices.controller.ts', 'DevicesController'],
      ['kiosk.controller.ts', 'KioskController'],
    );
    await signedUp(running);
    const answer = await running
      .post('/kiosk', { ...ADA, place: 'Lobby' })
      .set('User-Agent', FIREFOX)
      .set('Accept-Language', 'de')
      .expect(204);
    const devices = (await running.get('/devices', cookieOf(answer)).expect(200)).body as Device[];
    expect(devices.find(({ current }) => current)?.meta).toMatchObject({
      deviceName: 'Firefox on Linux',
      language: 'de',
      place: 'Lobby',
    });
    expect(cookieLineOf(answer)).not.toContain('Max-Age'); // nobody asked to be remembered on it
  });
});

describe('a mail about a new device', () => {
  let mails: MailServer;

  beforeEach(async () => {
    open();
    mails = await openMailServer();
  });
  afterEach(() => mails.close());

  it('is sent for a device of another kind, and for no other sign-in', async () => {
    const imports = [await page.recipe('accounts.module.ts', 'AccountsModule')];
    const providers = [
      await page.recipe('mailer.ts', 'Mailer'),
      await page.recipe('new-device.mail.ts', 'NewDeviceMail'),
    ];
    const running = await page.start({ imports, providers });
    await signedUp(running);
    await signedIn(running, FIREFOX);
    await signedIn(running, SAFARI);
    const mail = await mails.next();
    expect(mail).toContain('To: ada@example.com');
    expect(mail).toContain('Safari on iOS, from 127.0.0.1, at 20');
    await signedIn(running, SAFARI);
    await signedIn(running, 'curl/8.5.0');
    expect(await mails.next()).not.toContain('Safari');
    expect(mails.waiting()).toBe(0);
  });
});

describe('who is online', () => {
  beforeEach(() => open());

  it('is a page for administrators, of who was active lately, with a button that ends all of a user', async () => {
    const running = await started(['online-page.controller.ts', 'OnlinePageController']);
    const { app, get, submit, clock } = running;
    const now = import.meta.jest.spyOn(Date, 'now').mockImplementation(() => clock.now());
    await signIn(app, 'idle');
    clock.advance('16m');
    const root = (await signIn(app, 'root', { data: { role: 'admin' } })).cookie;
    await get('/admin/online').expect(401);
    await get('/admin/online', (await signIn(app, 'eve', { data: { role: 'member' } })).cookie).expect(403);
    for (const id of ['ada', 'ada', '<i>']) await signIn(app, id, { data: { voucher: 'secret' } });
    await app.get(SessionStore).put('reset:7', { userId: null, data: {} }, '1h');

    const { text } = await get('/admin/online', root).expect(200);
    const users = [...text.matchAll(/<tr><td>([^<]*)</g)].map(([, id]) => id);
    expect(users.toSorted((a = '', b = '') => (a < b ? -1 : 1))).toEqual([
      '&#60;i&#62;',
      'ada',
      'ada',
      'eve',
      'root',
    ]);
    expect(text).not.toMatch(/secret|More/);
    await submit('/admin/online/ada/end', {}, root).expect(303);
    expect((await get('/admin/online', root)).text).toContain('2 sessions ended');
    await submit('/admin/online/%3Ci%3E/end', {}, root).expect(303);
    expect((await get('/admin/online', root)).text).not.toMatch(/ada|&#60;i/);
    now.mockRestore();
  });

  it('signs an administrator out who ends their own sessions, too, and begins no session for it', async () => {
    const running = await started(['online-page.controller.ts', 'OnlinePageController']);
    const { app, get, submit } = running;
    const root = (await signIn(app, 'root', { data: { role: 'admin' } })).cookie;
    const done = await submit('/admin/online/root/end', {}, root).expect(303);
    expect(cookieOf(done)).toMatch(/^(?:__Host-sid=)?$/);
    await get('/admin/online', root).expect(401);
  });

  it('is for those whose role is set by the line of SQL that the page shows, from their next sign-in on', async () => {
    const running = await started(['online-page.controller.ts', 'OnlinePageController']);
    await signedUp(running);
    const before = await signedIn(running);
    const [, sql = ''] = /```sql\n([^]*?)\n```/.exec(Document.read(join(ROOT, PAGE)).text) ?? [];
    expect(sql).toContain('you@example.com');
    await running.app.get(DataSource).query(sql.replace('you@example.com', ADA.email));
    await running.get('/admin/online', before).expect(403);
    await running.get('/admin/online', await signedIn(running)).expect(200);
  });

  it('goes on page by page, each session on one of them, and counts users', async () => {
    const running = await started(['online-page.controller.ts', 'OnlinePageController']);
    const { app, get } = running;
    const root = (await signIn(app, 'root', { data: { role: 'admin' } })).cookie;
    for (let i = 0; i < 60; i++) await signIn(app, `user-${i % 30}`);
    const pages: string[] = [];
    for (let path: string | undefined = '/admin/online'; path;)
      path = /href="([^"]+)">More</.exec(
        pages[pages.push((await get(path, root).expect(200)).text) - 1] ?? '',
      )?.[1];
    expect(pages.length).toBeGreaterThan(1);
    expect(pages.join('').match(/<tr><td>user-/g)).toHaveLength(60);
    const OnlineService = await page.recipe<{ count(minutes: number): Promise<number> }>(
      'online.service.ts',
      'OnlineService',
    );
    expect(await new OnlineService(app.get(SessionStore)).count(15)).toBe(31);
    await get('/admin/online?after=junk', root).expect(400);
  });
});

describe("an end to anybody's sessions", () => {
  beforeEach(() => open());

  it('is for administrators: one, or all of a user, and no key of the app', async () => {
    const running = await started(
      ['devices.controller.ts', 'DevicesController'],
      ['user-sessions.controller.ts', 'UserSessionsController'],
    );
    const { app, get, post } = running;
    const store = app.get(SessionStore);
    const admin = (await signIn(app, 'root', { data: { role: 'admin' } })).cookie;
    const member = (await signIn(app, 'eve', { data: { role: 'member' } })).cookie;
    const [one, two] = [await signIn(app, 'ada', { data: { voucher: 'secret' } }), await signIn(app, 'ada')];
    await get('/admin/users/ada/sessions').expect(401);
    await get('/admin/users/ada/sessions', member).expect(403);
    const listed = await get('/admin/users/ada/sessions', admin).expect(200);
    expect((listed.body as Device[]).map(({ id }) => id).toSorted()).toEqual(
      [one.session.id, two.session.id].toSorted(),
    );
    expect(listed.text).not.toContain('secret');

    await post(`/admin/users/eve/sessions/${one.session.id}/end`, {}, admin).expect(404);
    await get('/devices', one.cookie).expect(200);
    await post(`/admin/users/ada/sessions/${one.session.id}/end`, {}, admin).expect(204);
    await post(`/admin/users/ada/sessions/${one.session.id}/end`, {}, admin).expect(404);
    await get('/devices', one.cookie).expect(401);
    await store.put('reset:7', { userId: null, data: {} }, '1h');
    await post('/admin/users/ada/sessions/reset:7/end', {}, admin).expect(404);
    expect(await store.get('reset:7')).not.toBeNull();
    await post('/admin/users/ada/sessions/end', {}, admin).expect(200, { ended: 1 });
    await get('/devices', two.cookie).expect(401);
  });
});

describe('a log of what happens', () => {
  it('names users and addresses, and no secret', async () => {
    open();
    const lines: string[] = [];
    const keep = (message: unknown): void => void lines.push(String(message));
    const providers = [await page.recipe('session-log.ts', 'SessionLog')];
    const running = await page.start({ providers });
    const id = await signedUp(running);
    Logger.overrideLogger({ log: keep, warn: keep, error: keep });
    const cookie = await signedIn(running);
    await running.post('/logout', {}, cookie).expect(204);
    expect(lines).toEqual([`${id} signed in from 127.0.0.1`, `A session of ${id} ended: logout`]);
  });
});

describe('another browser', () => {
  it('ends the session that it turns up with', async () => {
    open({ sessions: 'client-change.ts' });
    const running = await started(['devices.controller.ts', 'DevicesController']);
    await signedUp(running);
    const cookie = await signedIn(running);
    await running.get('/devices', cookie).set('User-Agent', FIREFOX.replaceAll('140.0', '141.0')).expect(200);
    await running.get('/devices', cookie).set('User-Agent', SAFARI).expect(401);
    await running.get('/devices', cookie).set('User-Agent', FIREFOX).expect(401);
  });
});
