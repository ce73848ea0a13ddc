import type { LoggerService } from '@nestjs/common';
import type { ServerResponse } from 'node:http';
import type { EpochMs, SessionRow } from '../../core/session-row.js';
import type { SessionToken } from '../../core/session-token.js';
import { reportFailure } from '../errors/to-http-exception.js';
import { type PlatformRequest, routeOf } from '../platform/platform-request.js';
import { challenge } from '../security/bearer.js';
import type { InsecureCookieWarning } from '../security/insecure-cookie-warning.js';
import type { SessionCookie } from './session-cookie.js';

/** The options of the app that decide about the headers. */
interface HeaderOptions {
  readonly cookie: SessionCookie;
  /** `null`: cookies are not Secure. */
  readonly insecureCookie: InsecureCookieWarning | null;
  readonly acceptsBearer: boolean;
}

/** What a response has to know of the request and its session. */
export interface ServedSession {
  readonly request: PlatformRequest;
  readonly options: HeaderOptions;
  readonly logger: Pick<LoggerService, 'warn' | 'error'>;
  /** Epoch milliseconds. */
  readonly now: EpochMs;
  /** The cookie to set or to remove; `null`: the client keeps the one it has. */
  readonly cookie:
    | { readonly kind: 'set'; readonly token: SessionToken; readonly row: SessionRow }
    | { readonly kind: 'remove' }
    | null;
  /** Whether something looked at the session, so that the response varies with its token. */
  readonly isRead: boolean;
  /** Whose session the response may show; `null`: nobody's. */
  readonly userId: string | null;
  /** Whether the request came with a bearer token. */
  readonly isBearer: boolean;
  /** How old a sign-in may be, in milliseconds, where this one was older. */
  readonly within: number | null;
  /** Why a call to the session failed; `null`: none did. */
  readonly failure: unknown;
}

/**
 * Sets the headers of a response that follow from its session: `Set-Cookie`, `Cache-Control` and `Vary`, with a 401
 * `WWW-Authenticate`, and after an outage `Retry-After`.
 */
export function setSessionHeaders(response: ServerResponse, served: ServedSession): void {
  const { options, cookie, isRead, userId, isBearer, within, failure } = served;
  if (cookie !== null) setCookie(response, cookie, served);
  const isPrivate = cookie !== null || (isRead && userId !== null);
  // A cache that keeps our cookie would give one session to everybody, so this overrides what the app has set.
  if (cookie !== null) forbidCaching(response);
  else if (isPrivate && !response.hasHeader('Cache-Control')) response.setHeader('Cache-Control', 'no-store');
  if (isRead || isPrivate) varyBy(response, options.acceptsBearer ? BOTH_HEADERS : COOKIE_HEADER);
  if (options.acceptsBearer) challenge(response, { isBearer, within });
  if (failure !== null) noteFailure(response, served);
}

function setCookie(
  response: ServerResponse,
  cookie: NonNullable<ServedSession['cookie']>,
  { request, options, logger, now }: ServedSession,
): void {
  if (cookie.kind === 'remove') {
    appendHeader(response, 'Set-Cookie', options.cookie.remove());
    return;
  }
  appendHeader(response, 'Set-Cookie', options.cookie.issue(cookie.token, cookie.row, now));
  const warning = options.insecureCookie?.about(request);
  if (warning) logger.warn(warning);
}

function noteFailure(response: ServerResponse, { request, logger, failure }: ServedSession): void {
  const { statusCode: status } = response;
  reportFailure(logger, { failure, status, route: routeOf(request), response });
  // The handler had decided on a redirect, which does not happen.
  if (status >= 400) response.removeHeader('Location');
}

/** Adds a header to those of the same name that are there. */
function appendHeader(response: ServerResponse, name: string, value: string): void {
  const present = response.getHeader(name);
  const values = present === undefined ? [] : Array.isArray(present) ? present : [String(present)];
  response.setHeader(name, [...values, value]);
}

/** Headers that some caches obey instead of `Cache-Control`. @see RFC 9213, 2.2; the documentation of nginx, Fastly and Akamai */
const FOR_ONE_CACHE = /^(?:.+-)?cdn-cache-control$|^(?:surrogate|edge)-control$|^x-accel-expires$/;

/** Keeps the response out of every cache, whatever headers the app has set for caches. */
function forbidCaching(response: ServerResponse): void {
  for (const name of response.getHeaderNames()) if (FOR_ONE_CACHE.test(name)) response.removeHeader(name);
  response.setHeader('Cache-Control', 'no-store');
}

/** The headers on which a response depends that read a session. */
const COOKIE_HEADER: readonly string[] = ['Cookie'];
const BOTH_HEADERS: readonly string[] = ['Cookie', 'Authorization'];

/** Adds the headers to `Vary`, beside those that the app has set there. */
function varyBy(response: ServerResponse, headers: readonly string[]): void {
  if (!response.hasHeader('Vary')) {
    response.setHeader('Vary', headers.join(', '));
    return;
  }
  const present = String(response.getHeader('Vary'));
  const names = present.split(',').map((name) => name.trim().toLowerCase());
  if (names.includes('*')) return;
  const missing = headers.filter((name) => !names.includes(name.toLowerCase()));
  if (missing.length > 0)
    response.setHeader('Vary', [...(present === '' ? [] : [present]), ...missing].join(', '));
}
