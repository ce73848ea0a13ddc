import { runWithin } from '../http/platform/carrier.js';
import { keepExchange } from '../http/request/session-of.js';
import type { SessionExchange } from '../http/request/session-exchange.js';
import type { RequestSession } from '../http/session.interface.js';

/**
 * Calls `work`, and whatever it starts, as in a request with that session: `currentSession()` is it, for a unit test of a
 * service. `null`: a request without a session.
 *
 * @param session as `createTestSession()` makes it
 * @returns what `work` returns
 * @example
 * ```ts
 * export class Greeting {
 *   say() {
 *     return `Hello, ${currentSession()?.userId ?? 'visitor'}`;
 *   }
 * }
 *
 * const ada = await createTestSession({ userId: 'ada' });
 * runWithSession(ada, () => new Greeting().say()); // 'Hello, ada'
 * ```
 */
export function runWithSession<T extends object, R>(session: RequestSession<T> | null, work: () => R): R {
  const request = {};
  const exchange = { session, isOver: false, state: { noteRead: () => undefined } };
  if (session !== null) keepExchange(request, exchange as unknown as SessionExchange);
  return runWithin(request, work);
}
