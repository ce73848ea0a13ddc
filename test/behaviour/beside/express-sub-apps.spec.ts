import { type MiddlewareConsumer, Module, type NestModule, type Type } from '@nestjs/common';
import type { Express, NextFunction, Request, Response } from 'express';
import { ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { type Session, sessionOf } from 'nest-sessions';
import type { Browser } from '../../support/browser.js';
import { type AppSetup, onEachPlatform, type TestApp } from '../../support/open-app.js';
import type { Route } from '../../support/routes.js';
import { BASICS, dataOf, userOf } from '../../support/session-routes.js';
import { COPIES, type ExpressCopy } from './support/express-copies.js';

type Middleware = (request: Request, response: Response, next: NextFunction) => void;
type Sessions = Record<string, unknown>;

const THIS_FILE = fileURLToPath(import.meta.url);

const sessionIn = (request: Request): Session => {
  const session = sessionOf(request);
  if (session === null) throw new Error('Expected a session, got none');
  return session;
};

const bagOf = (request: Request): Sessions => (request as unknown as { session: Sessions }).session;

/** Ways to answer of an app of Express. */
const ANSWERS: Readonly<Record<string, (response: Response) => void>> = {
  send: (response) => void response.send('answered'),
  json: (response) => void response.json('answered'),
  end: (response) => void response.end('answered'),
  write: (response) => void (response.write('answ'), response.end('ered')),
  writeHead: (response) => void response.writeHead(200, { 'x-by': 'sub' }).end('answered'),
  pipe: (response) => void Readable.from(['answ', 'ered']).pipe(response),
  sendFile: (response) => response.sendFile(THIS_FILE),
};

/** An app that lets everything through but `/sub/…`, where it changes the session, or signs in, and answers. */
function subApp(express: ExpressCopy): Express {
  const sub = express();
  const at = (path: string, handler: Middleware): void => {
    // Nest strips what `consumer.apply` is mounted on.
    sub.use((request: Request, response: Response, next: NextFunction) =>
      request.originalUrl.startsWith(path) ? handler(request, response, next) : next(),
    );
  };
  at('/sub/set', (request, response) => {
    bagOf(request)['theme'] = 'dark';
    ANSWERS[request.query['by'] as string]?.(response);
  });
  at('/sub/data', (request, response) => {
    Object.assign(sessionIn(request).data, { theme: 'dark' });
    ANSWERS[request.query['by'] as string]?.(response);
  });
  at('/sub/in', (request, response, next) => {
    sessionIn(request)
      .authenticate('ada')
      .then(() => response.send('answered'), next);
  });
  at('/sub/fail', (request) => {
    bagOf(request)['theme'] = 'dark';
    throw new Error('an error of the app');
  });
  sub.use((error: Error, request: Request, response: Response, _next: NextFunction) => {
    response.status(500).send(`${error.message}, ${String(bagOf(request)['theme'])}`);
  });
  return sub;
}

/** How an app of Express gets in front of the routes. */
const WAYS: readonly (readonly [string, (express: ExpressCopy, sub: Express) => AppSetup])[] = [
  ['handed to app.use', (_express, sub) => used(sub)],
  ['handed to consumer.apply', (_express, sub) => ({ imports: [applying(sub)] })],
  ['in a router', (express, sub) => used(express.Router().use(sub))],
  [
    'called by middleware',
    (_express, sub) => used((request, response, next) => void sub(request, response, next)),
  ],
  ['mounted in another app', (express, sub) => used(express().use(sub))],
  ['called by another app', (express, sub) => used(express().use((q, s, n) => void sub(q, s, n)))],
];

function used(middleware: Middleware): AppSetup {
  return { prepare: (app) => void app.use(middleware) };
}

function applying(middleware: Middleware): Type {
  @Module({})
  class ApplyingModule implements NestModule {
    configure(consumer: MiddlewareConsumer): void {
      consumer.apply(middleware).forRoutes('{*path}');
    }
  }
  return ApplyingModule;
}

/** What a browser gets that waits for a change, which is not saved before `method` of storage has gone on. */
async function heldBack(
  { browser, storage }: TestApp,
  method: 'insert' | 'save',
  visitor: Browser,
  path: string,
) {
  const held = storage.hold(method);
  const change = await visitor.start('POST', path, { body: { theme: 'dark' } });
  await held.reached;
  for (let turn = 0; turn < 3; turn++) await browser().get('/plain');
  expect(change.hasBegun()).toBe(false);
  held.release();
  return change.reply;
}

describe.each(COPIES)('an app of %s', (_copy, express) => {
  onEachPlatform("with mount: 'middleware'", (open) => {
    describe.each(WAYS)('%s', (_way, setup) => {
      const openWithSub = (): Promise<TestApp> =>
        open({ options: { mount: 'middleware' }, routes: BASICS, ...setup(express, subApp(express)) });

      it('lets the first request through, a sign-in of somebody who is signed in, with its cookie', async () => {
        const before = await open({ routes: BASICS });
        const { storage } = before;
        const visitor = before.browser();
        await visitor.post('/do/in?user=ada');
        const options = { mount: 'middleware' } as const;
        const opened = await open({ storage, options, routes: BASICS, ...setup(express, subApp(express)) });
        const member = opened.browser();
        member.jar = visitor.jar;
        expect((await member.post('/do/in?user=bob')).setCookies).toHaveLength(1);
        expect(await userOf(member)).toBe('bob');
        await heldBack(opened, 'save', member, '/do/set');
      });

      it('lets sign-ins through with their cookie, and changes when they are saved', async () => {
        const opened = await openWithSub();
        const visitor = opened.browser();
        expect((await visitor.get('/plain')).status).toBe(200);
        expect((await visitor.post('/do/in?user=ada')).setCookies).toHaveLength(1);
        await heldBack(opened, 'save', visitor, '/do/set');
        expect([await userOf(visitor), await dataOf(visitor)]).toEqual(['ada', { theme: 'dark' }]);
      });

      it('answers, in whatever way, when what it changed is saved', async () => {
        const opened = await openWithSub();
        for (const by of Object.keys(ANSWERS)) {
          const visitor = opened.browser();
          const { status, setCookies, text } = await heldBack(opened, 'insert', visitor, `/sub/set?by=${by}`);
          expect([by, status, setCookies.length, text.includes('answered')]).toEqual([by, 200, 1, true]);
          expect(await dataOf(visitor)).toEqual({ theme: 'dark' });
        }
      });

      it('signs in, and has req.session in its error handlers', async () => {
        const { browser } = await openWithSub();
        const visitor = browser();
        expect((await visitor.post('/sub/in')).setCookies).toHaveLength(1);
        expect((await visitor.post('/sub/fail')).text).toBe('an error of the app, dark');
        expect([await userOf(visitor), await dataOf(visitor)]).toEqual(['ada', { theme: 'dark' }]);
      });
    });
  });

  onEachPlatform("with mount: 'guard'", (open) => {
    /** A handler that changes the session and leaves the answer to the app. */
    const handing =
      (sub: Express): Route =>
      ({ session, request, query }, response) => {
        session.data.theme = 'dark';
        const raw = (request.raw ?? request) as unknown as Request;
        raw.url = raw.originalUrl = `/sub/${query['path']}?by=${query['by']}`;
        sub(raw, response as Response);
      };

    it('that a handler calls answers, in whatever way, when changes are saved', async () => {
      const opened = await open({ routes: { ...BASICS, sub: handing(subApp(express)) } });
      for (const by of Object.keys(ANSWERS)) {
        const visitor = opened.browser();
        const reply = await heldBack(opened, 'insert', visitor, `/raw/sub?path=data&by=${by}`);
        expect([by, reply.status, reply.setCookies.length]).toEqual([by, 200, 1]);
        expect(reply.text).toContain('answered');
        expect(await dataOf(visitor)).toEqual({ theme: 'dark' });
      }
    });

    it('that a handler calls signs in', async () => {
      const { browser } = await open({ routes: { ...BASICS, sub: handing(subApp(express)) } });
      const visitor = browser();
      expect((await visitor.post('/raw/sub?path=in')).setCookies).toHaveLength(1);
      expect([await userOf(visitor), await dataOf(visitor)]).toEqual(['ada', { theme: 'dark' }]);
    });

    it('in front of the guard takes no cookie away', async () => {
      const { browser } = await open({ routes: BASICS, ...used(subApp(express)) });
      const visitor = browser();
      for (const path of ['/plain', '/do/see', '/plain']) await visitor.get(path);
      expect((await visitor.post('/do/in?user=ada')).setCookies).toHaveLength(1);
      expect(await userOf(visitor)).toBe('ada');
    });
  });
});

describe.each(['guard', 'middleware'] as const)("with mount: '%s'", (mount) => {
  onEachPlatform('middleware that gives a response a prototype of its own', (open) => {
    it('takes no cookie away, and answers when changes are saved', async () => {
      class Response extends ServerResponse {}
      const opened = await open({
        options: { mount },
        routes: {
          ...BASICS,
          mine: ({ session, query }, response) => {
            session.data.theme = query['theme'];
            Object.setPrototypeOf(response, Response.prototype);
            response.end('answered');
          },
        },
        prepare: (app) => {
          app.use((_request: object, response: object, next: () => void) => {
            const before = Object.getPrototypeOf(response) as object;
            Object.setPrototypeOf(response, Response.prototype);
            queueMicrotask(() => {
              Object.setPrototypeOf(response, before);
              next();
            });
          });
        },
      });
      const visitor = opened.browser();
      expect((await visitor.post('/do/in?user=ada')).setCookies).toHaveLength(1);
      const reply = await heldBack(opened, 'save', visitor, '/raw/mine?theme=dark');
      expect(reply.text).toBe('answered');
      expect(await dataOf(visitor)).toEqual({ theme: 'dark' });
    });
  });
});
