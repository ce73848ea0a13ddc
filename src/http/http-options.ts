import type { UserId } from '../core/identifiers.js';
import type { JsonObject } from '../core/json-data.js';
import { expected, oneOf } from '../core/option-checks.js';
import type { Transport } from '../core/session-token.js';
import type { ClientRequest } from './session/client-meta.js';
import { type ClientChangeReaction, ClientChange } from './security/client-change.js';
import { CsrfCheck, type CsrfOptions } from './security/csrf.js';
import { CrossSiteLog } from './security/cross-site-log.js';
import { passportUserId as idOfPassportUser } from './security/passport-user.js';
import { OtherSessions } from './platform/other-sessions.js';
import { InsecureCookieWarning } from './security/insecure-cookie-warning.js';
import { type CookieOptions, SessionCookie } from './response/session-cookie.js';

/** Options of the HTTP layer. */
export interface SessionHttpOptions {
  /** The session cookie: `__Host-sid`, HttpOnly, Secure, SameSite=Lax. */
  readonly cookie?: CookieOptions;
  /**
   * Whether every route, gateway and resolver needs a user, except with `@Public()`. Message and event handlers of
   * microservices, which services call, do not. @default false
   */
  readonly requireAuth?: boolean;
  /**
   * Refuses what a page of another site makes a browser send: by a method that is not safe, changes of a session and the
   * beginning of one; by any but a visit, sign-in. With `cookie.sameSite: 'strict'` a visit that another site leads to
   * begins no session but by sign-in: what it would hold is dropped. `false`: something else does that.
   *
   * @default { origins: [] }
   */
  readonly csrf?: CsrfOptions | false;
  /**
   * When the session is loaded: by the first guard, or before the middleware of main.ts, for middleware that reads
   * `req.session`. @default 'guard'
   */
  readonly mount?: 'guard' | 'middleware';
  /**
   * The id of a user whom Passport signs in, from what `serializeUser` made of them. @default the user, or its `id`
   * where that is an object
   */
  readonly passportUserId?: (user: never) => UserId;
  /**
   * How clients may send their token. `'bearer'` beside `'cookie'`: also as `Authorization: Bearer`, when they got it
   * from `authenticate(id, { transport: 'bearer' })`.
   *
   * @default ['cookie']
   */
  readonly transport?: readonly Transport[];
  /**
   * When a session turns up with another browser or platform than it was signed in with: nothing; the event
   * `client-change`; or the same and the end of the session. Versions do not matter. @default 'ignore'
   */
  readonly onClientChange?: ClientChangeReaction;
  /**
   * What to keep about the client of a sign-in beside the default: a JSON object. Gets the platform's request. Where all
   * is more than 4096 bytes as JSON, the longest strings are cut, and what is too large all the same is left out.
   */
  readonly meta?: (request: never) => object;
}

/** What `resolveHttpOptions` makes of the options. */
export interface ResolvedHttpOptions {
  readonly cookie: SessionCookie;
  readonly requireAuth: boolean;
  readonly mount: 'guard' | 'middleware';
  /** `null`: cookies are not Secure. */
  readonly plainHttp: InsecureCookieWarning | null;
  /** `null`: `req.session` is anybody's. */
  readonly otherSessions: OtherSessions | null;
  /** `null`: off. */
  readonly crossSite: CsrfCheck | null;
  readonly crossSiteLog: CrossSiteLog;
  readonly passportUserId: (user: unknown) => UserId;
  readonly acceptsBearer: boolean;
  /** `null`: client changes are ignored. */
  readonly clientWatch: ClientChange | null;
  readonly meta: (request: ClientRequest) => object;
}

/** Names of all options of the HTTP layer. */
export const HTTP_OPTION_NAMES = [
  'cookie',
  'requireAuth',
  'mount',
  'passportUserId',
  'csrf',
  'transport',
  'onClientChange',
  'meta',
] as const satisfies readonly (keyof SessionHttpOptions)[];

/** @throws SessionOptionsError for the first option that cannot be used */
export function resolveHttpOptions(options: SessionHttpOptions): ResolvedHttpOptions {
  const { cookie, requireAuth = false, mount = 'guard', passportUserId, csrf, meta } = options;
  const { transport = ['cookie'], onClientChange = 'ignore' } = options;
  if (typeof requireAuth !== 'boolean') throw expected('requireAuth', 'true or false', requireAuth);
  oneOf('onClientChange', onClientChange, ['ignore', 'notify', 'revoke']);
  oneOf('mount', mount, ['guard', 'middleware']);
  if (passportUserId !== undefined && typeof passportUserId !== 'function')
    throw expected('passportUserId', 'a function of the serialized user', passportUserId);
  if (meta !== undefined && typeof meta !== 'function')
    throw expected('meta', 'a function of the request', meta);
  const describe = meta as ((request: ClientRequest) => JsonObject) | undefined;
  const sessionCookie = new SessionCookie(cookie);
  return {
    cookie: sessionCookie,
    plainHttp: sessionCookie.attributes.secure ? new InsecureCookieWarning() : null,
    requireAuth,
    mount,
    otherSessions: mount === 'middleware' ? new OtherSessions() : null,
    passportUserId: (passportUserId as ((user: unknown) => UserId) | undefined) ?? idOfPassportUser,
    crossSite: csrf === false ? null : new CsrfCheck(csrf),
    crossSiteLog: new CrossSiteLog(),
    acceptsBearer: checkTransport(transport),
    clientWatch: onClientChange === 'ignore' ? null : new ClientChange(onClientChange),
    meta: describe ?? (() => ({})),
  };
}

function checkTransport(transport: readonly Transport[]): boolean {
  const isList = Array.isArray(transport) && transport.every((one) => one === 'cookie' || one === 'bearer');
  if (isList && transport.includes('cookie')) return transport.includes('bearer');
  throw expected('transport', "['cookie'] or ['cookie', 'bearer']", transport);
}
