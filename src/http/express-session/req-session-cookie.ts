import type { SessionRow } from '../../core/session-row.js';
import type { ExpressSessionCookie } from './types.js';
import type { SessionCookie } from '../response/session-cookie.js';

/** What decides when a cookie ends. Of a session that is not stored yet: what would. */
export type CookieLife = Pick<SessionRow, 'persistent' | 'createdAt' | 'absoluteExpiresAt'>;

/** `req.session.cookie`: describes the cookie of the session. Changing it throws. @param now epoch milliseconds */
export function expressSessionCookie(
  { attributes }: SessionCookie,
  { persistent, createdAt, absoluteExpiresAt }: CookieLife,
  now: number,
): ExpressSessionCookie {
  const { path, domain, sameSite, secure, partitioned } = attributes;
  const cookie: ExpressSessionCookie = {
    originalMaxAge: persistent ? absoluteExpiresAt - createdAt : null,
    maxAge: persistent ? Math.max(0, absoluteExpiresAt - now) : null,
    expires: persistent ? new Date(absoluteExpiresAt) : null,
    httpOnly: true,
    secure,
    sameSite,
    path,
    domain,
    partitioned,
  };
  return new Proxy<ExpressSessionCookie>(cookie, {
    set: refuse,
    defineProperty: refuse,
    deleteProperty: refuse,
  });
}

function refuse(_cookie: unknown, key: string | symbol): never {
  throw new TypeError(
    `\`req.session.cookie.${String(key)}\` cannot be changed: the server decides how long a session lasts. The attributes ` +
      'are the `cookie` option of SessionModule; for a longer session, or one that ends with the browser, call ' +
      '`authenticate(userId, { remember })`',
  );
}
