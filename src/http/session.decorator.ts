import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { SessionData } from '../core/session-data.js';
import { AuthenticationRequiredException } from './session-exceptions.js';
import { sessionOf } from './session-of.js';
import type { RequestSession } from './session.interface.js';

/**
 * `@Session()` gives a handler the session of its request, `@Session('cart')` gives `session.data.cart`.
 *
 * @throws TypeError on a route with `@SkipSession()`, which has none
 */
export const Session = createParamDecorator((key: string | undefined, context: ExecutionContext): unknown => {
  const session = sessionOf(context);
  if (session === null) {
    throw new TypeError(
      '@Session() was used where no session is loaded: on a route with @SkipSession(), or outside HTTP',
    );
  }
  return key === undefined ? session : session.get(key as never);
});

/** The session of one request. */
export type Session<T extends object = SessionData> = RequestSession<T>;

/** `@UserId()` gives a handler the id of the signed-in user, or answers 401. */
export const UserId = createParamDecorator((_: unknown, context: ExecutionContext): string => {
  const userId = sessionOf(context)?.userId ?? null;
  if (userId === null) throw new AuthenticationRequiredException('authentication_required');
  return userId;
});
