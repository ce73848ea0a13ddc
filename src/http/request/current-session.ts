import { SessionOptionsError } from '../../core/session-errors.js';
import type { SessionData } from '../../core/session-data.js';
import { currentCarrier } from '../platform/carrier.js';
import type { RequestSession } from '../session.interface.js';
import { exchangeOf, sessionOf } from './session-of.js';

/*
 * The session of the request that is being served, for code that has neither the request nor its context at hand.
 */

/** Apps with sessions that there are in this process: whether each lets requests be found. */
const apps = new Map<object, boolean>();

/** An app with sessions has been made. @param hasCurrentSession its option `currentSession` */
export function noteApp(app: object, hasCurrentSession: boolean): void {
  apps.set(app, hasCurrentSession);
}

/** An app has been closed. */
export function forgetApp(app: object): void {
  apps.delete(app);
}

/** Whether there are apps, and none lets requests be found. In a unit test there is none. */
function isOff(): boolean {
  return apps.size > 0 && [...apps.values()].every((hasCurrentSession) => !hasCurrentSession);
}

/**
 * The session of the request that is being served, with the option `currentSession`, or of the message or operation over a
 * socket that is being handled, without it: in a service, and in guards, interceptors, pipes, resolvers and filters, without
 * passing it along. Guards of resolvers over a socket have `sessionOf()`. In middleware, if `mount` is `'middleware'`. In `handleConnection` of a gateway it is the session as it was when the socket was opened.
 *
 * `null` where `sessionOf()` is: on `@SkipSession()` routes, and before the session is loaded. Also in a job, a timer that
 * no request has set, or `main.ts`; and once the response is over and the handler has ended, since from then on a callback
 * may run on behalf of a request that has nothing to do with what it is called for, such as the one that opened a connection
 * of a pool.
 *
 * @throws SessionOptionsError in an app without that option, in place of `null` for a user who is signed in
 * @throws SessionHttpException (503), as `sessionOf()` does
 * @example
 * ```ts
 * export class AuditLog {
 *   write(action: string): void {
 *     console.log(`${currentSession()?.userId ?? 'somebody'}: ${action}`);
 *   }
 * }
 * ```
 */
export function currentSession<T extends object = SessionData>(): RequestSession<T> | null {
  const request = currentCarrier();
  if (request === undefined && isOff())
    throw new SessionOptionsError(
      'currentSession(): expected the option `currentSession: true` of SessionModule, got an app without it, whose requests ' +
        'are not found',
    );
  if (request === undefined || exchangeOf(request)?.isOver === true) return null;
  return sessionOf<T>(request);
}
