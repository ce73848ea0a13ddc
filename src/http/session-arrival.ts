import { SessionStoreError } from '../core/session-errors.js';
import type { ResolvedSession } from '../core/session-resolver.js';
import { bearerOf } from './bearer.js';
import { RETRY_AFTER_SECONDS, toHttpException, TwoTokensException } from './session-exceptions.js';
import type { ExchangeInput, HttpRuntime } from './session-runtime.js';

/** What a request brought along. */
export interface Arrival {
  /** The session that its token leads to, or `null`. */
  readonly resolved: ResolvedSession | null;
  /** Whether it came with a bearer token, whatever that is worth. */
  readonly isBearer: boolean;
}

/** Of a request that presents nothing. */
export const NO_TOKEN: Arrival = { resolved: null, isBearer: false };

/**
 * The session that the cookie, or the bearer token, of a request leads to.
 *
 * @throws SessionHttpException (503) when a genuine token cannot be looked up
 * @throws TwoTokensException (400) when there are both
 */
export async function resolveArrival(runtime: HttpRuntime, input: ExchangeInput): Promise<Arrival> {
  const { engine, options, logger } = runtime;
  const { request, response } = input;
  const cookies = options.cookie.read(request.headers.cookie);
  const bearer = options.acceptsBearer ? bearerOf(request.headers['authorization']) : null;
  const isBearer = bearer !== null;
  if (isBearer && cookies.length > 0) {
    response.setHeader('WWW-Authenticate', 'Bearer realm="session", error="invalid_request"');
    throw new TwoTokensException();
  }
  try {
    for (const value of isBearer ? [bearer] : cookies) {
      const token = engine.mint.recognise(value, isBearer ? 'bearer' : 'cookie');
      const resolved = token && (await engine.resolver.resolve(token, request.ip));
      if (resolved) return { resolved, isBearer };
    }
    return { resolved: null, isBearer };
  } catch (error) {
    if (error instanceof SessionStoreError) {
      response.setHeader('Retry-After', RETRY_AFTER_SECONDS);
      // An outage, which has a cause, is in the log already; an unknown key is not.
      if (error.cause === undefined) logger.error(`${input.route}: ${error.message}`);
    }
    throw toHttpException(error);
  }
}
