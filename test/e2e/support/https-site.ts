import {
  Body,
  Controller,
  Get,
  Header,
  type INestApplication,
  Module,
  Post,
  Redirect,
  Req,
  type Type,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import {
  Public,
  RequireAuth,
  Session,
  SessionModule,
  type SessionOptions,
  SessionStore,
  UserId,
} from 'nest-sessions';
import { ManualClock, MemorySessionBackend } from 'nest-sessions/testing';
import { type RecordedEvent, recordEvents } from '../../core/support/open-store.js';
import { selfSigned } from './self-signed.js';

/** Where the site is. Chromium is told that all of `.test` is here. */
export const HOST = 'shop.test';
/** A neighbour that somebody else has taken over. */
export const EVIL = 'evil.shop.test';
/** A site of somebody else. */
export const RIVAL = 'rival.test';

/** What visitors leave behind. */
interface Kept {
  item?: string;
  campaign?: string;
}

const page = (body: string): string => `<!doctype html><meta charset="utf-8"><title>Shop</title>${body}`;

@Controller()
@RequireAuth()
class SiteController {
  @Get()
  @Public()
  @Header('Content-Type', 'text/html')
  home(@Session() session: Session, @Req() { headers }: { headers: { cookie?: string } }): string {
    const who = session.userId ?? 'nobody';
    const form = `<form method="post" action="/login"><input name="name"><button>Sign in</button></form>`;
    return page(`<p id="who">${who}</p><p id="cookie">${headers.cookie ?? ''}</p>${form}`);
  }

  @Post('login')
  @Public()
  @Redirect('/account', 303)
  login(@Body() body: { name: string }, @Session() session: Session): Promise<void> {
    return session.authenticate(body.name);
  }

  /** A login that fails, with words for the next page. */
  @Post('fail')
  @Public()
  @Redirect('/', 303)
  fail(@Session() session: Session): void {
    session.flash('error', 'Wrong password');
  }

  @Post('cart')
  @Public()
  add(@Session() session: Session<Kept>): void {
    session.set('item', 'tea');
  }

  /** A page that keeps where its visitor came from. */
  @Get('landing')
  @Public()
  @Header('Content-Type', 'text/html')
  landing(@Session() session: Session<Kept>, @Req() { headers }: { headers: { cookie?: string } }): string {
    session.set('campaign', 'a link');
    const who = session.userId ?? 'nobody';
    return page(`<p id="who">${who}</p><p id="cookie">${headers.cookie ?? ''}</p>`);
  }

  @Get('account')
  @Header('Content-Type', 'text/html')
  account(@UserId() userId: string): string {
    return page(
      `<p id="who">${userId}</p><p id="secret">The secret of ${userId}</p>` +
        '<form method="post" action="/logout"><button>Sign out</button></form>',
    );
  }

  /** As an app would have it that sets the header by itself. */
  @Get('cached')
  @Header('Content-Type', 'text/html')
  @Header('Cache-Control', 'private, max-age=600')
  cached(@UserId() userId: string): string {
    return this.account(userId);
  }

  @Post('logout')
  @Redirect('/', 303)
  logout(@Session() session: Session): Promise<void> {
    return session.logout();
  }

  @Get('devices')
  async devices(@Session() session: Session): Promise<number> {
    return (await session.list()).length;
  }
}

/** A site on https, its clock, and the neighbour. */
export interface HttpsSite {
  readonly url: string;
  readonly evilUrl: string;
  /** The same neighbour's other address, which is of another site. */
  readonly rivalUrl: string;
  readonly clock: ManualClock;
  readonly store: SessionStore;
  readonly events: readonly RecordedEvent[];
  /** From now on the neighbour answers with such Set-Cookie headers. */
  toss(...cookies: readonly string[]): void;
  close(): Promise<void>;
}

const APP_OPTIONS = { logger: false, abortOnError: false, forceCloseConnections: true } as const;

function siteModule(options: Partial<SessionOptions>): Type {
  const key = Buffer.alloc(32, 'key of the browser tests');
  @Module({
    imports: [SessionModule.forRoot({ key, backend: MemorySessionBackend, cleanup: false, ...options })],
    controllers: [SiteController],
  })
  class SiteModule {}
  return SiteModule;
}

/** Opens the site over plain http, where browsers send no Fetch Metadata, with a Referrer-Policy. */
export async function openPlainSite(policy: string): Promise<{ url: string; close(): Promise<void> }> {
  const app: INestApplication = await NestFactory.create(
    siteModule({ cookie: { secure: false } }),
    APP_OPTIONS,
  );
  app.use((_request: unknown, response: ServerResponse, next: () => void) => {
    response.setHeader('Referrer-Policy', policy);
    next();
  });
  await app.listen(0, '127.0.0.1');
  return { url: `http://${HOST}:${portOf(app.getHttpServer() as Server)}`, close: () => app.close() };
}

/** Opens both, each with the certificate that it signed itself. */
export async function openHttpsSite(options: Partial<SessionOptions> = {}): Promise<HttpsSite> {
  const certificate = selfSigned(HOST, EVIL, RIVAL);
  const clock = new ManualClock(Date.now());
  const app = await NestFactory.create(siteModule({ clock, ...options }), {
    httpsOptions: certificate,
    ...APP_OPTIONS,
  });
  await app.listen(0, '127.0.0.1');
  const tossed: string[] = [];
  const evil = createServer(certificate, (request, response) => {
    response.setHeader('Set-Cookie', tossed).setHeader('Content-Type', 'text/html');
    response.end(page(`<p id="cookie">${request.headers.cookie ?? ''}</p>`));
  });
  await new Promise<void>((resolve) => evil.listen(0, '127.0.0.1', resolve));
  const store = app.get(SessionStore);
  return {
    url: `https://${HOST}:${portOf(app.getHttpServer() as Server)}`,
    evilUrl: `https://${EVIL}:${portOf(evil)}`,
    rivalUrl: `https://${RIVAL}:${portOf(evil)}`,
    clock,
    store,
    events: recordEvents(store),
    toss: (...cookies) => void tossed.splice(0, tossed.length, ...cookies),
    close: async () => {
      evil.closeAllConnections();
      await Promise.all([app.close(), new Promise((resolve) => evil.close(resolve))]);
    },
  };
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}
