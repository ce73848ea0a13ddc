import { SessionStoreError } from '../core/session-errors.js';
import type { ResolvedSession } from '../core/session-resolver.js';
import { RETRY_AFTER_SECONDS, toHttpException } from './session-exceptions.js';
import type { ExchangeInput, HttpRuntime } from './session-runtime.js';

/**
 * The session that the cookie of a request leads to, or `null`.
 *
 * @throws SessionHttpException (503) when a genuine token cannot be looked up
 */
export async function resolveArrival(
  runtime: HttpRuntime,
  input: ExchangeInput,
): Promise<ResolvedSession | null> {
  const { engine, options, logger } = runtime;
  const { request, response } = input;
  try {
    for (const value of options.cookie.read(request.headers.cookie as string | undefined)) {
      const token = engine.mint.recognise(value);
      const resolved = token && (await engine.resolver.resolve(token, request.ip));
      if (resolved) return resolved;
    }
    return null;
  } catch (error) {
    if (error instanceof SessionStoreError) {
      response.setHeader('Retry-After', RETRY_AFTER_SECONDS);
      // An outage, which has a cause, is in the log already; an unknown key is not.
      if (error.cause === undefined) logger.error(`${input.route}: ${error.message}`);
    }
    throw toHttpException(error);
  }
}
