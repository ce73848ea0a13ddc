import { Controller, Get, Inject, Post, Query, Req, Res } from '@nestjs/common';
import { betterAuth } from 'better-auth';
import { getMigrations } from 'better-auth/db/migration';
import { fromNodeHeaders } from 'better-auth/node';
import Database from 'better-sqlite3';
import type { IncomingHttpHeaders } from 'node:http';
import { join } from 'node:path';
import type { Parts } from './application.js';
import { dataOf, type ReadAnswer } from './fill.js';
import type { ServerSettings } from './settings.js';

const AUTH = Symbol('better-auth');

interface WithHeaders {
  readonly headers: IncomingHttpHeaders;
}

/** A response of either platform. */
interface WithHeader {
  header(name: string, value: string): unknown;
}

/**
 * No cookie cache: a session that has been revoked stays valid in it. No `joins`: in a database without a network, one
 * SELECT with a join takes no less than the two SELECTs that are the default.
 */
function createAuth(file: string) {
  const database = new Database(file);
  database.pragma('journal_mode = WAL');
  database.pragma('synchronous = FULL');
  return betterAuth({
    database,
    baseURL: 'http://127.0.0.1',
    secret: 'a secret of the benchmark, 32 characters',
    session: {
      cookieCache: { enabled: false },
      additionalFields: { data: { type: 'json', required: false } },
    },
    // Sign-ins are not measured, so their hash may be cheap.
    emailAndPassword: { enabled: true, password: { hash: async (password) => password } },
    rateLimit: { enabled: false },
    telemetry: { enabled: false },
    logger: { level: 'error' },
  });
}

@Controller()
class BetterAuthController {
  constructor(@Inject(AUTH) private readonly auth: ReturnType<typeof createAuth>) {}

  /** As its documentation says for Node. */
  @Get('read')
  async read(@Req() request: WithHeaders): Promise<ReadAnswer> {
    const found = await this.auth.api.getSession({ headers: fromNodeHeaders(request.headers) });
    const { theme = 'light', cart = [] } = found?.session.data ?? {};
    return { theme, items: cart.length };
  }

  @Post('login')
  async login(
    @Res({ passthrough: true }) response: WithHeader,
    @Query('user') user: string,
    @Query('bytes') bytes: string,
  ): Promise<{ ok: boolean }> {
    const { headers } = await this.auth.api.signUpEmail({
      body: { name: user, email: `${user}@example.com`, password: 'a password' },
      returnHeaders: true,
    });
    const cookie = headers.getSetCookie()[0] ?? '';
    await this.auth.api.updateSession({
      body: { data: dataOf(Number(bytes)) },
      headers: new Headers({ cookie: cookie.split(';')[0] ?? '' }),
    });
    response.header('set-cookie', cookie);
    return { ok: true };
  }
}

/** better-auth on SQLite: as durable as ours, with tokens and data in clear text. */
export function betterAuthSessions({ folder, table }: ServerSettings): Parts {
  const auth = createAuth(join(folder, `${table}.sqlite`));
  return {
    controller: BetterAuthController,
    providers: [{ provide: AUTH, useValue: auth }],
    install: async () => (await getMigrations(auth.options)).runMigrations(),
  };
}
