import expressSession from 'express-session';
import type { NextFunction, Request, Response } from 'express';
import { onEachPlatform } from '../../support/open-app.js';
import type { Route } from '../../support/routes.js';
import { BASICS, dataOf, userOf } from '../../support/session-routes.js';

type Bag = Record<string, unknown>;

const bagOf = (request: object): Bag => (request as { session: Bag }).session;
const theirs = () =>
  expressSession({ secret: 'of express-session', resave: false, saveUninitialized: false });

/** As middleware of an app does, which knows `req.session` alone. */
function count(request: Request, _response: Response, next: NextFunction): void {
  bagOf(request)['views'] = Number(bagOf(request)['views'] ?? 0) + 1;
  next();
}

const named = (warnings: readonly string[]): string[] =>
  warnings.filter((line) => line.includes('express-session'));

onEachPlatform("express-session beside ours with mount: 'middleware'", (open, platform) => {
  it('leaves requests alone: what the app keeps is ours, and a warning says so, once', async () => {
    const { browser, log } = await open({
      options: { mount: 'middleware' },
      routes: BASICS,
      prepare: (app) => {
        app.use(theirs());
        app.use(count);
      },
    });
    const visitor = browser();
    for (let turn = 0; turn < 3; turn++) await visitor.get('/plain');
    expect(await visitor.cookie('connect.sid')).toBeUndefined();
    expect(await dataOf(visitor)).toEqual({ views: 4 });
    expect(named(log.sessionWarnings)).toEqual([expect.stringContaining("`mount: 'middleware'`")]);
  });

  it('is not warned of where other middleware reads req.session', async () => {
    const { browser, log } = await open({
      options: { mount: 'middleware' },
      routes: BASICS,
      prepare: (app) => void app.use(count),
    });
    await browser().get('/plain');
    expect(log.sessionWarnings).toEqual([]);
  });

  it('is warned of where something else puts its own in place of ours', async () => {
    const { browser, log } = await open({
      options: { mount: 'middleware' },
      routes: BASICS,
      prepare: (app) =>
        void app.use((request: object, _response: object, next: () => void) => {
          Object.defineProperty((request as { raw?: object }).raw ?? request, 'session', {
            value: { of: 'another' },
          });
          next();
        }),
    });
    const visitor = browser();
    for (let turn = 0; turn < 3; turn++) await visitor.post('/do/in?user=ada');
    expect(await userOf(visitor)).toBe('ada');
    // Handlers on Fastify have a request of its own, whose session is ours.
    expect(named(log.sessionWarnings)).toHaveLength(platform === 'express' ? 1 : 0);
  });
});

onEachPlatform("express-session beside ours with mount: 'guard'", (open) => {
  it('has sessions of its own, which the app finds at req.session, and nobody warns', async () => {
    const mine: Route = ({ request }) => bagOf(request.raw ?? request)['views'];
    const { browser, log } = await open({
      routes: { ...BASICS, views: mine },
      prepare: (app) => {
        // Its cookie is not Secure, so that it comes back over http.
        app.use(theirs());
        app.use(count);
      },
    });
    const visitor = browser();
    for (let turn = 0; turn < 2; turn++) await visitor.post('/do/in?user=ada');
    await visitor.post('/do/set', { theme: 'dark' });
    expect((await visitor.get('/do/views')).text).toBe('4');
    expect([await userOf(visitor), await dataOf(visitor)]).toEqual(['ada', { theme: 'dark' }]);
    expect(named(log.sessionWarnings)).toEqual([]);
  });
});
