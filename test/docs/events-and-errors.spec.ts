import {
  Body,
  ConsoleLogger,
  Controller,
  type ExceptionFilter,
  Get,
  type INestApplication,
  Logger,
  Module,
  Post,
  type Type,
  UseFilters,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { join } from 'node:path';
import { randomBytes } from 'node:crypto';
import { Session, SessionModule } from 'nest-sessions';
import { ManualClock, MemorySessionBackend } from 'nest-sessions/testing';
import { Browser } from '../support/browser.js';
import { ROOT } from './compile.js';
import { Document } from './document.js';
import { openWorkplace } from './run.js';

const page = Document.read(join(ROOT, 'docs/events-and-errors.md'));
const workplace = openWorkplace(page.snippets);
const { SessionLog } = (await workplace.run('session-log.ts')) as { SessionLog: Type };
const { LimitFilter } = (await workplace.run('limit.filter.ts')) as { LimitFilter: Type<ExceptionFilter> };
afterAll(() => workplace.close());

@Controller()
class Accounts {
  @Post('login')
  login(@Session() session: Session, @Body() body: { name: string }) {
    return session.authenticate(body.name);
  }

  @Post('form')
  @UseFilters(LimitFilter)
  form(@Session() session: Session, @Body() body: { name: string }) {
    return session.authenticate(body.name);
  }

  @Get('me')
  me(@Session() session: Session) {
    return { userId: session.userId };
  }

  @Post('logout')
  logout(@Session() session: Session) {
    return session.logout();
  }
}

const lines: string[] = [];
class Lines extends ConsoleLogger {
  override log(message: unknown, context?: string): void {
    if (context === 'sign-ins') lines.push(`log ${String(message)}`);
  }
  override warn(message: unknown, context?: string): void {
    if (context === 'sign-ins') lines.push(`warn ${String(message)}`);
  }
  override error(): void {}
}

describe('docs/events-and-errors.md', () => {
  const clock = new ManualClock('2030-01-01T12:00:00Z');
  let app: INestApplication;
  let browser: Browser;

  beforeAll(async () => {
    const sessions = SessionModule.forRoot({
      key: randomBytes(32),
      backend: new MemorySessionBackend(),
      clock,
      maxPerUser: 2,
      onLimit: 'reject',
      rotation: { every: '1h' },
    });
    @Module({ imports: [sessions], controllers: [Accounts], providers: [SessionLog] })
    class App {}
    app = await NestFactory.create(App, { logger: new Lines() });
    await app.listen(0);
  });
  beforeEach(async () => {
    lines.length = 0;
    browser = new Browser(Number(new URL(await app.getUrl()).port));
  });
  afterAll(async () => {
    await app.close();
    Logger.overrideLogger(false);
  });

  it('logs sign-ins and ends of sessions', async () => {
    await browser.post('/login', { name: 'ada' });
    await browser.post('/logout');
    expect(lines).toEqual([
      expect.stringMatching(/^log ada signed in from (?:::ffff:)?127\.0\.0\.1$/),
      'log A session of ada ended: logout',
    ]);
  });

  it('logs a stolen token, and that the session ended for it', async () => {
    await browser.post('/login', { name: 'eve' });
    const thief = await browser.copy();
    clock.advance('61m');
    await browser.get('/me'); // answered with a new token
    await browser.get('/me'); // and that one is used
    clock.advance('2m');
    lines.length = 0;
    await thief.get('/me');
    expect(lines.toSorted()).toEqual([
      'log A session of eve ended: reuse',
      expect.stringMatching(/^warn A stolen token of eve, from /),
    ]);
  });

  it('answers a sign-in over the limit with the body of the page, and with a redirect where the filter is', async () => {
    const { port } = browser;
    for (const one of [browser, new Browser(port)]) await one.post('/login', { name: 'bob' });
    const third = new Browser(port);
    const refused = await third.post('/login', { name: 'bob' });
    const [, shown = ''] = /```json\n([^]*?)\n```/.exec(page.text) ?? [];
    expect(refused.json()).toEqual(JSON.parse(shown));
    expect(refused.status).toBe(409);

    const led = await third.post('/form', { name: 'bob' });
    expect([led.status, led.headers.location]).toEqual([303, '/devices?full']);
  });
});
