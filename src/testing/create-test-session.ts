import { MemorySessionBackend } from '../backends/memory/memory-session-backend.js';
import type { UserId } from '../core/identifiers.js';
import type { SessionData } from '../core/session-data.js';
import { SessionStore } from '../core/session-store.js';
import { SessionHandle } from '../http/session/session-handle.js';
import type { RequestFacts } from '../http/session/request-facts.js';
import {
  type LoadedSession,
  NO_SESSION,
  RequestSessionState,
} from '../http/session/request-session-state.js';
import type { RequestSession } from '../http/session.interface.js';

/**
 * Makes a session in memory, for calling a controller's method directly. Everything works as in a request; only the cookie
 * goes nowhere, and there is no response that could fail: a rejection that nobody awaits is an unhandled one, which the
 * test runner reports.
 *
 * @param options.userId signed in as that user. @default nobody is signed in
 * @param options.data what the session holds. @default {}
 * @example
 * ```ts
 * export class CartController {
 *   empty(session: Session) {
 *     session.remove('cart');
 *   }
 * }
 *
 * const ada = await createTestSession({ userId: 'ada', data: { cart: [{ sku: 'tea', count: 1 }] } });
 * new CartController().empty(ada);
 * console.log(ada.data, ada.userId); // {} 'ada'
 * ```
 */
export async function createTestSession<T extends object = SessionData>(
  options: { userId?: UserId; data?: NoInfer<Partial<T>> } = {},
): Promise<RequestSession<T>> {
  const store = new SessionStore(new MemorySessionBackend(), { plaintext: 'even-in-production' });
  const state = (session: LoadedSession) => new RequestSessionState(store.manager, NO_REQUEST, session, true);
  if (options.userId === undefined && options.data === undefined)
    return new SessionHandle<T>(state(NO_SESSION));
  const { token } = await store.create({}, options.userId ?? null, options.data ?? {});
  const resolved = await store.parts.resolver.resolve(token);
  return new SessionHandle<T>(state({ ...NO_SESSION, resolved }));
}

/** What a session is told where there is no request: nothing is refused, and no response could fail. */
export const NO_REQUEST: RequestFacts = {
  persistent: true,
  acceptsBearer: true,
  isBearer: false,
  isCookieWithheld: false,
  isCrossSiteChange: false,
  isCookieless: false,
  describeClient: (own) => own,
  clientFamily: () => undefined,
  refusalOf: () => null,
  acceptsData: () => true,
  checkData: () => undefined,
  log: null,
};
