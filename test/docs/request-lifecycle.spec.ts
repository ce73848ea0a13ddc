import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { Server, ServerResponse } from 'node:http';
import { join } from 'node:path';
import { Controller, Get, type INestApplication, Module, Post } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  RequireAuth,
  type SessionBackend,
  Session,
  SessionModule,
  SessionStore,
  SkipSession,
} from 'nest-sessions';
import { ManualClock, MemorySessionBackend } from 'nest-sessions/testing';
import { Browser } from '../support/browser.js';
import { ROOT } from './compile.js';
import { codeIn, Document } from './document.js';

/** A storage that writes down how it is called. */
function recorded(calls: string[]): SessionBackend {
  return new Proxy(new MemorySessionBackend(), {
    get(target, name) {
      const member: unknown = Reflect.get(target, name, target);
      if (typeof member !== 'function') return member;
      return (...args: unknown[]): unknown => {
        const answer: unknown = Reflect.apply(member, target, args);
        if (answer instanceof Promise) calls.push(String(name)); // not what it knows without asking
        return answer;
      };
    },
  });
}

@Controller()
class Routes {
  @Get('nothing')
  nothing() {
    return 'nothing';
  }

  @Get('read')
  @RequireAuth()
  read(@Session() session: Session) {
    return session.get('theme') ?? 'none';
  }

  @Get('list')
  list(@Session() session: Session) {
    return session.list();
  }

  @Post('theme')
  theme(@Session() session: Session) {
    session.set('theme', session.get('theme') === 'dark' ? 'light' : 'dark');
  }

  @Post('update')
  update(@Session() session: Session) {
    return session.update((data) => void (data.theme = 'dark'));
  }

  @Post('login')
  login(@Session() session: Session) {
    return session.authenticate('ada');
  }

  @Post('logout')
  logout(@Session() session: Session) {
    return session.logout();
  }

  @Get('skipped')
  @SkipSession()
  skipped() {
    return 'skipped';
  }
}

describe('docs/request-lifecycle.md, "What a request costs"', () => {
  const { rows } = Document.read(join(ROOT, 'docs/request-lifecycle.md')).tableUnder('What a request costs');
  const calls: string[] = [];
  /** What is over when the server is done with a response, which is after its client is. */
  const responses: Promise<unknown>[] = [];
  const clock = new ManualClock('2030-01-01T12:00:00Z');
  let app: INestApplication;
  let port: number;

  beforeAll(async () => {
    const sessions = SessionModule.forRoot({
      key: randomBytes(32),
      backend: recorded(calls),
      clock,
      ttl: '10h',
      touchInterval: '5m',
      rotation: { every: '1h', grace: '30s' },
      cleanup: false,
    });
    @Module({ imports: [sessions], controllers: [Routes] })
    class App {}
    app = await NestFactory.create(App, { logger: false });
    const server = app.getHttpServer() as Server;
    server.on('request', (_request, response: ServerResponse) => responses.push(once(response, 'close')));
    await app.listen(0);
    port = Number(new URL(await app.getUrl()).port);
  });
  afterAll(() => app.close());

  /** What storage is called for, while something is done, and by the record of use behind it. */
  async function during(work: () => Promise<{ status: number }>): Promise<string[]> {
    calls.length = 0;
    expect((await work()).status).toBeLessThan(300);
    await Promise.all(responses.splice(0));
    await app.get(SessionStore).parts.touches.drain();
    return [...calls];
  }
  /** Behind its sign-in, with nothing under way. */
  async function signedIn(): Promise<Browser> {
    const browser = new Browser(port);
    await during(() => browser.post('/login'));
    return browser;
  }

  const made: Readonly<Record<string, () => Promise<string[]>>> = {
    'Without a cookie, and nothing is kept': () => during(() => new Browser(port).get('/nothing')),
    'With a forged cookie': async () => {
      const browser = new Browser(port);
      await browser.plant('forged');
      return during(() => browser.get('/nothing'));
    },
    'To a route with `@SkipSession()`': async () => {
      const browser = await signedIn();
      return during(() => browser.get('/skipped'));
    },
    'With a session that it only reads': async () => {
      const browser = await signedIn();
      return during(() => browser.get('/read'));
    },
    'The same, the first in a `touchInterval`': async () => {
      const browser = await signedIn();
      clock.advance('6m');
      return during(() => browser.get('/read'));
    },
    'It changes the data': async () => {
      const browser = await signedIn();
      return during(() => browser.post('/theme'));
    },
    'It changes the data by `update(fn)`': async () => {
      const browser = await signedIn();
      return during(() => browser.post('/update'));
    },
    'It keeps the first thing of a visitor': () => during(() => new Browser(port).post('/theme')),
    'It signs in a visitor for whom nothing was kept': () => during(() => new Browser(port).post('/login')),
    'It signs in a visitor with a session': async () => {
      const browser = new Browser(port);
      await during(() => browser.post('/theme'));
      return during(() => browser.post('/login'));
    },
    'It signs out': async () => {
      const browser = await signedIn();
      return during(() => browser.post('/logout'));
    },
    'It lists the sessions of the user': async () => {
      const browser = await signedIn();
      return during(() => browser.get('/list'));
    },
    'Its token is due for rotation': async () => {
      const browser = await signedIn();
      clock.advance('61m');
      return during(() => browser.get('/read'));
    },
    'It is the first with a rotated token': async () => {
      const browser = await signedIn();
      clock.advance('61m');
      await during(() => browser.get('/read'));
      return during(() => browser.get('/read'));
    },
  };

  it('has a row for each kind of request that is made here', () => {
    expect(rows.map(([kind]) => kind)).toEqual(Object.keys(made));
  });

  it.each(Object.keys(made))('counts every call to storage: %s', async (kind) => {
    const [, cell = ''] = rows.find(([name]) => name === kind) ?? [];
    expect(await made[kind]!()).toEqual(codeIn(cell));
  });
});
