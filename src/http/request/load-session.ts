import { SessionStoreError } from '../../core/session-errors.js';
import type { ResolvedSession, UnservedSession } from '../../core/session-resolver.js';
import type { SessionToken } from '../../core/session-token.js';
import { TwoTokensException } from '../errors/exceptions.js';
import { toHttpException } from '../errors/to-http-exception.js';
import type { HttpRuntime } from '../http-options.js';
import { arrivalTimeOf } from '../platform/arrival-time.js';
import { type PlatformRequest, routeOf } from '../platform/platform-request.js';
import { bearerOf } from '../security/bearer.js';
import type { LoadedSession } from '../session/request-session-state.js';

/** What the token of a request led to. */
export interface LoadedToken {
  readonly session: LoadedSession;
  /** Whether it was a bearer token, whatever that is worth. */
  readonly isBearer: boolean;
}

/**
 * Genuine tokens of one request that are looked up at most: only this many cost a call to storage. Junk costs a check
 * of its signature, which the size of the header bounds, so a host that tosses cookies hides nobody's own behind it.
 */
const MAX_LOOK_UPS = 3;

const NO_SESSION: LoadedSession = { resolved: null, unserved: null };

/** Of a request without a token, or whose cookies lead nowhere. */
export const NO_TOKEN: LoadedToken = { session: NO_SESSION, isBearer: false };

/** Of a request whose bearer token leads nowhere. */
const DEAD_BEARER: LoadedToken = { session: NO_SESSION, isBearer: true };

/**
 * Loads the session that the cookie, or the bearer token, of a request leads to: at once where none is a token of ours.
 * What it throws carries the headers that the response needs.
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
  const isBearer = bearer !== null;
  if (isBearer && cookies.length > 0) throw new TwoTokensException();
  const values = isBearer ? [bearer] : cookies;
  for (let i = 0; i < values.length; i++) {
    const token = sessions.recognise(values[i] ?? '', isBearer ? 'bearer' : 'cookie');
    if (token) return lookUp(runtime, request, token, values.slice(i + 1));
  }
  return isBearer ? DEAD_BEARER : NO_TOKEN;
}

/** The session of a genuine token, or else of the cookies behind it. */
async function lookUp(
  runtime: HttpRuntime,
  request: PlatformRequest,
  genuine: SessionToken,
  cookies: readonly string[],
): Promise<LoadedToken> {
  const isBearer = genuine.transport === 'bearer';
  try {
    const arrivedAt = arrivalTimeOf(request);
    const { sessions } = runtime;
    const first = await sessions.load(genuine, request, arrivedAt);
    if (first && isServed(first) && (await isKnownClient(runtime, request, first)))
      return { session: { resolved: first, unserved: null }, isBearer };
    let unserved = first && !isServed(first) ? first : null;
    const tried = cookies.length > 0 ? [genuine.hash] : [];
    for (const value of cookies) {
      if (tried.length === MAX_LOOK_UPS) break;
      const token = sessions.recognise(value, 'cookie');
      if (token === null || tried.includes(token.hash)) continue;
      tried.push(token.hash);
      const found = await sessions.load(token, request, arrivedAt);
      if (found && !isServed(found)) unserved ??= found;
      else if (found && (await isKnownClient(runtime, request, found)))
        return { session: { resolved: found, unserved: null }, isBearer };
    }
    if (unserved !== null) return { session: { resolved: null, unserved }, isBearer };
    return isBearer ? DEAD_BEARER : NO_TOKEN;
  } catch (error) {
    // An outage, which has a cause, is in the log already; an unknown key is not.
    if (error instanceof SessionStoreError && error.cause === undefined)
      runtime.logger.error(`${routeOf(request)}: ${error.message}`);
    throw toHttpException(error);
  }
}

function isServed(found: ResolvedSession | UnservedSession): found is ResolvedSession {
  return found.standing !== 'unserved';
}

/** Whether the session may be served to this client: the usual answer, at once. */
function isKnownClient(
  { sessions, options }: HttpRuntime,
  request: PlatformRequest,
  found: ResolvedSession,
): boolean | Promise<boolean> {
  const { clientChange } = options;
  return !clientChange?.sees(request, found) || clientChange.react(sessions, request, found);
}
