import type { INestApplicationContext } from '@nestjs/common';
import { toUserId, type UserId } from '../core/identifiers.js';
import { toJsonObject } from '../core/json-data.js';
import { NO_FLASHES } from '../core/merge-changes.js';
import { SessionRecord } from '../core/session-record.js';
import { SessionStore } from '../core/session-store.js';
import type { Transport } from '../core/session-token.js';
import type { HttpRuntime } from '../http/http-options.js';
import { HTTP_RUNTIME } from '../http/session.guard.js';

/** A client that is signed in by cookie. */
export interface SignedIn {
  /** A Cookie header, for `supertest(...).set('Cookie', cookie)` or `app.inject({ headers: { cookie } })`. */
  readonly cookie: string;
  /** The session, as it is stored. */
  readonly session: SessionRecord;
}

/** A client without cookies that is signed in. */
export interface SignedInBearer {
  /** An Authorization header, for `supertest(...).set('Authorization', authorization)`. */
  readonly authorization: string;
  /** The session, as it is stored. */
  readonly session: SessionRecord;
}

/** What `signIn` may be told about the session that it makes. */
export interface SignInOptions {
  /** What the session holds: a JSON object. @default {} */
  readonly data?: object;
  /** `'bearer'`: a client without cookies. @default 'cookie' */
  readonly transport?: Transport;
}

/**
 * Signs in a client without cookies: gives its Authorization header.
 *
 * @example
 * ```ts
 * import type { INestApplication } from '@nestjs/common';
 * import request from 'supertest';
 *
 * export async function readsDevices(app: INestApplication) {
 *   const { authorization } = await signIn(app, 'ada', { transport: 'bearer' });
 *   await request(app.getHttpServer()).get('/devices').set('Authorization', authorization).expect(200);
 * }
 * ```
 */
export function signIn(
  app: Pick<INestApplicationContext, 'get'>,
  userId: UserId,
  options: SignInOptions & { readonly transport: 'bearer' },
): Promise<SignedInBearer>;
/**
 * Signs a user in without a request, on an app that imports `SessionModule` and has been initialised: gives a Cookie
 * header. The limit holds, as for any sign-in. An agent that keeps cookies sends no Secure one over http: tell it the header,
 * by `request.agent(server).set('Cookie', cookie)`.
 *
 * @example
 * ```ts
 * import type { INestApplication } from '@nestjs/common';
 * import request from 'supertest';
 *
 * export async function readsDevices(app: INestApplication) {
 *   const { cookie } = await signIn(app, 'ada', { data: { theme: 'dark' } });
 *   await request(app.getHttpServer()).get('/devices').set('Cookie', cookie).expect(200);
 * }
 * ```
 */
export function signIn(
  app: Pick<INestApplicationContext, 'get'>,
  userId: UserId,
  options?: SignInOptions,
): Promise<SignedIn>;
/** Signs a user in without a request. */
export async function signIn(
  app: Pick<INestApplicationContext, 'get'>,
  userId: UserId,
  { data = {}, transport = 'cookie' }: SignInOptions = {},
): Promise<SignedIn | SignedInBearer> {
  const { options } = app.get<HttpRuntime>(HTTP_RUNTIME, { strict: false });
  const { manager } = app.get(SessionStore, { strict: false });
  const { row, content, token } = await manager.create({
    userId: toUserId(userId),
    meta: {},
    previousId: null,
    changes: { replace: false, set: {}, remove: [], ...NO_FLASHES },
    data: toJsonObject(data),
    persistent: true,
    marks: transport === 'bearer' ? { transport } : undefined,
  });
  const session = new SessionRecord(row, content);
  return transport === 'bearer'
    ? { session, authorization: `Bearer ${token.reveal()}` }
    : { session, cookie: `${options.cookie.name}=${token.reveal()}` };
}
