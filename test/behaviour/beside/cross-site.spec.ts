import flash from 'connect-flash';
import type { Request } from 'express';
import passport from 'passport';
import { Strategy } from 'passport-local';
import type { SessionOptions } from 'nest-sessions';
import type { Browser } from '../../support/browser.js';
import { dataOf, refusal, userOf } from '../../support/session-routes.js';
import { rowsOf } from '../../support/storage.js';
import { closeEngines, type Handler, openOn, route, sessionIn } from './support/engines.js';

afterEach(closeEngines);

const FOREIGN = { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', origin: 'https://evil.test' };
const REFUSED = { status: 403, code: 'cross_site_request' };

type Flashing = Request & { flash(type: string, text: string): unknown };

/** Routes of plain Express that answer by themselves, so that no guard is asked. */
const STEPS: Readonly<Record<string, Handler>> = {
  write: (request, response) => {
    sessionIn(request)['theme'] = 'dark';
    response.send('done');
  },
  writeAndSave: (request, response, next) => {
    sessionIn(request)['theme'] = 'dark';
    sessionIn(request).save((error) => (error ? next(error) : response.send('done')));
  },
  flash: (request, response) => {
    (request as Flashing).flash('error', 'Wrong password');
    response.redirect('/login');
  },
  stream: (request, response) => {
    sessionIn(request)['theme'] = 'dark';
    response.writeHead(200, { 'Content-Type': 'text/plain' });
    response.write('do');
    response.end('ne');
  },
  logIn: (request, response, next) =>
    request.logIn({ id: 'mallory' }, (error) => (error ? next(error) : response.send('done'))),
  logOut: (request, response, next) =>
    request.logout((error) => (error ? next(error) : response.send('done'))),
  regenerate: (request, response, next) =>
    sessionIn(request).regenerate((error) => (error ? next(error) : response.send('done'))),
  destroy: (request, response, next) =>
    sessionIn(request).destroy((error) => (error ? next(error) : response.send('done'))),
};

function openSteps(options: Partial<SessionOptions> = {}) {
  const auth = new passport.Passport();
  auth.use(new Strategy((name, _password, done) => done(null, { id: name })));
  auth.serializeUser((user, done) => done(null, user));
  auth.deserializeUser((user: unknown, done) => done(null, user as Express.User));
  return openOn(
    'nest-sessions',
    (app) => {
      app.use(flash());
      app.use(auth.initialize());
      app.use(auth.session());
      app.use(route('POST', '/login', auth.authenticate('local', { successRedirect: '/' }) as Handler));
      for (const [name, step] of Object.entries(STEPS)) app.use(route('POST', `/${name}`, step));
      app.use((request: Request, _response: unknown, next: () => void) => {
        if (request.query['count'] !== undefined) sessionIn(request)['views'] = 1;
        next();
      });
    },
    options,
  );
}

async function signedIn(browser: () => Browser): Promise<Browser> {
  const ada = browser();
  expect((await ada.post('/login?username=ada&password=secret')).headers.location).toBe('/');
  return ada;
}

describe('a page of another site, at middleware that answers by itself,', () => {
  it.each(['write', 'writeAndSave', 'flash', 'stream', 'logIn', 'login?username=mallory&password=secret'])(
    'begins no session: %s',
    async (path) => {
      const { browser, storage } = await openSteps();
      const reply = await browser().post(`/${path}`, {}, FOREIGN);
      expect([refusal(reply), reply.setCookies, reply.headers.location]).toEqual([REFUSED, [], undefined]);
      expect(storage.calls).toEqual([]);
    },
  );

  it.each(Object.keys(STEPS))('changes none that the cookie reached: %s', async (path) => {
    const { browser, storage } = await openSteps();
    const ada = await signedIn(browser);
    const [before] = rowsOf(storage);
    storage.forget();
    const reply = await ada.post(`/${path}`, {}, FOREIGN);
    expect([refusal(reply), reply.setCookies]).toEqual([REFUSED, []]);
    expect(storage.calls).toEqual(['find']);
    expect(rowsOf(storage)).toEqual([before]);
    expect(await userOf(ada)).toBe('ada');
  });

  it('is served where nothing is kept', async () => {
    const { browser } = await openSteps();
    for (const path of ['/logOut', '/regenerate', '/destroy'])
      expect((await browser().post(path, {}, FOREIGN)).text).toBe('done');
  });
});

describe('a page of another site, behind middleware that writes and goes on,', () => {
  it('is refused once, and the change is forgotten', async () => {
    const { browser, storage, log } = await openSteps();
    const ada = await signedIn(browser);
    storage.forget();
    expect(refusal(await ada.post('/do/see?count', {}, FOREIGN))).toEqual(REFUSED);
    expect(refusal(await browser().post('/do/see?count', {}, FOREIGN))).toEqual(REFUSED);
    expect(storage.calls).toEqual(['find']);
    expect(await dataOf(ada)).not.toHaveProperty('views');
    expect(log.lines.filter(({ message }) => message.includes('`csrf`'))).toHaveLength(1);
  });

  it('visits by a link, with a Strict cookie, and is answered without a session', async () => {
    const { browser, storage } = await openSteps({ cookie: { sameSite: 'strict' } });
    const headers = { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' };
    const reply = await browser().get('/do/see?count', { headers });
    expect([reply.status, reply.setCookies]).toEqual([200, []]);
    expect(storage.calls).toEqual([]);
  });
});
