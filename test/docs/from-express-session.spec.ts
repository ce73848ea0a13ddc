import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import express, { type RequestHandler } from 'express';
import connectPgSimple from 'connect-pg-simple';
import expressSession from 'express-session';
import { SessionStore } from 'nest-sessions';
import request from 'supertest';
import { onEachDatabase, openDatabase, SERVERS, type TestDatabase } from '../support/databases.js';
import { cookieOf, openPage, type PageApp, type Running } from './page-app.js';

const PAGE = 'docs/from-express-session.md';
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

  beforeEach(async () => {
    database = await openDatabase('postgres');
    process.env['OLD_SESSION_SECRET'] = SECRET;
    const options = JSON.stringify({ ...database.options(), autoLoadEntities: true });
    page = openPage(PAGE, {
      edit: (file) => ({
        ...file,
        code: file.code.replace(/forRoot\(\{ type: 'sqlite'.*\}\)/, `forRoot(${options})`),
      }),
    });
  });
  afterEach(async () => {
    delete process.env['OLD_SESSION_SECRET'];
    await page.close(); // before its database goes
    await database.drop();
  });

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

  async function moved(): Promise<Running> {
    const imports = [await page.recipe('old-sessions.module.ts', 'OldSessionsModule')];
    return page.start({
      imports,
      controllers: [await page.recipe('account.controller.ts', 'AccountController')],
    });
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
