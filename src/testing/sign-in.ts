import type { INestApplicationContext } from '@nestjs/common';
import type { UserId } from '../core/identifiers.js';
import type { SessionRecord } from '../core/session-record.js';
import { SessionStore } from '../core/session-store.js';
import type { HttpRuntime } from '../http/session-runtime.js';
import { HTTP_RUNTIME } from '../http/session.guard.js';

/** A signed-in client. */
export interface SignedIn {
  /** A Cookie header, for `supertest(...).set('Cookie', cookie)` or `app.inject({ headers: { cookie } })`. */
  readonly cookie: string;
  readonly session: SessionRecord;
}

/** Signs a user in without a request, on a running app that imports `SessionModule`. */
export async function signIn(
  app: Pick<INestApplicationContext, 'get'>,
  userId: UserId,
  { data = {} }: { data?: object } = {},
): Promise<SignedIn> {
  const { options } = app.get<HttpRuntime>(HTTP_RUNTIME, { strict: false });
  const { session, token } = await app.get(SessionStore, { strict: false }).create({}, userId, data);
  return { session, cookie: `${options.cookie.name}=${token.reveal()}` };
}
