import type { ServerResponse } from 'node:http';

/*
 * Bearer tokens in HTTP: reading one from a request, and telling a client that it needs one.
 */

/**
 * What follows `Bearer` in an Authorization header; `null` when it is of another scheme, or there is none.
 *
 * @see RFC 6750, 2.1. Never from a URL or a body: 2.2 and 2.3 are not supported on purpose (5.3)
 */
export function bearerOf(authorization: string | string[] | undefined): string | null {
  if (typeof authorization !== 'string') return null;
  const found = /^bearer(?: +(.*))?$/is.exec(authorization);
  return found && (found[1] ?? '').trimEnd();
}

/** Why a request is refused, as far as the client's token has to do with it. */
export interface Challenge {
  /** Whether a bearer token came along. */
  readonly isBearer: boolean;
  /** How old a sign-in may be, in milliseconds, where an older one is the reason; otherwise `null`. */
  readonly within: number | null;
}

/**
 * Adds `WWW-Authenticate` to a response with the status 401, unless it has one.
 *
 * @see RFC 6750, 3 (a challenge names at least one parameter); RFC 9470, 3 (a sign-in that is too long ago)
 */
export function challenge(response: ServerResponse, { isBearer, within }: Challenge): void {
  if (response.statusCode !== 401 || response.hasHeader('WWW-Authenticate')) return;
  const reason =
    within !== null
      ? `, error="insufficient_user_authentication", max_age="${Math.floor(within / 1000)}"`
      : isBearer
        ? ', error="invalid_token"'
        : '';
  response.setHeader('WWW-Authenticate', `Bearer realm="session"${reason}`);
}
