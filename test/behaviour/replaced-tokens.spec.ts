import { request as send } from 'node:http';
import { ManualClock } from 'nest-sessions/testing';
import type { Browser } from '../support/browser.js';
import { type AppSetup, onEachPlatform, type OpenApp, START, type TestApp } from '../support/open-app.js';
import { BASICS, dataOf, refusal, seenBy, userOf } from '../support/session-routes.js';
import { rowsOf } from '../support/storage.js';

const ROUTES = {
  ...BASICS,
  rotate: ({ session }) => session.rotate(),
  prove: ({ session }) => session.reauthenticate(),
  everywhere: ({ session }) => session.logoutAll(),
  others: ({ session }) => session.logoutOthers(),
  flash: ({ session }) => session.flash('error', 'wrong password'),
  update: ({ session }) => session.update((data) => void (data.count = 1)),
  end: ({ session, query }) => session.revoke(query['id'] ?? ''),
} satisfies AppSetup['routes'];

type Mount = 'guard' | 'middleware';

async function openRotating(open: OpenApp, mount: Mount, setup: AppSetup = {}) {
  const options = { mount, ttl: '7d', rotation: { grace: '30s' }, ...setup.options } as const;
  const app = await open({ ...setup, options, routes: ROUTES });
  const ada = app.browser();
  await ada.post('/do/in');
  await ada.post('/do/set', { theme: 'dark' });
  return { ...app, ada };
}

/** A browser whose token was replaced twice just now. */
async function straggler(ada: Browser): Promise<Browser> {
  const copy = await ada.copy();
  for (let n = 0; n < 2; n++) await ada.post('/do/rotate');
  await ada.get('/do/see');
  return copy;
}

const namesOf = ({ events }: Pick<TestApp, 'events'>): string[] => events.map(({ name }) => name);

describe.each<Mount>(['guard', 'middleware'])('with mount %s', (mount) => {
  onEachPlatform('rule 8, a token that was replaced twice a moment ago', (open) => {
    it('is anonymous for reading, and no cookie is set', async () => {
      const app = await openRotating(open, mount);
      const late = await straggler(app.ada);
      for (const path of ['/do/see', '/do/list', '/do/data', '/do/rotate', '/do/others', '/plain']) {
        const reply = await late.get(path);
        expect(reply.status).toBe(200);
        expect(reply.setCookies).toEqual([]);
      }
      expect(await userOf(late)).toBeNull();
      expect(await dataOf(late)).toEqual({});
      expect(refusal(await late.post('/do/prove'))).toEqual({ status: 401, code: 'authentication_required' });
      expect(await userOf(app.ada)).toBe('ada');
      expect(namesOf(app)).not.toContain('reuse');
    });

    it('begins no session: data is refused, messages are dropped', async () => {
      const app = await openRotating(open, mount);
      const late = await straggler(app.ada);
      for (const [path, body] of [['/do/set', { theme: 'light' }], ['/do/update']] as const) {
        const reply = await late.post(path, body);
        expect(refusal(reply)).toEqual({ status: 401, code: 'session_gone' });
        expect(reply.setCookies).toEqual([]);
      }
      const reply = await late.post('/do/flash');
      expect([reply.status, reply.setCookies]).toEqual([200, []]);
      expect(rowsOf(app.storage)).toHaveLength(1);
      expect(await dataOf(app.ada)).toEqual({ theme: 'dark' });
    });

    it.each(['/do/out', '/do/everywhere'])('ends its session by %s', async (path) => {
      const app = await openRotating(open, mount);
      const late = await straggler(app.ada);
      const reply = await late.post(path);
      expect(reply.status).toBe(200);
      expect(reply.setCookies).toEqual([expect.stringContaining('Max-Age=0')]);
      expect(rowsOf(app.storage)).toEqual([]);
      expect(await userOf(app.ada)).toBeNull();
      expect(namesOf(app)).not.toContain('reuse');
    });

    it.each(['ada', 'bob'])('ends its session by a sign-in of %s, and hands nothing over', async (user) => {
      const app = await openRotating(open, mount);
      const late = await straggler(app.ada);
      const reply = await late.post(`/do/in?user=${user}`);
      expect(reply.setCookies).toHaveLength(1);
      expect(await seenBy(late)).toMatchObject({ userId: user, data: {} });
      expect(rowsOf(app.storage)).toHaveLength(1);
      expect(await userOf(app.ada)).toBeNull();
    });

    it('may begin another session once it has ended its own', async () => {
      const app = await openRotating(open, mount);
      const late = await straggler(app.ada);
      await late.post('/do/out');
      expect((await late.post('/do/set', { theme: 'light' })).setCookies).toHaveLength(1);
      expect(await dataOf(late)).toEqual({ theme: 'light' });
    });
  });

  onEachPlatform('rule 8, a thief who rotates again and again', (open) => {
    it.each([1, 20, 29])('every %i s is noticed when the owner comes back', async (seconds) => {
      const app = await openRotating(open, mount);
      const thief = await app.ada.copy();
      for (let n = 0; n < 4 + 60 / seconds; n++) {
        expect((await thief.post('/do/rotate')).setCookies).toHaveLength(1);
        app.clock.advance(`${seconds}s`);
      }
      expect(await userOf(app.ada)).toBeNull();
      expect(rowsOf(app.storage)).toEqual([]);
      expect(namesOf(app)).toContain('reuse');
      expect(await userOf(thief)).toBeNull();
    });

    it('and who throws the new cookies away is noticed when the owner comes back', async () => {
      const app = await openRotating(open, mount);
      const thief = await app.ada.copy();
      await app.ada.post('/do/rotate');
      for (let n = 0; n < 10; n++) {
        app.clock.advance('31s');
        expect((await (await thief.copy()).get('/do/see')).json()).toMatchObject({ userId: 'ada' });
      }
      expect(await userOf(app.ada)).toBeNull();
      expect(rowsOf(app.storage)).toEqual([]);
      expect(namesOf(app)).toContain('reuse');
    });

    it('and who throws the new cookies away for ever is noticed without the owner', async () => {
      const app = await openRotating(open, mount);
      const thief = await app.ada.copy();
      await (await app.ada.copy()).post('/do/rotate');
      let served = 0;
      for (; served < 100; served++) {
        app.clock.advance('31s');
        if ((await userOf(await thief.copy())) === null) break;
      }
      expect(served).toBe(20);
      expect(rowsOf(app.storage)).toEqual([]);
      expect(namesOf(app)).toContain('reuse');
    });

    it('is put out by the owner, who signs out with an old token', async () => {
      const app = await openRotating(open, mount);
      const thief = await app.ada.copy();
      for (let n = 0; n < 2; n++) await thief.post('/do/rotate');
      expect(await userOf(thief)).toBe('ada');
      expect((await app.ada.post('/do/out')).status).toBe(200);
      expect(await userOf(thief)).toBeNull();
    });
  });

  onEachPlatform('rule 8, a payload that was tampered with', (open) => {
    async function tampered() {
      const app = await openRotating(open, mount);
      const [row] = rowsOf(app.storage);
      if (row === undefined) throw new Error('nothing is stored');
      const payload = Buffer.from(row.payload);
      payload[payload.length - 1] = (payload.at(-1) ?? 0) ^ 1;
      app.storage.memory.tamper(row.id, { payload });
      return app;
    }

    it('lets its session be ended, and no other one begin beside it', async () => {
      const app = await tampered();
      expect(refusal(await app.ada.post('/do/set', { theme: 'light' }))).toEqual({
        status: 401,
        code: 'session_gone',
      });
      expect(rowsOf(app.storage)).toHaveLength(1);
      expect((await app.ada.post('/do/in')).setCookies).toHaveLength(1);
      expect(await seenBy(app.ada)).toMatchObject({ userId: 'ada', data: {} });
      expect(rowsOf(app.storage)).toHaveLength(1);
    });
  });

  onEachPlatform('rule 8, storage that has gone back', (open) => {
    it('follows a token that is newer than what is stored, and takes it for no theft', async () => {
      const app = await openRotating(open, mount);
      const [backup] = rowsOf(app.storage);
      const old = await app.ada.copy();
      for (let n = 0; n < 3; n++) await app.ada.post('/do/rotate');
      app.clock.advance('1h');
      if (backup) app.storage.memory.plant(backup);
      expect(await seenBy(app.ada)).toMatchObject({ userId: 'ada', data: { theme: 'dark' } });
      expect(JSON.stringify(app.log.lines)).toMatch(/newer than what is stored: storage has gone back/);
      app.clock.advance('31s');
      expect(await userOf(app.ada)).toBe('ada');
      expect(namesOf(app)).not.toContain('reuse');
      expect(await userOf(old)).toBeNull();
      expect(namesOf(app)).toContain('reuse');
    });

    it('serves no newer token whose use cannot be written down', async () => {
      const app = await openRotating(open, mount);
      const [backup] = rowsOf(app.storage);
      await app.ada.post('/do/rotate');
      if (backup) app.storage.memory.plant(backup);
      app.storage.fail('changeToken');
      expect((await app.ada.get('/do/see')).status).toBe(503);
      app.storage.recover();
      expect(await userOf(app.ada)).toBe('ada');
    });
  });

  onEachPlatform('rule 8, a renewed proof of identity whose answer gets lost', (open) => {
    it('is no theft, and serves the old token no more; a sign-in ends the session', async () => {
      const app = await openRotating(open, mount);
      app.clock.advance('1h');
      await (await app.ada.copy()).post('/do/prove');
      for (const wait of ['1s', '30s', '1h'] as const) {
        app.clock.advance(wait);
        const reply = await app.ada.get('/do/see');
        expect(reply.json()).toMatchObject({ userId: null });
        expect(reply.setCookies).toEqual([]);
      }
      expect(rowsOf(app.storage)).toHaveLength(1);
      expect(namesOf(app)).not.toContain('reuse');
      await app.ada.post('/do/in');
      expect(rowsOf(app.storage)).toHaveLength(1);
      expect(await userOf(app.ada)).toBe('ada');
    });

    it('is one when the answer had arrived', async () => {
      const app = await openRotating(open, mount);
      const thief = await app.ada.copy();
      await app.ada.post('/do/prove');
      expect(await userOf(app.ada)).toBe('ada');
      app.clock.advance('31s');
      expect(await userOf(thief)).toBeNull();
      expect(namesOf(app)).toContain('reuse');
    });
  });

  onEachPlatform('rule 8, two replicas whose clocks differ', (open) => {
    it.each([31, 59, 119])('by %i s raise no alarm', async (seconds) => {
      const app = await openRotating(open, mount);
      const clock = new ManualClock(START + seconds * 1_000);
      const options = { mount, ttl: '7d', rotation: { grace: '30s' } } as const;
      const other = await open({ storage: app.storage, clock, options, routes: ROUTES });
      const old = await app.ada.copy();
      await app.ada.post('/do/rotate');
      await app.ada.get('/do/see');
      old.port = other.port;
      expect((await old.get('/do/see')).setCookies).toEqual([]);
      expect(await userOf(app.ada)).toBe('ada');
      expect(namesOf(app).concat(namesOf(other))).not.toContain('reuse');
    });
  });

  onEachPlatform('rule 8, an upload that goes on across a rotation', (open) => {
    /** Sends the head of a request, and its body when the test says so. */
    async function upload(app: TestApp, browser: Browser, path: string) {
      const arrived = new Promise((resolve) => app.app.getHttpServer().once('request', resolve));
      const body = JSON.stringify({ upload: 'x'.repeat(1_000) });
      const outgoing = send({
        port: app.port,
        method: 'POST',
        path,
        headers: {
          host: browser.host,
          cookie: `__Host-sid=${await browser.cookie()}`,
          'content-type': 'application/json',
          'content-length': body.length,
        },
      });
      outgoing.write(body.slice(0, 10));
      await arrived;
      return () =>
        new Promise<{ status: number | undefined; cookies: readonly string[] }>((resolve, reject) => {
          outgoing.on('error', reject);
          outgoing.on('response', (reply) => {
            reply.resume();
            resolve({ status: reply.statusCode, cookies: reply.headers['set-cookie'] ?? [] });
          });
          outgoing.end(body.slice(10));
        });
    }

    it('is judged by when its head arrived: it is served, and no theft', async () => {
      const app = await openRotating(open, mount);
      const complete = await upload(app, app.ada, '/do/set');
      await app.ada.post('/do/rotate');
      await app.ada.get('/do/see');
      app.clock.advance('2m');
      expect(await complete()).toEqual({ status: 200, cookies: [] });
      expect(await dataOf(app.ada)).toMatchObject({ theme: 'dark', upload: expect.stringMatching(/^x+$/) });
      expect(namesOf(app)).not.toContain('reuse');
    });

    it('across two rotations is no theft, though refused where sessions are loaded behind the body', async () => {
      const app = await openRotating(open, mount);
      const complete = await upload(app, app.ada, '/do/set');
      for (let n = 0; n < 2; n++) await app.ada.post('/do/rotate');
      await app.ada.get('/do/see');
      app.clock.advance('2m');
      expect(await complete()).toEqual({ status: mount === 'guard' ? 401 : 200, cookies: [] });
      expect(await userOf(app.ada)).toBe('ada');
      expect(namesOf(app)).not.toContain('reuse');
    });

    it('that begins after the grace of its token is one', async () => {
      const app = await openRotating(open, mount);
      const thief = await app.ada.copy();
      await app.ada.post('/do/rotate');
      await app.ada.get('/do/see');
      app.clock.advance('31s');
      const complete = await upload(app, thief, '/do/see');
      expect(await complete()).toMatchObject({ status: 200 });
      expect(namesOf(app)).toContain('reuse');
    });
  });
});
