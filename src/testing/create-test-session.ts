import { MemorySessionBackend } from '../backends/memory/memory-session-backend.js';
import type { UserId } from '../core/identifiers.js';
import type { JsonObject } from '../core/json-data.js';
import type { SessionData } from '../core/session-data.js';
import { SessionStore } from '../core/session-store.js';
import { SessionHandle } from '../http/session/session-handle.js';
import { RequestSessionState } from '../http/session/request-session-state.js';
import type { RequestSession } from '../http/session.interface.js';

/**
 * A session in memory, for calling a controller's method directly. Everything works as in a request; only the cookie
 * goes nowhere, and there is no response that could fail: a rejection that nobody awaits is an unhandled one, which the
 * test runner reports.
 *
 * @param options.userId signed in as that user; otherwise anonymous
 */
export async function createTestSession<T extends object = SessionData>(
  options: { userId?: UserId; data?: Partial<T> } = {},
): Promise<RequestSession<T>> {
  const store = new SessionStore(new MemorySessionBackend(), { plaintext: 'even-in-production' });
  const { manager } = store;
  const context = {
    isUse: () => true,
    persistent: true,
    acceptsBearer: true,
    describeClient: (own: JsonObject) => own,
    canCarryCookie: () => true,
  };
  if (options.userId === undefined && options.data === undefined) {
    return new SessionHandle<T>(new RequestSessionState(manager, context, null));
  }
  const { token } = await store.create({}, options.userId ?? null, options.data ?? {});
  const resolved = await manager.resolver.resolve(token);
  return new SessionHandle<T>(new RequestSessionState(manager, context, resolved));
}
