import type { ServerResponse } from 'node:http';
import { challenge } from '../security/bearer.js';
import type { ClientRequest } from '../session/client-meta.js';
import { appendHeader, BOTH_HEADERS, COOKIE_HEADER, forbidCaching, varyBy } from './response-headers.js';
import type { HttpRuntime } from '../http-runtime.js';
import type { RequestSessionState } from '../session/request-session-state.js';

/** How a request met its session, as far as the response tells. */
export interface Departure {
  readonly request: ClientRequest;
  /** Whether something looked at the session, so that the response varies with its token. */
  readonly isRead: boolean;
  /** Whether the request came with a bearer token. */
  readonly isBearer: boolean;
  /** How old a sign-in may be, in milliseconds, where this one was older. */
  readonly within: number | null;
}

/** Sets what a response owes: the cookie, what caches may do with it, and how to authenticate. */
export function setSessionHeaders(
  response: ServerResponse,
  { manager, logger, options }: HttpRuntime,
  { cookieChange, stored, resolved }: RequestSessionState,
  { request, isRead, isBearer, within }: Departure,
): void {
  if (cookieChange?.kind === 'set') {
    const { token, row } = cookieChange;
    appendHeader(response, 'Set-Cookie', options.cookie.issue(token, row, manager.clock.now()));
    const warning = options.plainHttp?.about(request);
    if (warning) logger.warn(warning);
  } else if (cookieChange) {
    appendHeader(response, 'Set-Cookie', options.cookie.remove());
  }
  const userId = stored?.row.userId ?? resolved?.row.userId ?? null;
  const isPrivate = cookieChange !== null || (isRead && userId !== null);
  // A cache that keeps our cookie hands one session to everybody, whatever the app says of its pages.
  if (cookieChange !== null) forbidCaching(response);
  else if (isPrivate && !response.hasHeader('Cache-Control')) response.setHeader('Cache-Control', 'no-store');
  if (isRead || isPrivate) varyBy(response, options.acceptsBearer ? BOTH_HEADERS : COOKIE_HEADER);
  if (options.acceptsBearer) challenge(response, { isBearer, within });
}
