import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import express, { type RequestHandler } from 'express';
import connectPgSimple from 'connect-pg-simple';
import expressSession from 'express-session';
import { SessionStore } from 'nest-sessions';
import { Pool } from 'pg';
import request from 'supertest';
import { onEachDatabase, openDatabase, SERVERS, type TestDatabase } from '../support/databases.js';
import { ROOT } from './compile.js';
import type { Snippet } from './document.js';
import { cookieOf, openPage, type PageApp, type Running } from './page-app.js';

const PAGE = 'docs/from-express-session.md';
const { DATABASE_URL } = process.env;

interface OldSessions {
  takeOver: (pool: Pool, secret: string) => RequestHandler;
}

let page: PageApp;

describe('an app that has moved', () => {
  beforeEach(() => {
    page = openPage(PAGE);
  });
  afterEach(() => page.close());

  it('signs in and out', async () => {
    const controllers = [await page.recipe('account.controller.ts', 'AccountController')];
    const { get, post } = await page.start({ controllers });
    await get('/account').expect(401);
    const cookie = cookieOf(await post('/account/login', { name: 'ada' }).expect(201));
    await get('/account', cookie).expect(200, { userId: 'ada' });
    await post('/account/logout', {}, cookie).expect(201);
    await get('/account', cookie).expect(401);
  });

  it('has middleware that goes on with req.session', async () => {
    const { countViews } = await page.exports<{ countViews: RequestHandler }>('views.ts');
    const { get } = await page.start({}, 'Express', (app) => app.use('/views', countViews));
    const first = await get('/views').expect(200, { views: 1 });
    await get('/views', cookieOf(first)).expect(200, { views: 2 });
  });
});

onEachDatabase('who is signed in by connect-pg-simple', ['postgres'], () => {
  const SECRET = 'the old secret';
  let database: TestDatabase;
  let pool: Pool;

  beforeEach(async () => {
    database = await openDatabase('postgres');
    const { host, port, username, password } = SERVERS.postgres;
    const url = `postgres://${username}:${String(password)}@${host}:${port}/${database.options().database}`;
    process.env['DATABASE_URL'] = url;
    pool = new Pool({ connectionString: url });
    page = openPage(PAGE, { edit: withoutTypeOrmModule });
  });
  afterEach(async () => {
    process.env['DATABASE_URL'] = DATABASE_URL;
    await page.close(); // before its database goes
    await pool.end();
    await database.drop();
  });

  /** The app of the page as the page says for those that have no TypeOrmModule. */
  function withoutTypeOrmModule(file: Snippet): Snippet {
    if (file.file !== 'app.module.ts') return file;
    const [, dataSource = ''] = /`(dataSource: [^`]*)`/.exec(readFileSync(join(ROOT, PAGE), 'utf8')) ?? [];
    const code = file.code
      .replace(/^ *TypeOrmModule\.forRoot.*\n/m, '')
      .replace("mount: 'middleware'", `$&, ${dataSource}`);
    expect(code).not.toContain('TypeOrmModule.');
    expect(code).toContain("type: 'postgres'");
    return { ...file, code };
  }

  /** Cookies that express-session gave, before the move, to sessions that hold this. */
  async function oldCookies(...contents: readonly object[]): Promise<string[]> {
    const { host, port, username: user, password } = SERVERS.postgres;
    const conObject = { host, port, user, password, database: database.options().database };
    const store = new (connectPgSimple(expressSession))({ conObject, createTableIfMissing: true });
    const app = express()
      .use(expressSession({ store, secret: SECRET, resave: false, saveUninitialized: false }))
      .post('/', express.json(), (old, response) => {
        Object.assign((old as unknown as { session: object }).session, old.body);
        response.end();
      });
    const server = app.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const cookies: string[] = [];
    for (const content of contents) {
      const answer = await request(url).post('/').send(content).expect(200);
      cookies.push(answer.get('Set-Cookie')?.[0]?.split(';')[0] ?? '');
    }
    server.close();
    await store.close();
    return cookies;
  }

  /** The app of the page, with what its `main.ts` adds. */
  async function moved(): Promise<Running> {
    const controllers = [await page.recipe('account.controller.ts', 'AccountController')];
    const { takeOver } = await page.exports<OldSessions>('old-sessions.ts');
    return page.start({ controllers }, 'Express', (app) => app.use(takeOver(pool, SECRET)));
  }

  it('stays signed in, by an id of the app or by Passport, with what the page carries over, once', async () => {
    const [own = '', passport = ''] = await oldCookies(
      { userId: 7, views: 3 },
      { passport: { user: 'ada' } },
    );
    const { app, get } = await moved();
    const exchanged = await get('/account', own).expect(200, { userId: '7' });
    expect(exchanged.get('Set-Cookie')).toContainEqual(expect.stringMatching(/^connect\.sid=;/));
    await get('/account', cookieOf(exchanged)).expect(200, { userId: '7' });
    const [session] = await app.get(SessionStore).listForUser('7');
    expect(session?.data).toEqual({ views: 3 });
    await get('/account', own).expect(401);
    await get('/account', passport).expect(200, { userId: 'ada' });
  });

  it('is one of several requests at the same time', async () => {
    const [old = ''] = await oldCookies({ userId: 7 });
    const { app, get } = await moved();
    const answers = await Promise.all(Array.from({ length: 4 }, () => get('/account', old)));
    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 401, 401, 401]);
    expect(await app.get(SessionStore).listForUser('7')).toHaveLength(1);
  });

  it('loses nothing while the new sessions cannot be stored', async () => {
    const [old = ''] = await oldCookies({ userId: 7, views: 3 });
    const { app, get } = await moved();
    const own = await database.open();
    await own.query('ALTER TABLE sessions RENAME TO away');
    const failed = await get('/account', old).expect(503);
    expect(failed.get('Set-Cookie')).toBeUndefined();
    expect(await own.query('SELECT 1 FROM "session"')).toHaveLength(1);
    await own.query('ALTER TABLE away RENAME TO sessions');
    await get('/account', old).expect(200, { userId: '7' });
    expect((await app.get(SessionStore).listForUser('7')).map(({ data }) => data)).toEqual([{ views: 3 }]);
  });

  it('is nobody with a forged cookie, an expired row, or a visitor’s session; an embedded request takes nothing', async () => {
    const [old = '', visitor = '', gone = ''] = await oldCookies({ userId: 7 }, { views: 1 }, { userId: 8 });
    const { get } = await moved();
    const own = await database.open();
    const sidOf = (cookie: string) => decodeURIComponent(cookie).replace(/^connect\.sid=s:|\..*$/g, '');
    await own.query(`UPDATE "session" SET expire = now() - interval '1 second' WHERE sid = $1`, [
      sidOf(gone),
    ]);
    const forged = `connect.sid=s%3A${sidOf(old)}.${'A'.repeat(43)}`;
    for (const cookie of [forged, 'connect.sid=junk', visitor, gone])
      await get('/account', cookie).expect(401);
    await get('/account', old)
      .set('Sec-Fetch-Site', 'cross-site')
      .set('Sec-Fetch-Mode', 'no-cors')
      .expect(401);
    await get('/account', old)
      .set('Sec-Fetch-Site', 'cross-site')
      .set('Sec-Fetch-Mode', 'navigate')
      .set('Sec-Fetch-Dest', 'document')
      .expect(200);
  });
});
