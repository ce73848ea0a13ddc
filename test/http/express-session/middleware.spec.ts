import type { INestApplication } from '@nestjs/common';
import flash from 'connect-flash';
import { csrfSync } from 'csrf-sync';
import type { NextFunction, Request, Response } from 'express';
import passport from 'passport';
import { Strategy } from 'passport-local';
import type { SessionOptions } from 'nest-sessions';
import type { Browser } from '../support/browser.js';
import { KEY, openApp, type TestApp } from '../support/open-app.js';
import { BASICS, refusal, userOf } from '../support/session-routes.js';

const apps: TestApp[] = [];
afterEach(async () => {
  for (const { app } of apps.splice(0)) await app.close();
});

/** An app whose main.ts adds middleware as it would to plain Express. */
async function openWith(
  prepare: (app: INestApplication) => void,
  options: Partial<SessionOptions> = {},
): Promise<TestApp> {
  const opened = await openApp('express', {
    options: { key: KEY, mount: 'middleware', ...options },
    routes: BASICS,
    prepare,
  });
  apps.push(opened);
  return opened;
}

type Handler = (request: Request, response: Response, next: NextFunction) => void;

/** A route of plain Express. */
const route =
  (method: string, path: string, handler: Handler): Handler =>
  (request, response, next) =>
    request.method === method && request.path === path ? handler(request, response, next) : next();

type Flashing = Request & { flash(type?: string, message?: string): unknown };

describe('connect-flash', () => {
  /** The example of its documentation. */
  const openFlash = () =>
    openWith((app) => {
      app.use(flash());
      app.use(
        route('GET', '/flash', (request, response) => {
          (request as Flashing).flash('info', 'Flash is back!');
          response.redirect('/');
        }),
      );
      app.use(route('GET', '/', (request, response) => void response.send((request as Flashing).flash())));
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
    return openWith((app) => {
      app.use(
        route(
          'GET',
          '/csrf-token',
          (request, response) => void response.json({ token: generateToken(request) }),
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
    (await browser.post(`/secret${query}`, {}, token === undefined ? {} : { 'x-csrf-token': token })).status;

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

describe('Passport on routes of plain Express', () => {
  /** Its documented set-up, with a serializer that gives `made`. */
  function openRoutes(made: unknown, options: Partial<SessionOptions> = {}) {
    const auth = new passport.Passport();
    auth.use(
      new Strategy((name, password, done) =>
        password === 'secret' ? done(null, { id: name }) : done(null, false, { message: 'Try again.' }),
      ),
    );
    auth.serializeUser((_user, done) => done(null, made));
    auth.deserializeUser((user: unknown, done) => done(null, user as Express.User));
    const routes = {
      successReturnToOrRedirect: '/do/see',
      failureRedirect: '/login',
      failureFlash: true,
      keepSessionInfo: true,
    };
    return openWith((app) => {
      app.use(flash());
      app.use(auth.initialize());
      app.use(auth.session());
      app.use(
        route('GET', '/members', (request, response) => {
          if (request.user) {
            response.send(request.user);
            return;
          }
          Object.assign((request as unknown as { session: object }).session, { returnTo: '/members' });
          response.redirect('/login');
        }),
      );
      app.use(
        route(
          'GET',
          '/login',
          (request, response) => void response.send((request as Flashing).flash('error')),
        ),
      );
      app.use(route('POST', '/login', auth.authenticate('local', routes) as Handler));
    }, options);
  }
  const logIn = (browser: Browser, password = 'secret') =>
    browser.post(`/login?username=ada&password=${password}`);

  it('leads to the page that was asked for, and says why it does not', async () => {
    const { browser } = await openRoutes('ada');
    const visitor = browser();
    expect((await visitor.get('/members')).headers.location).toBe('/login');
    expect((await logIn(visitor, 'guess')).headers.location).toBe('/login');
    expect((await visitor.get('/login')).json()).toEqual(['Try again.']);
    expect((await logIn(visitor)).headers.location).toBe('/members');
    expect((await visitor.get('/members')).text).toBe('ada');
    expect(await userOf(visitor)).toBe('ada');
  });

  it.each([
    ['a string', 'ada', 'ada'],
    ['a number', 7, '7'],
    ['an object with an id', { id: 7, name: 'Ada' }, '7'],
  ])('binds the session to the user that was serialized as %s', async (_title, made, userId) => {
    const { browser } = await openRoutes(made);
    const visitor = browser();
    expect((await logIn(visitor)).status).toBe(302);
    expect(await userOf(visitor)).toBe(userId);
    expect((await visitor.get('/members')).text).toBe(
      typeof made === 'object' ? JSON.stringify(made) : String(made),
    );
  });

  it('asks `passportUserId` where it is given', async () => {
    const { browser } = await openRoutes(
      { sub: 'auth0|7' },
      { passportUserId: (user: { sub: string }) => user.sub },
    );
    const visitor = browser();
    await logIn(visitor);
    expect(await userOf(visitor)).toBe('auth0|7');
  });

  it('refuses a user without an id, naming the option', async () => {
    const { browser, log, storage } = await openRoutes({ sub: 'auth0|7' });
    const visitor = browser();
    expect(refusal(await logIn(visitor))).toEqual({ status: 500, code: 'session_data_invalid' });
    expect(log.sessionErrors).toEqual([expect.stringContaining('`passportUserId`')]);
    expect(storage.calls.filter((call) => call === 'insert')).toEqual([]);
    expect(await userOf(visitor)).toBeNull();
  });
});
