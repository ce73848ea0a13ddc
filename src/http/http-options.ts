import type { LoggerService } from '@nestjs/common';
import type { UserId } from '../core/identifiers.js';
import type { JsonObject } from '../core/json-data.js';
import type { SessionManager } from '../core/session-manager.js';
import { expected, oneOf } from '../core/option-checks.js';
import type { Transport } from '../core/session-token.js';
import { type ClientChangeReaction, ClientChange } from './security/client-change.js';
import { CsrfCheck, type CsrfOptions } from './security/csrf.js';
import { passportUserId as idOfPassportUser } from './security/passport-user.js';
import type { ClientRequest } from './platform/platform-request.js';
import { OtherSessions } from './platform/other-session-middleware.js';
import { InsecureCookieWarning } from './security/insecure-cookie-warning.js';
import { type CookieOptions, SessionCookie } from './response/session-cookie.js';

/** The options of the HTTP layer: how requests carry sessions, and which requests are refused. */
export interface SessionHttpOptions {
  /**
   * The session cookie. Without this option it is `__Host-sid`, HttpOnly, Secure and SameSite=Lax, and it survives a
   * restart of the browser.
   *
   * @example
   * ```ts
   * export const sessions = SessionModule.forRoot({
   *   key: process.env.SESSION_KEY,
   *   cookie: { secure: process.env.NODE_ENV === 'production', sameSite: 'strict' }, // `sid` over plain http
   * });
   * ```
   */
  readonly cookie?: CookieOptions;
  /**
   * Whether every route, gateway and resolver needs a signed-in user, except with `@Public()`. Message and event handlers
   * of microservices, which services call, do not.
   *
   * @default false
   */
  readonly requireAuth?: boolean;
  /**
   * Refuses, with 403, what a page of another site makes a browser send: changes of a session and the beginning of one,
   * by any method but GET, HEAD and OPTIONS; and sign-in by any request but a visit, such as the way back from an identity
   * provider. In GraphQL, mutations, and queries that change something, whatever the method; the upgrade to a socket that
   * brings a session along. With `cookie.sameSite: 'strict'` a visit that another site leads to begins no session but by
   * sign-in: what it would hold is dropped. `false` refuses nothing: something else does that.
   *
   * @default { origins: [] }
   * @see OWASP ASVS 5.0, 3.5.1; OWASP CSRF Prevention Cheat Sheet, "Fetch Metadata headers"
   * @example
   * ```ts
   * export const sessions = SessionModule.forRoot({
   *   key: process.env.SESSION_KEY,
   *   csrf: { origins: ['https://admin.example.com', 'https://appleid.apple.com'] },
   * });
   * ```
   */
  readonly csrf?: CsrfOptions | false;
  /**
   * When the session is loaded: `'guard'`, by the first guard, when the route is known; `'middleware'`, before the
   * middleware of main.ts, for middleware that reads `req.session`, such as Passport's.
   *
   * @default 'guard'
   */
  readonly mount?: 'guard' | 'middleware';
  /**
   * Whether `currentSession()` is the session of the request, in services that are handed nothing. Each request then enters an
   * `AsyncLocalStorage`, which takes time on Node 20 and 22, and next to none from Node 24 on.
   *
   * @default false
   * @example
   * ```ts
   * export const sessions = SessionModule.forRoot({ key: process.env.SESSION_KEY, currentSession: true });
   * ```
   */
  readonly currentSession?: boolean;
  /**
   * Gives the id of a user whom Passport signs in, from what the app's `serializeUser` made of them.
   *
   * @default the user, or its `id` where that is an object
   * @example
   * ```ts
   * export const sessions = SessionModule.forRoot({
   *   key: process.env.SESSION_KEY,
   *   mount: 'middleware',
   *   passportUserId: (user: { uuid: string }) => user.uuid,
   * });
   * ```
   */
  readonly passportUserId?: (user: never) => UserId;
  /**
   * How clients may send their token. With `'bearer'` beside `'cookie'`, also as `Authorization: Bearer`, if
   * `authenticate(id, { transport: 'bearer' })` gave it to them. A token for one transport is none for the other, and a
   * request that carries both is a 400.
   *
   * @default ['cookie']
   * @see RFC 6750, 2.1
   * @example
   * ```ts
   * export const sessions = SessionModule.forRoot({
   *   key: process.env.SESSION_KEY,
   *   transport: ['cookie', 'bearer'],
   * });
   * ```
   */
  readonly transport?: readonly Transport[];
  /**
   * What happens when a session turns up with another browser or platform than it was signed in with: `'ignore'`,
   * nothing; `'notify'`, the event `client-change`; `'revoke'`, the event, and the session ends. Versions do not count.
   *
   * @default 'ignore'
   * @example
   * ```ts
   * export const sessions = SessionModule.forRoot({ key: process.env.SESSION_KEY, onClientChange: 'notify' });
   *
   * store.events.on('client-change', ({ userId, ip }) => console.warn(`${userId} on another device, at ${ip}`));
   * ```
   */
  readonly onClientChange?: ClientChangeReaction;
  /**
   * Gives what is kept about the client of a sign-in, beside `{ ip, userAgent, deviceName, deviceType }`: a JSON object,
   * from the platform's request. Where all is more than 4096 bytes as JSON, the longest strings are cut, and what is too
   * large all the same is left out.
   *
   * @default adds nothing
   * @example
   * ```ts
   * import type { Request } from 'express';
   *
   * export const sessions = SessionModule.forRoot({
   *   key: process.env.SESSION_KEY,
   *   meta: (request: Request) => ({ country: request.get('CF-IPCountry') ?? null }),
   * });
   * ```
   */
  readonly meta?: (request: never) => object;
}

/** What `resolveHttpOptions` makes of the options. */
export interface ResolvedHttpOptions {
  readonly cookie: SessionCookie;
  readonly requireAuth: boolean;
  readonly mount: 'guard' | 'middleware';
  /** Whether requests enter what `currentSession()` looks at. */
  readonly currentSession: boolean;
  /** `null`: cookies are not Secure. */
  readonly insecureCookie: InsecureCookieWarning | null;
  /** `null`: `req.session` is anybody's. */
  readonly otherSessions: OtherSessions | null;
  /** `null`: off. */
  readonly csrf: CsrfCheck | null;
  readonly passportUserId: (user: unknown) => UserId;
  readonly acceptsBearer: boolean;
  /** `null`: client changes are ignored. */
  readonly clientChange: ClientChange | null;
  readonly meta: (request: ClientRequest) => object;
}

/** What all requests of an app share. */
export interface HttpRuntime {
  readonly sessions: SessionManager;
  readonly options: ResolvedHttpOptions;
  readonly logger: Pick<LoggerService, 'warn' | 'error'>;
}

/** Names of all options of the HTTP layer. */
export const HTTP_OPTION_NAMES = [
  'cookie',
  'requireAuth',
  'mount',
  'currentSession',
  'passportUserId',
  'csrf',
  'transport',
  'onClientChange',
  'meta',
] as const satisfies readonly (keyof SessionHttpOptions)[];

/** @throws SessionOptionsError for the first option that cannot be used */
export function resolveHttpOptions(options: SessionHttpOptions): ResolvedHttpOptions {
  const { cookie, requireAuth = false, mount = 'guard', passportUserId, csrf, meta } = options;
  const { transport = ['cookie'], onClientChange = 'ignore', currentSession = false } = options;
  if (typeof requireAuth !== 'boolean') throw expected('requireAuth', 'true or false', requireAuth);
  if (typeof currentSession !== 'boolean') throw expected('currentSession', 'true or false', currentSession);
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
    insecureCookie: sessionCookie.attributes.secure ? new InsecureCookieWarning() : null,
    requireAuth,
    mount,
    currentSession,
    otherSessions: mount === 'middleware' ? new OtherSessions() : null,
    passportUserId: (passportUserId as ((user: unknown) => UserId) | undefined) ?? idOfPassportUser,
    csrf: csrf === false ? null : new CsrfCheck(csrf),
    acceptsBearer: checkTransport(transport),
    clientChange: onClientChange === 'ignore' ? null : new ClientChange(onClientChange),
    meta: describe ?? (() => ({})),
  };
}

function checkTransport(transport: readonly Transport[]): boolean {
  const isList = Array.isArray(transport) && transport.every((one) => one === 'cookie' || one === 'bearer');
  if (isList && transport.includes('cookie')) return transport.includes('bearer');
  throw expected('transport', "['cookie'] or ['cookie', 'bearer']", transport);
}
