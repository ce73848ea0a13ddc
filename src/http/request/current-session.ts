import type { SessionData } from '../../core/session-data.js';
import { currentCarrier } from '../platform/carrier.js';
import type { RequestSession } from '../session.interface.js';
import { exchangeOf, sessionOf } from './session-of.js';

/*
 * The session of the request that is being served, for code that has neither the request nor its context at hand.
 */

/**
 * The session of the request that is being served, or of the message over a socket that is being handled, wherever that is
 * asked: in a service, and in guards, interceptors, pipes, resolvers and filters, without passing it along. In middleware, if
 * `mount` is `'middleware'`. In `handleConnection` of a gateway it is the session as it was when the socket was opened.
 *
 * `null` where `sessionOf()` is: on `@SkipSession()` routes, and before the session is loaded. Also in a job, a timer that
 * no request has set, or `main.ts`; and once the response is over and the handler has ended, since from then on a callback
 * may run on behalf of a request that has nothing to do with what it is called for, such as the one that opened a connection
 * of a pool.
 *
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
  if (request === undefined || exchangeOf(request)?.isOver === true) return null;
  return sessionOf<T>(request);
}
