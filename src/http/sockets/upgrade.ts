import { HttpException } from '@nestjs/common';
import { STATUS_CODES } from 'node:http';
import type { HttpRuntime } from '../http-options.js';
import { describeError, SessionHttpException } from '../errors/to-http-exception.js';
import { TwoTokensException } from '../errors/exceptions.js';
import { type PlatformRequest, routeOf } from '../platform/platform-request.js';
import { type LoadedToken, loadSession } from '../request/load-session.js';
import { NO_SESSION } from '../session/request-session-state.js';

/*
 * The request that opens a socket: which session it leads to, and whether it is refused.
 */

/** How an upgrade is refused, before anything is open. */
export interface UpgradeRefusal {
  readonly status: number;
  /** JSON. */
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * Loads the session of an upgrade: at once where no token is presented. It sets no cookie, so no token is rotated by it, and
 * clients connect again by themselves, so it is no use of the session. A page of another site that brings a session along is
 * refused, whatever the method says: over a socket everything may change. Without a session it is served, since nothing can
 * begin there; one that was missing could be there again while the socket is open, so it forgets that.
 *
 * @throws CrossSiteRequestException (403), SessionHttpException (503), TwoTokensException (400)
 */
export function loadUpgrade(
  runtime: HttpRuntime,
  request: PlatformRequest,
): LoadedToken | Promise<LoadedToken> {
  const loaded = loadSession(runtime, request);
  return loaded instanceof Promise
    ? loaded.then((found) => checkOrigin(runtime, request, found))
    : checkOrigin(runtime, request, loaded);
}

function checkOrigin(
  { options: { csrf }, sessions, logger }: HttpRuntime,
  request: PlatformRequest,
  loaded: LoadedToken,
): LoadedToken {
  const { resolved, unserved } = loaded.session;
  if (loaded.session === NO_SESSION || csrf === null || loaded.isBearer) return loaded;
  if (!csrf.isCrossSite(request)) return loaded;
  if ((resolved ?? unserved) === null) return { ...loaded, session: NO_SESSION };
  throw csrf.refusal(request, sessions.clock.now(), logger);
}

/** How the client of an upgrade is told of an error. One that is none of ours is logged. */
export function refusalOf({ logger }: HttpRuntime, request: PlatformRequest, error: unknown): UpgradeRefusal {
  const headers = { 'Content-Type': 'application/json; charset=utf-8' };
  if (error instanceof HttpException) {
    const carries = error instanceof SessionHttpException || error instanceof TwoTokensException;
    const body = JSON.stringify(error.getResponse());
    return { status: error.getStatus(), body, headers: { ...headers, ...(carries ? error.headers : {}) } };
  }
  logger.error(`${routeOf(request)}: the socket could not be opened: ${describeError(error)}`);
  const body = JSON.stringify({ statusCode: 500, message: STATUS_CODES[500] });
  return { status: 500, body, headers };
}

/** A whole response, for a socket that no response of Node belongs to. */
export function responseText({ status, body, headers }: UpgradeRefusal): string {
  const all = { Connection: 'close', 'Content-Length': String(Buffer.byteLength(body)), ...headers };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}`);
  return [`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`, ...lines, '', body].join('\r\n');
}
