import flash from 'connect-flash';
import { csrfSync } from 'csrf-sync';
import type { Request } from 'express';
import type { Browser } from '../../support/browser.js';
import { closeEngines, ENGINES, openOn, route, sessionIn } from './support/engines.js';

afterEach(closeEngines);

type Flashing = Request & { flash(type?: string, message?: string): unknown };

describe.each(ENGINES)('on %s,', (engine) => {
  describe("the examples of express-session's documentation", () => {
    it('count views by page', async () => {
      const { browser } = await openOn(engine, (app) => {
        app.use((request: Request, _response: unknown, next: () => void) => {
          const session = sessionIn(request);
          const views = (session['views'] ??= {}) as Record<string, number>;
          views[request.path] = (views[request.path] ?? 0) + 1;
          next();
        });
        for (const path of ['/foo', '/bar']) {
          app.use(
            route('GET', path, (request, response) => {
              const views = sessionIn(request)['views'] as Record<string, number>;
              response.send(`you viewed this page ${views[path]} times`);
            }),
          );
        }
      });
      const visitor = browser();
      const texts = [];
      for (const path of ['/foo', '/foo', '/bar']) texts.push((await visitor.get(path)).text);
      expect(texts).toEqual([1, 2, 1].map((times) => `you viewed this page ${times} times`));
    });

    it('sign a user in and out', async () => {
      const { browser } = await openOn(engine, (app) => {
        app.use(
          route('GET', '/', (request, response, next) => {
            const { user } = sessionIn(request);
            if (typeof user === 'string') response.send(`hello, ${user}!`);
            else next();
          }),
        );
        app.use(
          route('POST', '/login', (request, response, next) => {
            sessionIn(request).regenerate((failure) => {
              if (failure) return next(failure);
              sessionIn(request)['user'] = request.query['user'];
              sessionIn(request).save((error) => (error ? next(error) : response.redirect('/')));
            });
          }),
        );
        app.use(
          route('GET', '/logout', (request, response, next) => {
            sessionIn(request)['user'] = null;
            sessionIn(request).save((failure) => {
              if (failure) return next(failure);
              sessionIn(request).regenerate((error) => (error ? next(error) : response.redirect('/')));
            });
          }),
        );
      });
      const visitor = browser();
      expect((await visitor.get('/')).status).toBe(404);
      expect((await visitor.post('/login?user=ada')).headers.location).toBe('/');
      const thief = await visitor.copy();
      expect((await visitor.get('/')).text).toBe('hello, ada!');
      expect((await visitor.get('/logout')).headers.location).toBe('/');
      expect([(await visitor.get('/')).status, (await thief.get('/')).status]).toEqual([404, 404]);
    });
  });

  describe('req.session', () => {
    it('is the same, another or none after each step', async () => {
      const steps = ['save', 'touch', 'resetMaxAge', 'reload', 'regenerate', 'destroy'] as const;
      const { browser } = await openOn(engine, (app) => {
        app.use(route('GET', '/set', (request, response) => response.json((sessionIn(request)['a'] = 1))));
        for (const step of steps) {
          app.use(
            route('GET', `/${step}`, (request, response) => {
              const session = sessionIn(request);
              session['a'] = 2;
              const describe = (error?: unknown) => {
                const now = sessionIn(request) as typeof session | undefined;
                const seen = now === undefined ? 'none' : now === session ? 'same' : 'another';
                response.json({ error, seen, old: session['a'], now: now?.['a'] });
              };
              if (step === 'touch' || step === 'resetMaxAge') {
                expect(session[step]()).toBe(session);
                describe();
              } else session[step](describe);
            }),
          );
        }
      });
      const replies: Record<string, unknown> = {};
      for (const step of steps) {
        const visitor = browser();
        await visitor.get('/set');
        replies[step] = (await visitor.get(`/${step}`)).json();
      }
      expect(replies).toEqual({
        save: { seen: 'same', old: 2, now: 2 },
        touch: { seen: 'same', old: 2, now: 2 },
        resetMaxAge: { seen: 'same', old: 2, now: 2 },
        reload: { seen: 'another', old: 2, now: 1 },
        regenerate: { seen: 'another', old: 2 },
        destroy: { seen: 'none', old: 2 },
      });
    });
  });

  describe('connect-flash', () => {
    /** The example of its documentation. */
    const openFlash = () =>
      openOn(engine, (app) => {
        app.use(flash());
        app.use(
          route('GET', '/flash', (request, response) => {
            (request as Flashing).flash('info', 'Flash is back!');
            response.redirect('/');
          }),
        );
        app.use(route('GET', '/', (request, response) => response.send((request as Flashing).flash())));
      });

    it('shows a message after a redirect, once', async () => {
      const { browser } = await openFlash();
      const visitor = browser();
      const redirect = await visitor.get('/flash');
      expect([redirect.status, redirect.headers.location]).toEqual([302, '/']);
      expect((await visitor.get('/')).json()).toEqual({ info: ['Flash is back!'] });
      expect((await visitor.get('/')).json()).toEqual({});
      expect((await browser().get('/')).json()).toEqual({});
    });
  });

  describe('csrf-sync', () => {
    /** The set-up of its documentation. */
    const openCsrf = () => {
      const { generateToken, csrfSynchronisedProtection, revokeToken } = csrfSync();
      return openOn(engine, (app) => {
        app.use(
          route('GET', '/csrf-token', (request, response) =>
            response.json({ token: generateToken(request) }),
          ),
        );
        app.use(csrfSynchronisedProtection);
        app.use(
          route('POST', '/secret', (request, response) => {
            if (request.query['revoke'] !== undefined) revokeToken(request);
            response.json({ done: true });
          }),
        );
      });
    };
    const tokenOf = async (browser: Browser) =>
      (await browser.get('/csrf-token')).json<{ token: string }>().token;
    const send = async (browser: Browser, token?: string, query = '') =>
      (await browser.post(`/secret${query}`, {}, token === undefined ? {} : { 'x-csrf-token': token }))
        .status;

    it('lets in who presents the token of the session, and nobody else', async () => {
      const { browser } = await openCsrf();
      const [ada, mallory] = [browser(), browser()];
      const token = await tokenOf(ada);
      expect(token).toMatch(/^[0-9a-f]{256}$/);
      expect(await tokenOf(ada)).toBe(token);
      expect(await send(ada, token)).toBe(200);
      expect(await send(ada)).toBe(403);
      expect(await send(ada, await tokenOf(mallory))).toBe(403);
      expect(await send(browser(), token)).toBe(403);
    });

    it('protects the routes of Nest too', async () => {
      const { browser } = await openCsrf();
      const ada = browser();
      expect((await ada.post('/do/set', { theme: 'dark' })).status).toBe(403);
      const token = await tokenOf(ada);
      expect((await ada.post('/do/set', { theme: 'dark' }, { 'x-csrf-token': token })).status).toBe(200);
    });

    it('takes a token back', async () => {
      const { browser } = await openCsrf();
      const ada = browser();
      const token = await tokenOf(ada);
      expect(await send(ada, token, '?revoke')).toBe(200);
      expect(await send(ada, token)).toBe(403);
      expect(await tokenOf(ada)).not.toBe(token);
    });
  });
});
