import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ScheduleModule, SchedulerRegistry } from '@nestjs/schedule';
import { SessionStore, TypeOrmSessionBackend } from 'nest-sessions';
import { signIn } from 'nest-sessions/testing';
import { shownFile } from './compile.js';
import { openPage, type PageApp } from './page-app.js';
import { openWorkplace, outputOf, promisedOutput } from './run.js';

const PAGE = 'docs/store.md';
let page: PageApp;

describe('in the app', () => {
  beforeEach(() => {
    page = openPage(PAGE, { goesOnWith: 'docs/getting-started.md' });
  });
  afterEach(() => page.close());

  it('a job ends sessions when its time comes', async () => {
    const providers = [await page.recipe('night.job.ts', 'NightJob')];
    const { app, get } = await page.start({ imports: [ScheduleModule.forRoot()], providers });
    const [kiosk, ada] = [await signIn(app, 'kiosk'), await signIn(app, 'ada')];
    const job = app.get(SchedulerRegistry, { strict: false }).getCronJob('night');
    expect([job.cronTime.source, job.cronTime.timeZone]).toEqual(['0 3 * * *', 'Europe/Berlin']);
    await job.fireOnTick();
    await get('/devices', kiosk.cookie).expect(401);
    await get('/devices', ada.cookie).expect(200);
  });

  it("drafts are each user's own, expire, and are no devices", async () => {
    const controllers = [await page.recipe('drafts.controller.ts', 'DraftsController')];
    const { app, clock, get, ...calls } = await page.start({ controllers });
    const [ada, eve] = [(await signIn(app, 'ada')).cookie, (await signIn(app, 'eve')).cookie];
    await calls.put('/draft', { text: 'Dear Bob' }, ada).expect(200);
    await get('/draft', ada).expect(200, { text: 'Dear Bob' });
    await get('/draft', eve).expect(404);
    expect((await get('/devices', ada)).body).toHaveLength(1);
    await calls.delete('/draft', ada).expect(200, { removed: true });
    await calls.delete('/draft', ada).expect(200, { removed: false });
    await calls.put('/draft', { text: 'Dear Bob' }, ada).expect(200);
    clock.advance('7d');
    await get('/draft', (await signIn(app, 'ada')).cookie).expect(404);
  });

  it('a value with an owner is listed, and ends with the sessions of its owner', async () => {
    const { app, clock } = await page.start();
    const store = app.get(SessionStore);
    await store.put('draft:7', { userId: '7', data: {} }, '60d');
    expect((await store.listForUser('7')).map(({ id }) => id)).toEqual(['draft:7']);
    expect(await store.destroyAllForUser('7')).toBe(1);
    await store.put('draft:8', { userId: null, data: {} }, '60d');
    clock.advance('30d');
    expect(await store.get('draft:8')).toBeNull();
  });
});

describe('without Nest', () => {
  const keyBefore = process.env['SESSION_KEY'];
  const worker = shownFile('worker.ts', PAGE);

  beforeEach(() => {
    process.env['SESSION_KEY'] = randomBytes(32).toString('base64url');
  });
  afterEach(() => {
    process.env['SESSION_KEY'] = keyBefore;
  });

  it('a worker prints what it says, and leaves the database of the app alone', async () => {
    const place = openWorkplace([worker]);
    const promised = promisedOutput(worker);
    expect(promised.length).toBeGreaterThan(0);
    expect(await outputOf(place, 'worker.ts')).toEqual(promised);
    expect(
      ['worker.sqlite', 'app.sqlite', 'app.sessions.sqlite'].map((file) =>
        existsSync(join(place.path, file)),
      ),
    ).toEqual([true, false, false]);
    place.close();
  });

  it('a worker with the file and the key of the app has its sessions, and with another key counts and ends them', async () => {
    page = openPage(PAGE, { goesOnWith: 'docs/getting-started.md' });
    const { app } = await page.start();
    const { cookie } = await signIn(app, 'ada', { data: { theme: 'dark' } });
    const token = cookie.replace('__Host-sid=', '');
    const seen: unknown[] = [];
    for (const key of [process.env['SESSION_KEY'], randomBytes(32)]) {
      const backend = new TypeOrmSessionBackend(
        { type: 'sqlite', database: 'app.sessions.sqlite' },
        { tableName: 'sessions', createTable: false, timeout: 5_000, shared: false },
      );
      const store = new SessionStore(backend, { key });
      await store.initSchema();
      const [session] = await store.listForUser('ada');
      seen.push([session?.integrity, session?.data, (await store.readByToken(token))?.userId]);
      if (seen.length === 2) seen.push(await store.destroyAllForUser('ada'));
      await store.close();
    }
    expect(seen).toEqual([['intact', { theme: 'dark' }, 'ada'], ['unknown-key', {}, undefined], 1]);
    await page.close();
  });
});
