import { SessionStoreError } from '../../core/session-errors.js';
import type { ResolvedSession, UnservedSession } from '../../core/session-resolver.js';
import type { SessionToken } from '../../core/session-token.js';
import { bearerOf } from '../security/bearer.js';
import type { ClientRequest } from '../session/client-meta.js';
import type { ClientChange } from '../security/client-change.js';
import { routeOf } from '../platform/platform-request.js';
import { arrivalOf } from '../platform/arrival-time.js';
import { RETRY_AFTER_SECONDS, toHttpException, TwoTokensException } from '../errors/exceptions.js';
import type { ExchangeInput, HttpRuntime } from '../http-runtime.js';

/** What a request brought along. */
export interface Arrival {
  /** The session that its token leads to, or `null`. */
  readonly resolved: ResolvedSession | null;
  /** The live session that it leads to, where its token is not good enough to be served. */
  readonly unserved: UnservedSession | null;
  /** Whether it came with a bearer token, whatever that is worth. */
  readonly isBearer: boolean;
}

/**
 * Genuine tokens of one request that are looked up at most: only this many cost a call to storage. Junk costs a check
 * of its signature, which the size of the header bounds, so a host that tosses cookies hides nobody's own behind it.
 */
const MAX_LOOK_UPS = 3;

/** Of a request that presents nothing. */
export const NO_TOKEN: Arrival = { resolved: null, unserved: null, isBearer: false };

/** Of a request whose bearer token leads nowhere. */
const NOTHING_FOUND: Arrival = { resolved: null, unserved: null, isBearer: true };

/**
 * The session that the cookie, or the bearer token, of a request leads to: at once where none is a token of ours.
 *
 * @throws SessionHttpException (503) when a genuine token cannot be looked up
 * @throws TwoTokensException (400) when there are both
 */
export function resolveArrival(runtime: HttpRuntime, input: ExchangeInput): Arrival | Promise<Arrival> {
  const { manager, options } = runtime;
  const { request, response } = input;
  const cookies = options.cookie.read(request.headers.cookie);
  const bearer = options.acceptsBearer ? bearerOf(request.headers['authorization']) : null;
  const isBearer = bearer !== null;
  if (isBearer && cookies.length > 0) {
    response.setHeader('WWW-Authenticate', 'Bearer realm="session", error="invalid_request"');
    throw new TwoTokensException();
  }
  const values = isBearer ? [bearer] : cookies;
  for (let i = 0; i < values.length; i++) {
    const token = manager.issuer.recognise(values[i] ?? '', isBearer ? 'bearer' : 'cookie');
    if (token) return resolveFirst(runtime, input, token, values.slice(i + 1));
  }
  return isBearer ? NOTHING_FOUND : NO_TOKEN;
}

/** The session of a genuine token, or else of the cookies behind it. */
async function resolveFirst(
  runtime: HttpRuntime,
  input: ExchangeInput,
  genuine: SessionToken,
  cookies: readonly string[],
): Promise<Arrival> {
  const { manager, logger } = runtime;
  const { request, response } = input;
  const isBearer = genuine.transport === 'bearer';
  try {
    const arrivedAt = arrivalOf(request);
    const first = await manager.resolver.present(genuine, request, arrivedAt);
    if (first && isServed(first) && (await isKnownClient(runtime, input, first)))
      return { resolved: first, unserved: null, isBearer };
    let unserved = first && !isServed(first) ? first : null;
    const tried = cookies.length > 0 ? [genuine.hash] : [];
    for (const value of cookies) {
      if (tried.length === MAX_LOOK_UPS) break;
      const token = manager.issuer.recognise(value, 'cookie');
      if (token === null || tried.includes(token.hash)) continue;
      tried.push(token.hash);
      const found = await manager.resolver.present(token, request, arrivedAt);
      if (found && !isServed(found)) unserved ??= found;
      else if (found && (await isKnownClient(runtime, input, found)))
        return { resolved: found, unserved: null, isBearer };
    }
    if (unserved !== null) return { resolved: null, unserved, isBearer };
    return isBearer ? NOTHING_FOUND : NO_TOKEN;
  } catch (error) {
    if (error instanceof SessionStoreError) {
      response.setHeader('Retry-After', RETRY_AFTER_SECONDS);
      // An outage, which has a cause, is in the log already; an unknown key is not.
      if (error.cause === undefined) logger.error(`${routeOf(request)}: ${error.message}`);
    }
    throw toHttpException(error);
  }
}

function isServed(found: ResolvedSession | UnservedSession): found is ResolvedSession {
  return found.standing !== 'unserved';
}

/** Whether the session may be served to this client: the usual answer, at once. */
function isKnownClient(
  runtime: HttpRuntime,
  { request }: ExchangeInput,
  resolved: ResolvedSession,
): boolean | Promise<boolean> {
  const { clientWatch } = runtime.options;
  return !clientWatch?.sees(request, resolved) || react(runtime, clientWatch, request, resolved);
}

/** Another kind of client is told about, or ends the session. */
async function react(
  { manager }: HttpRuntime,
  clientWatch: ClientChange,
  request: ClientRequest,
  resolved: ResolvedSession,
): Promise<boolean> {
  const { row } = resolved;
  const isNotify = clientWatch.reaction === 'notify';
  const isNews = isNotify
    ? clientWatch.isNews(resolved)
    : (await manager.end({ ids: [row.id] }, 'client-change', request.ip)).ended.length > 0;
  if (isNews) manager.events.emit('client-change', manager.eventOf(row, request.ip));
  return isNotify;
}
