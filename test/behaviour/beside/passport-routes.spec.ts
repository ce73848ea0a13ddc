import flash from 'connect-flash';
import type { Request } from 'express';
import passport from 'passport';
import { Strategy } from 'passport-local';
import type { SessionOptions } from 'nest-sessions';
import type { Browser } from '../../support/browser.js';
import { refusal, userOf } from '../../support/session-routes.js';
import {
  closeEngines,
  type Engine,
  ENGINES,
  type Handler,
  openOn,
  route,
  sessionIn,
} from './support/engines.js';

afterEach(closeEngines);

type Flashing = Request & { flash(type: string): unknown };

/** Passport's documented set-up on routes of plain Express, with a serializer that gives `made`. */
function openRoutes(made: unknown, engine: Engine = 'nest-sessions', options: Partial<SessionOptions> = {}) {
  const auth = new passport.Passport();
  auth.use(
    new Strategy((name, password, done) =>
      password === 'secret' ? done(null, { id: name }) : done(null, false, { message: 'Try again.' }),
    ),
  );
  auth.serializeUser((_user, done) => done(null, made));
  auth.deserializeUser((user: unknown, done) => done(null, user as Express.User));
  const answers = {
    successReturnToOrRedirect: '/members',
    failureRedirect: '/login',
    failureFlash: true,
    keepSessionInfo: true,
  };
  const members: Handler = (request, response) => {
    if (request.user) {
      response.send(request.user);
      return;
    }
    sessionIn(request)['returnTo'] = request.originalUrl;
    response.redirect('/login');
  };
  const logout: Handler = (request, response, next) =>
    request.logout((error) => (error ? next(error) : response.redirect('/')));
  return openOn(
    engine,
    (app) => {
      app.use(flash());
      app.use(auth.initialize());
      app.use(auth.session());
      app.use(route('GET', '/members', members));
      app.use(
        route('GET', '/login', (request, response) => response.send((request as Flashing).flash('error'))),
      );
      app.use(route('POST', '/login', auth.authenticate('local', answers) as Handler));
      app.use(route('POST', '/logout', logout));
    },
    options,
  );
}

const logIn = (browser: Browser, password = 'secret') =>
  browser.post(`/login?username=ada&password=${password}`);

describe.each(ENGINES)("Passport's flow on %s", (engine) => {
  it('leads to the page that was asked for, says why it does not, and ends', async () => {
    const { browser } = await openRoutes('ada', engine);
    const visitor = browser();
    expect((await visitor.get('/members?page=2')).headers.location).toBe('/login');
    expect((await logIn(visitor, 'guess')).headers.location).toBe('/login');
    expect((await visitor.get('/login')).json()).toEqual(['Try again.']);
    const planted = await visitor.copy();
    expect((await logIn(visitor)).headers.location).toBe('/members?page=2');
    expect((await visitor.get('/members')).text).toBe('ada');
    expect((await planted.get('/members')).status).toBe(302);
    const thief = await visitor.copy();
    expect((await visitor.post('/logout')).headers.location).toBe('/');
    const after = [await visitor.get('/members'), await thief.get('/members')];
    expect(after.map(({ status }) => status)).toEqual([302, 302]);
  });
});

describe('the user id of a session that Passport signs in', () => {
  it.each([
    ['a string', 'ada', 'ada'],
    ['a number', 7, '7'],
    ['an object with an id', { id: 7, name: 'Ada' }, '7'],
  ])('is that of the user, serialized as %s', async (_title, made, userId) => {
    const { browser } = await openRoutes(made);
    const visitor = browser();
    expect((await logIn(visitor)).status).toBe(302);
    expect(await userOf(visitor)).toBe(userId);
    const seen = (await visitor.get('/members')).text;
    expect(seen).toBe(typeof made === 'object' ? JSON.stringify(made) : String(made));
  });

  it('is what `passportUserId` makes of the user', async () => {
    const { browser } = await openRoutes({ sub: 'auth0|7' }, 'nest-sessions', {
      passportUserId: (user: { sub: string }) => user.sub,
    });
    const visitor = browser();
    await logIn(visitor);
    expect(await userOf(visitor)).toBe('auth0|7');
  });

  it('cannot be found in a user without an id: that is no sign-in, and names the option', async () => {
    const { browser, log } = await openRoutes({ sub: 'auth0|7' });
    const visitor = browser();
    expect(refusal(await logIn(visitor))).toEqual({ status: 500, code: 'session_data_invalid' });
    expect(log.sessionErrors).toEqual([expect.stringContaining('`passportUserId`')]);
    expect(await userOf(visitor)).toBeNull();
    expect((await visitor.get('/members')).status).toBe(302);
  });
});
