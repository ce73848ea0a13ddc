import { SessionStoreError } from '../../core/session-errors.js';
import { type FoundSession, isServed, type ResolvedSession } from '../../core/token-resolver.js';
import { TwoTokensException } from '../errors/exceptions.js';
import { toHttpException } from '../errors/to-http-exception.js';
import type { HttpRuntime } from '../http-options.js';
import { arrivalTimeOf } from '../platform/arrival-time.js';
import { type PlatformRequest, routeOf } from '../platform/platform-request.js';
import { bearerOf } from '../security/bearer.js';
import { type LoadedSession, NO_SESSION } from '../session/request-session-state.js';

/** The session that the token of a request led to, or none. */
export interface LoadedToken {
  readonly session: LoadedSession;
  /** Whether the request has a bearer token, genuine or not. */
  readonly isBearer: boolean;
}

/**
 * How many genuine tokens of one request are looked up in storage at most. Values that are no tokens do not count: each
 * costs only a check of its signature, and the size of the header bounds them. So a sibling host that sets cookies of our
 * name (cookie tossing) cannot hide the genuine one behind them.
 */
const MAX_LOOK_UPS = 3;

/** For a request without a token, or whose cookies lead to nothing. */
export const NO_TOKEN: LoadedToken = { session: NO_SESSION, isBearer: false };

/** For a request whose bearer token leads to nothing. */
const DEAD_BEARER: LoadedToken = { session: NO_SESSION, isBearer: true };

/**
 * Loads the session that the cookie or the bearer token of a request leads to. Where it has no genuine token the result is
 * returned at once, otherwise promised. Errors carry the headers that the response needs.
 *
 * @throws SessionHttpException (503) when a genuine token cannot be looked up
 * @throws TwoTokensException (400) when there are both
 */
export function loadSession(
  runtime: HttpRuntime,
  request: PlatformRequest,
): LoadedToken | Promise<LoadedToken> {
  const { sessions, options } = runtime;
  const cookies = options.cookie.read(request.headers.cookie);
  const bearer = options.acceptsBearer ? bearerOf(request.headers['authorization']) : null;
  if (bearer !== null && cookies.length > 0) throw new TwoTokensException();
  if (bearer !== null) {
    const loading = sessions.load(bearer, 'bearer', request, arrivalTimeOf(request));
    return loading === null ? DEAD_BEARER : firstServed(runtime, request, loading, [], DEAD_BEARER);
  }
  for (let i = 0; i < cookies.length; i++) {
    const loading = sessions.load(cookies[i] ?? '', 'cookie', request, arrivalTimeOf(request));
    if (loading) return firstServed(runtime, request, loading, cookies.slice(i), NO_TOKEN);
  }
  return NO_TOKEN;
}

/**
 * The session that is being loaded, if it may be served, or else that of the cookies behind it.
 *
 * @param cookies the one whose session is being loaded, and those behind it
 */
async function firstServed(
  runtime: HttpRuntime,
  request: PlatformRequest,
  loading: Promise<FoundSession | null>,
  [cookie, ...others]: readonly string[],
  nothing: LoadedToken,
): Promise<LoadedToken> {
  const { isBearer } = nothing;
  try {
    const first = await loading;
    if (first && isServed(first) && (await isKnownClient(runtime, request, first)))
      return { session: { ...NO_SESSION, resolved: first }, isBearer };
    let unserved = first?.standing === 'unserved' ? first : null;
    const missing = first?.standing === 'missing' ? [first.id] : [];
    const tried = [cookie];
    for (const value of others) {
      if (tried.length === MAX_LOOK_UPS) break;
      if (tried.includes(value)) continue;
      const next = runtime.sessions.load(value, 'cookie', request, arrivalTimeOf(request));
      if (next === null) continue;
      tried.push(value);
      const found = await next;
      if (found?.standing === 'missing') missing.push(found.id);
      else if (found?.standing === 'unserved') unserved ??= found;
      else if (found && (await isKnownClient(runtime, request, found)))
        return { session: { resolved: found, unserved: null, missing }, isBearer };
    }
    const isNothing = unserved === null && missing.length === 0;
    return isNothing ? nothing : { session: { resolved: null, unserved, missing }, isBearer };
  } catch (error) {
    // An outage is in the log already, and has a cause. An unknown key has none, and is logged here.
    if (error instanceof SessionStoreError && error.cause === undefined)
      runtime.logger.error(`${routeOf(request)}: ${error.message}`);
    throw toHttpException(error);
  }
}

/** Whether the session may be served to this client. A promise only where the client has changed. */
function isKnownClient(
  { sessions, options }: HttpRuntime,
  request: PlatformRequest,
  found: ResolvedSession,
): boolean | Promise<boolean> {
  const { clientChange } = options;
  return !clientChange?.detects(request, found) || clientChange.react(sessions, request, found);
}
