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
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
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
  readonly clock: ManualClock;
  readonly store: SessionStore;
  readonly events: readonly RecordedEvent[];
  /** From now on the neighbour answers with such Set-Cookie headers. */
  toss(...cookies: readonly string[]): void;
  close(): Promise<void>;
}

/** Opens both, each with the certificate that it signed itself. */
export async function openHttpsSite(options: Partial<SessionOptions> = {}): Promise<HttpsSite> {
  const certificate = selfSigned(HOST, EVIL);
  const clock = new ManualClock(Date.now());
  const key = Buffer.alloc(32, 'key of the browser tests');
  @Module({
    imports: [
      SessionModule.forRoot({ key, clock, backend: MemorySessionBackend, cleanup: false, ...options }),
    ],
    controllers: [SiteController],
  })
  class SiteModule {}
  const app: INestApplication = await NestFactory.create(SiteModule, {
    httpsOptions: certificate,
    logger: false,
    abortOnError: false,
    forceCloseConnections: true,
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
