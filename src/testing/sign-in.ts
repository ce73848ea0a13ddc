import type { INestApplicationContext } from '@nestjs/common';
import { toUserId, type UserId } from '../core/identifiers.js';
import { toJsonObject } from '../core/json-data.js';
import { NO_FLASHES } from '../core/merge-changes.js';
import { SessionRecord } from '../core/session-record.js';
import { SessionStore } from '../core/session-store.js';
import type { Transport } from '../core/session-token.js';
import type { HttpRuntime } from '../http/http-runtime.js';
import { HTTP_RUNTIME } from '../http/session.guard.js';

/** A signed-in client. */
export interface SignedIn {
  /** A Cookie header, for `supertest(...).set('Cookie', cookie)` or `app.inject({ headers: { cookie } })`. */
  readonly cookie: string;
  readonly session: SessionRecord;
}

/** A signed-in client without cookies. */
export interface SignedInBearer {
  /** An Authorization header, for `supertest(...).set('Authorization', authorization)`. */
  readonly authorization: string;
  readonly session: SessionRecord;
}

/** Options of `signIn`. */
export interface SignInOptions {
  /** What the session holds. @default {} */
  readonly data?: object;
  /** `'bearer'`: a client without cookies. @default 'cookie' */
  readonly transport?: Transport;
}

/** Signs in a client without cookies: its Authorization header. */
export function signIn(
  app: Pick<INestApplicationContext, 'get'>,
  userId: UserId,
  options: SignInOptions & { readonly transport: 'bearer' },
): Promise<SignedInBearer>;
/** Signs a user in without a request, on a running app that imports `SessionModule`: a Cookie header. */
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
