import { APP_GUARD } from '@nestjs/core';
import passport from 'passport';
import type { SessionOptions } from 'nest-sessions';
import type { Browser } from '../../support/browser.js';
import { KEY, onEachPlatform, type OpenApp, START, type TestApp } from '../../support/open-app.js';
import type { Route, Routes } from '../../support/routes.js';
import { BASICS, dataOf, refusal, seenBy, userOf } from '../../support/session-routes.js';
import { rowsOf } from '../../support/storage.js';

/** What Passport adds to a request, or to the one that it wraps. */
interface Believer {
  readonly user?: string;
  readonly session: Record<string, unknown> & { save(): Promise<void> };
  logIn(user: string, options: object, done: (error?: unknown) => void): void;
}

const HOUR = 3_600_000;
const ADMIN = { user: 'admin' };
const MOUNTS = ['guard', 'middleware'] as const;

/** Whom Passport believes to be signed in. */
const WHO: Route = ({ request }) => {
  const { user, raw } = request as unknown as Believer & { raw?: Believer };
  return { user: user ?? raw?.user ?? null };
};

const believer = (request: object): Believer => {
  const { raw } = request as { raw?: Believer };
  return raw !== undefined && 'logIn' in raw ? raw : (request as Believer);
};

const logIn =
  (options: object): Route =>
  ({ request, query }) =>
    new Promise((resolve, reject) => {
      const done = (error?: unknown): void => (error ? reject(error) : resolve(null));
      believer(request).logIn(query['user'] ?? 'ada', options, done);
    });

/** Every way to tell Passport of somebody by a request. */
const DOORS: Routes = {
  set: ({ session }) => session.set('passport', ADMIN),
  data: ({ session }) => void (session.data['passport'] = ADMIN),
  deep: ({ session }) => {
    const kept = (session.data['passport'] ??= {}) as { user?: string };
    kept.user = 'admin';
  },
  assign: ({ session }) => void (session.data = { passport: ADMIN }),
  update: ({ session }) => session.update((data) => void (data['passport'] = ADMIN)),
  save: async ({ session }) => {
    session.data['passport'] = ADMIN;
    await session.save();
  },
  bag: ({ request }) => void (believer(request).session['passport'] = ADMIN),
  define: ({ request }) =>
    void Object.defineProperty(believer(request).session, 'passport', {
      value: ADMIN,
      enumerable: true,
      writable: true,
    }),
  'save of req.session': async ({ request }) => {
    const { session } = believer(request);
    session['passport'] = ADMIN;
    await session.save();
  },
  'logIn of 0.5': ({ request }) => {
    const { session } = believer(request);
    session['passport'] ??= {};
    (session['passport'] as { user?: string }).user = 'admin';
  },
  'data of authenticate': ({ session }) => session.authenticate('mallory', { data: { passport: ADMIN } }),
  'before authenticate': async ({ session }) => {
    session.data['passport'] = ADMIN;
    await session.authenticate('mallory');
  },
  object: ({ session }) => void (session.data['passport'] = { user: { id: 'admin' } }),
  nobody: ({ session }) => void (session.data['passport'] = { user: { name: 'without an id' } }),
};

const ROUTES: Routes = {
  ...BASICS,
  ...Object.fromEntries(Object.entries(DOORS).map(([name, door]) => [`by ${name}`, door])),
  who: WHO,
  regenerate: async ({ session, request }) => {
    const before = believer(request).session as unknown as { regenerate(): Promise<void> };
    await before.regenerate();
    session.set('passport', ADMIN);
    await believer(request).session.save();
  },
  login: logIn({}),
  'login-and-keep': logIn({ keepSessionInfo: true }),
  both: async ({ session }) => session.authenticate('ada', { data: { passport: { user: 'ada' } } }),
  'without-passport': ({ session }) => void (session.data['passport'] = ADMIN),
};

/** An app in which Passport restores its user: before the routes, or in a guard of the app. */
function openBelieving(open: OpenApp, mount: (typeof MOUNTS)[number], options: Partial<SessionOptions> = {}) {
  const auth = new passport.Passport();
  auth.serializeUser((user, done) => done(null, user));
  auth.deserializeUser((user: unknown, done) => done(null, user as Express.User));
  const restore = auth.session() as (
    request: object,
    response: object,
    next: (error?: unknown) => void,
  ) => void;
  const guard = {
    canActivate(context: { switchToHttp(): { getRequest(): { url: string } } }): boolean | Promise<boolean> {
      const request = context.switchToHttp().getRequest();
      if (request.url.includes('without-passport')) return true;
      return new Promise((resolve, reject) => {
        restore(request, {}, (error) => (error ? reject(error) : resolve(true)));
      });
    },
  };
  return open({
    options: { key: KEY, mount, ...options },
    routes: ROUTES,
    providers: mount === 'guard' ? [{ provide: APP_GUARD, useValue: guard }] : [],
    prepare: (app) => {
      if (mount === 'guard') return;
      app.use((request: { url: string }, response: object, next: (error?: unknown) => void) =>
        request.url.includes('without-passport') ? next() : restore(request, response, next),
      );
    },
  });
}

const whoIs = async (browser: Browser): Promise<unknown> =>
  (await browser.get('/do/who')).json<{ user: unknown }>().user;

/** What is stored of a session. */
const storedOf = ({ store }: TestApp) =>
  store.listForUser('mallory').then((list) => list.map(({ data }) => data));

const plants = (log: TestApp['log']): string[] =>
  log.sessionWarnings.filter((line) => line.includes('`passport.user`'));

onEachPlatform('who is signed in, as Passport gets to see it', (open) => {
  describe.each(MOUNTS)('with mount: %s', (mount) => {
    describe.each(Object.keys(DOORS))('told by %s', (door) => {
      it.each([null, 'mallory'])('is refused, and nothing is stored, of %p', async (userId) => {
        const app = await openBelieving(open, mount);
        const visitor = app.browser();
        if (userId !== null) await visitor.post(`/do/in?user=${userId}`);
        await visitor.post('/do/set', { theme: 'dark' });
        const before = rowsOf(app.storage);
        const reply = await visitor.post(`/do/${encodeURIComponent(`by ${door}`)}`);
        expect(refusal(reply)).toEqual({ status: 400, code: 'session_data_invalid' });
        expect(reply.setCookies).toEqual([]);
        expect(plants(app.log)).not.toEqual([]);
        expect(rowsOf(app.storage).map(({ id, version }) => [id, version])).toEqual(
          before.map(({ id, version }) => [id, version]),
        );
        expect(await whoIs(visitor)).toBeNull();
        expect(await seenBy(visitor)).toMatchObject({ userId, data: { theme: 'dark' } });
      });
    });

    describe.each<[string, (app: TestApp, id: string, userId: string | null) => Promise<unknown>]>([
      ['flush', ({ store }, id) => store.flush(id, { passport: ADMIN, a: 1 }, START, START + HOUR)],
      [
        'put',
        ({ store }, id, userId) =>
          store.put(id, { userId, data: { passport: ADMIN, a: 1 } }, '1h', { sessions: true }),
      ],
    ])('stored by %s of the store', (_name, plant) => {
      it.each([null, 'mallory'])(
        'is dropped when it is read, of %p, with a line in the log',
        async (userId) => {
          const app = await openBelieving(open, mount);
          const visitor = app.browser();
          if (userId === null) await visitor.post('/do/set', { a: 1 });
          else await visitor.post(`/do/in?user=${userId}`);
          await plant(app, (await seenBy(visitor)).id ?? '', userId);
          expect(await whoIs(visitor)).toBeNull();
          expect(plants(app.log)).toHaveLength(1);
          expect(await seenBy(visitor)).toMatchObject({ userId, data: { a: 1, passport: {} } });
          expect(plants(app.log)).toHaveLength(1);
        },
      );
    });

    it('is dropped when a route without Passport has stored it', async () => {
      const app = await openBelieving(open, mount);
      const visitor = app.browser();
      await visitor.post('/do/without-passport');
      expect(rowsOf(app.storage)).toHaveLength(1);
      expect(await whoIs(visitor)).toBeNull();
      expect(plants(app.log)).toHaveLength(1);
    });

    it('is no sign-in by a key that is set after `regenerate()`: logIn asks for its own first', async () => {
      const app = await openBelieving(open, mount);
      const visitor = app.browser();
      await visitor.post('/do/in?user=mallory');
      expect(refusal(await visitor.post('/do/regenerate'))).toEqual({
        status: 400,
        code: 'session_data_invalid',
      });
      expect([await whoIs(visitor), await userOf(visitor), rowsOf(app.storage)]).toEqual([null, null, []]);
    });

    it('is not carried over by a sign-in, which succeeds', async () => {
      const app = await openBelieving(open, mount);
      const visitor = app.browser();
      await visitor.post('/do/set', { theme: 'dark' });
      await visitor.post('/do/without-passport');
      expect((await visitor.post('/do/in?user=mallory')).status).toBe(200);
      expect(await storedOf(app)).toEqual([{ theme: 'dark' }].map((data) => expect.objectContaining(data)));
      expect((await storedOf(app))[0]?.['passport'] ?? {}).toEqual({});
      expect(await whoIs(visitor)).toBeNull();
      expect(await userOf(visitor)).toBe('mallory');
    });

    it('is whom `authenticate()` signed in, when the app tells Passport so', async () => {
      const app = await openBelieving(open, mount);
      const visitor = app.browser();
      await visitor.post('/do/both');
      expect([await whoIs(visitor), await userOf(visitor)]).toEqual(['ada', 'ada']);
      expect((await visitor.post('/do/in?user=bob')).status).toBe(200);
      expect([await whoIs(visitor), await userOf(visitor)]).toEqual([null, 'bob']);
      expect(plants(app.log)).toEqual([]);
    });

    it.each(['login', 'login-and-keep'])(
      'is whom logIn signed in, by %s, and the next one',
      async (login) => {
        const app = await openBelieving(open, mount);
        const visitor = app.browser();
        await visitor.post('/do/set', { theme: 'dark' });
        await visitor.post('/do/without-passport');
        for (const user of ['ada', 'bob', 'bob']) {
          expect((await visitor.post(`/do/${login}?user=${user}`)).status).toBe(200);
          expect([await whoIs(visitor), await userOf(visitor)]).toEqual([user, user]);
        }
        expect((await dataOf(visitor))['theme']).toBe(login === 'login' ? undefined : 'dark');
        expect(plants(app.log).length).toBeLessThanOrEqual(1);
      },
    );

    it('is nobody when `passportUserId` fails, or says somebody else', async () => {
      const passportUserId = (user: string): string => {
        if (user === 'ada') return 'bob';
        throw new TypeError('no user');
      };
      const app = await openBelieving(open, mount, { passportUserId });
      for (const user of ['ada', 'admin']) {
        const visitor = app.browser();
        await visitor.post(`/do/in?user=${user}`);
        const id = (await seenBy(visitor)).id ?? '';
        await app.store.flush(id, { passport: { user } }, START, START + HOUR);
        expect([await whoIs(visitor), await userOf(visitor)]).toEqual([null, user]);
      }
    });
  });

  it('is a key as any other where there is no Passport, also in req.session', async () => {
    const routes: Routes = {
      ...BASICS,
      plant: ({ request }) => void (believer(request).session['passport'] = ADMIN),
      read: ({ request }) => ({ passport: believer(request).session['passport'] }),
    };
    const { browser } = await open({ routes });
    const visitor = browser();
    await visitor.post('/do/plant');
    expect((await visitor.get('/do/read')).json()).toEqual({ passport: ADMIN });
    await visitor.post('/do/in');
    expect(await dataOf(visitor)).toEqual({ passport: ADMIN });
  });
});
