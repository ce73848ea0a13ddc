import type { UserId } from '../core/identifiers.js';
import type { JsonObject } from '../core/json-data.js';
import type { FlashMessage } from '../core/session-content.js';
import type { SessionData } from '../core/session-data.js';
import type { SessionIntegrity } from '../core/session-record.js';
import type { SessionToken, Transport } from '../core/session-token.js';

/*
 * The session of a request as handlers have it, and the options of its methods.
 */

/** How one sign-in differs from what the module's options say. Given to `session.authenticate()`. */
export interface AuthenticateOptions<T extends object = SessionData> {
  /**
   * Top-level keys that the new session's data gets, over those that are carried over from the session before.
   *
   * @example
   * ```ts
   * await session.authenticate(user.id, { data: { theme: 'dark' } });
   * ```
   */
  readonly data?: Partial<T>;
  /**
   * Whether the user wants to be remembered, as a form or a JSON body says it. Yes: `true`, `'on'`, `'true'` or `'1'`; the
   * browser keeps the cookie when it is closed, and the session has the lifetimes of the `remember` option. No: `false`,
   * `'off'`, `'false'`, `'0'`, `''`, `null`, or an `undefined` that is passed on; the cookie goes when the browser is closed,
   * and the lifetimes are `ttl` and `absoluteTtl`. So the field of a checkbox can be passed on as it comes: one that is not
   * ticked sends nothing. Any other value is a `SessionDataError` (400), and nobody is signed in.
   *
   * @default without the key `remember`, nobody has been asked: the cookie is what `cookie.persistent` says, and the
   *   lifetimes are `ttl` and `absoluteTtl`
   * @example
   * ```ts
   * const form: { remember?: string } = {}; // of a checkbox that is not ticked
   * await session.authenticate(user.id, { remember: form.remember }); // until the browser is closed
   * ```
   */
  readonly remember?: boolean | string | null | undefined;
  /**
   * The latest instant at which the session ends, however much it is used: that at which an identity provider's own
   * session does, for instance. One that is past is refused. It shortens `absoluteTtl`, and never extends it.
   *
   * @example
   * ```ts
   * const claims = { sub: 'ada', exp: 1_893_456_000 }; // of an ID token: seconds
   * await session.authenticate(claims.sub, { notAfter: new Date(claims.exp * 1000) });
   * ```
   */
  readonly notAfter?: Date;
  /**
   * What is kept about the client of this sign-in beside `{ ip, userAgent, deviceName, deviceType }`: a JSON object of
   * at most 4096 bytes. It is kept as it is; where all together is more, the part about the client is cut.
   *
   * @example
   * ```ts
   * await session.authenticate(user.id, { meta: { by: 'passkey' } });
   * ```
   */
  readonly meta?: object;
  /**
   * How the client keeps its token. `'bearer'` is for clients without cookies: no cookie is set, and `authenticate`
   * resolves to the token. The module's `transport` option has to allow it.
   *
   * @default 'cookie'
   */
  readonly transport?: Transport;
}

/** One of a user's sessions, as a page of their devices shows it. It holds no token and no data. */
export interface SessionInfo {
  /** The public id, which `session.revoke(id)` takes. */
  readonly id: string;
  /** Whether this is the session of the request that asks. */
  readonly current: boolean;
  readonly createdAt: Date;
  /** When the user last proved who they are: by signing in, or by `reauthenticate()`. */
  readonly authenticatedAt: Date | null;
  /** When the last use was written down: up to `touchInterval` before the last use itself. */
  readonly lastActiveAt: Date;
  /** When the session ends unless it is used. */
  readonly expiresAt: Date;
  /** `{ ip, userAgent, deviceName, deviceType }` at sign-in, and what the app added. */
  readonly meta: JsonObject;
  /** Whether the stored row opens. If it does not, `meta` is empty, and the session can be revoked all the same. */
  readonly integrity: SessionIntegrity;
}

/**
 * The session of one request: what `@Session()` gives a handler and `sessionOf()` gives a guard.
 *
 * **Saving.** What a handler changes in `data` is stored before the first byte of the response leaves. A request that
 * stores nothing makes no row and no cookie.
 *
 * **Failing.** What these members throw is an `HttpException`, with the `code` of the `SessionError` that is its `cause`.
 * Each asynchronous member may throw `SessionStoreError` (503), when storage does not answer within `timeout`.
 *
 * **Waiting.** The response waits for the promises of these methods, awaited or not. A rejection that nobody takes, of
 * them or of what `then`, `catch` and `finally` make of them, fails the response as if the handler had thrown it; once
 * the response has left, it is an error in the log.
 *
 * @example
 * ```ts
 * export async function signIn(session: Session, users: UsersService, body: LoginDto) {
 *   const user = await users.verify(body.name, body.password);
 *   await session.authenticate(user.id);
 *   session.flash('success', 'Welcome back');
 * }
 * ```
 */
export interface RequestSession<T extends object = SessionData> {
  /**
   * The public id, a ULID, on Redis with two characters more: safe to log and to list, useless for signing in. `null` while
   * nothing is stored.
   *
   * @example
   * ```ts
   * console.log(`Order placed in session ${session.id}`);
   * ```
   */
  readonly id: string | null;
  /**
   * The id of the signed-in user, as a string whatever type it was signed in with; `null` for an anonymous session.
   *
   * @example
   * ```ts
   * const greeting = session.userId === null ? 'Hello' : `Hello, ${session.userId}`;
   * console.log(greeting);
   * ```
   */
  readonly userId: string | null;
  /** Whether a user is signed in: `userId` is not `null`. */
  readonly isAuthenticated: boolean;
  /** Whether nothing is stored yet, so that there is no row, no id and no cookie. */
  readonly isNew: boolean;
  /** When the session began. `null` while nothing is stored, as are the other instants. */
  readonly createdAt: Date | null;
  /**
   * When the user last proved who they are: by signing in, or by `reauthenticate()`. `null` for an anonymous session.
   *
   * @example
   * ```ts
   * const age = Date.now() - (session.authenticatedAt?.getTime() ?? 0); // milliseconds
   * const mayDelete = age < 10 * 60_000; // for a whole route, RequireAuth({ within: '10m' }) says it
   * console.log(mayDelete);
   * ```
   */
  readonly authenticatedAt: Date | null;
  /** When the last use was written down: up to `touchInterval` before the last use itself. */
  readonly lastActiveAt: Date | null;
  /** When the session ends unless it is used: the earlier of its idle and its absolute expiry. */
  readonly expiresAt: Date | null;
  /** What is kept about the client of the sign-in: `{ ip, userAgent, deviceName, deviceType }`, and what the app added. */
  readonly meta: JsonObject;

  /**
   * The data, a plain JSON object to read and to change. Changes are noticed at any depth. Of requests in parallel that
   * change different top-level keys all changes survive; for one key the last to be saved wins, so lists and counters
   * want `update()`. Assigning `data` replaces all that is stored.
   *
   * What JSON cannot hold is a `SessionDataError` that names its path, and nothing is saved: 400 where a client can have
   * sent it, 500 where only code can have made it.
   *
   * @example
   * ```ts
   * session.data.theme = 'dark';
   * session.data.cart?.splice(0, 1); // deep changes too
   * session.data = { theme: 'light' }; // now that is all there is
   * ```
   */
  data: T;
  /**
   * The value of a key of `data`, or `undefined`. It is the stored value itself: changing it changes the data.
   *
   * @example
   * ```ts
   * const items = session.get('cart') ?? [];
   * console.log(items.length);
   * ```
   */
  get<K extends keyof T>(key: K): T[K] | undefined;
  /**
   * Sets a key of `data`, as assigning to it does. `__proto__` is no key: a `SessionDataError`.
   *
   * @example
   * ```ts
   * session.set('theme', 'dark');
   * ```
   */
  set<K extends keyof T>(key: K, value: T[K]): void;
  /** Whether `data` has that key of its own, whatever its value. */
  has(key: keyof T): boolean;
  /**
   * Removes a key of `data`; whether there was one.
   *
   * @example
   * ```ts
   * if (session.remove('voucher')) session.flash('info', 'The voucher was taken off');
   * ```
   */
  remove(key: keyof T): boolean;
  /**
   * Reads a key of `data` and removes it. Requests in parallel may all get it: see `takeOnce()`.
   *
   * @example
   * ```ts
   * const voucher = session.take('voucher');
   * console.log(voucher, session.has('voucher')); // what there was, false
   * ```
   */
  take<K extends keyof T>(key: K): T[K] | undefined;
  /** Removes all data, what other requests store until this one is saved included. The user stays signed in. */
  clear(): void;

  /**
   * Changes the data in one atomic step, so that no change of another request is lost: for lists, counters and keys that
   * belong together. `fn` gets the stored data with this request's unsaved changes, and changes it in place. It may run
   * again when another request was faster, so it should do nothing else; a method of the same session that it awaits
   * waits for `update` itself, until `timeout`. What it made becomes `data`, and is durable when this resolves.
   *
   * @returns what the run of `fn` that was stored returned
   * @throws SessionGoneError (401) when the session has ended: by logout, revocation, eviction or expiry
   * @throws SessionConflictError (409) when other requests kept changing the session until `timeout`
   * @throws SessionTooLargeError (413) when the data would be more than `maxDataBytes`
   * @throws CrossSiteRequestException (403) when a page of another site made the browser send the request
   * @example
   * ```ts
   * const count = await session.update((data) => (data.cart ??= []).push({ sku: 'tea', count: 1 }));
   * console.log(`${count} items in the cart`);
   * ```
   */
  update<R>(fn: (data: T) => R | Promise<R>): Promise<R>;
  /**
   * Reads a key of `data` and removes it, for one of several requests in parallel: the others get `undefined`. For what
   * must be used once, such as the `state` of an OAuth redirect. It throws what `update()` throws.
   *
   * @example
   * ```ts
   * const voucher = await session.takeOnce('voucher');
   * if (voucher !== undefined) console.log(`Redeemed ${voucher}`); // once, however often the button is pressed
   * ```
   */
  takeOnce<K extends keyof T>(key: K): Promise<T[K] | undefined>;
  /**
   * Keeps a message until it has been read once, on whichever page comes next. Messages are kept outside `data`, and
   * count towards `maxDataBytes`.
   *
   * @param kind what kind of message it is, in the app's own words: `'success'`
   * @param text what it says. It is data: escape it where you show it
   * @throws SessionDataError when either is not a string
   * @example
   * ```ts
   * session.flash('success', 'Your order is on its way'); // and redirect
   * ```
   */
  flash(kind: string, text: string): void;
  /**
   * The messages that are kept, oldest first. Reading removes them.
   *
   * @example
   * ```ts
   * const messages = session.flashes().map(({ kind, text }) => `${kind}: ${text}`);
   * console.log(messages); // [ 'success: Your order is on its way' ]
   * ```
   */
  flashes(): FlashMessage[];
  /**
   * Makes durable now what this request has changed so far, instead of before the response leaves: for what follows in
   * the handler and must not happen unless the change is stored.
   *
   * @throws SessionGoneError (401) when the session has ended
   * @throws SessionDataError (400 or 500) when the data holds what JSON cannot
   * @throws SessionTooLargeError (413) when the data would be more than `maxDataBytes`
   * @throws CrossSiteRequestException (403) when a page of another site made the browser send the request
   * @example
   * ```ts
   * session.data.voucher = 'TEA-10';
   * await session.save();
   * console.log('stored: now the mail may be sent');
   * ```
   */
  save(): Promise<void>;

  /**
   * Signs a client without cookies in, and resolves to its token. This is the only time that the token can be read: give
   * it to the client over https, as `token.reveal()`. No cookie is set, and the one of the session that ends is removed.
   *
   * @throws SessionDataError when the module's `transport` option does not include `'bearer'`
   * @example
   * ```ts
   * const token = await session.authenticate(user.id, { transport: 'bearer' });
   * const body = { access_token: token.reveal(), token_type: 'Bearer' };
   * console.log(Object.keys(body));
   * ```
   */
  authenticate(
    userId: UserId,
    options: AuthenticateOptions<T> & { readonly transport: 'bearer' },
  ): Promise<SessionToken>;
  /**
   * Signs a user in, once the app has checked who they are. In one atomic step a new session with a new id and a new
   * token is stored, the old one ends, and the limit (`maxPerUser`) is kept. An id that somebody planted before the
   * sign-in therefore leads nowhere after it. The data is carried over, unless the old session was another user's or has
   * ended meanwhile.
   *
   * @param userId any string, integer or bigint; it is kept and compared as a string, byte for byte
   * @throws SessionLimitError (409) when `onLimit` is `'reject'` and the user has `maxPerUser` active sessions
   * @throws SessionGoneError (401) when the old session was the same user's and another request has ended it meanwhile,
   *   by `logoutAll()`, `revoke()` or the like: signing in then takes another request
   * @throws SessionConflictError (409) when the response has left already, so that it can carry no cookie
   * @throws SessionDataError (400 or 500) for an id, or an option, that is not what it has to be
   * @throws CrossSiteRequestException (403) when a page of another site made the browser send the request
   * @see OWASP ASVS 5.0, 7.2.4; OWASP Session Management Cheat Sheet, "Renew the Session ID After Any Privilege Level Change"
   * @example
   * ```ts
   * await session.authenticate(user.id);
   * console.log(session.userId, session.isNew); // '7' false
   * ```
   */
  authenticate(userId: UserId, options?: AuthenticateOptions<T>): Promise<void>;
  /**
   * Notes that the signed-in user has just proved once more who they are, as before a change of password. The session
   * keeps its id, data and absolute expiry; `authenticatedAt` is now; the token is a new one, and the old one has no
   * grace.
   *
   * @throws AuthenticationRequiredException (401) when nobody is signed in
   * @throws SessionConflictError (409) for a bearer session, whose client no response gives a new token: call
   *   `authenticate` with `transport: 'bearer'` instead. Also when the response has left already
   * @throws CrossSiteRequestException (403) when a page of another site made the browser send the request
   * @see OWASP ASVS 5.0, 7.5.1
   * @example
   * ```ts
   * export async function confirm(session: Session, users: UsersService, body: PasswordDto) {
   *   await users.checkPassword(session.userId ?? '', body.password);
   *   await session.reauthenticate(); // RequireAuth({ within: '10m' }) lets the next request in
   * }
   * ```
   */
  reauthenticate(): Promise<void>;
  /**
   * Asks for a new token, which the response will carry: after a change of rights, for instance. The session stays the
   * same, and the old token works for `rotation.grace` more, for requests that are under way. Without a stored session
   * nothing happens.
   *
   * @throws SessionConflictError (409) for a bearer session, whose client no response gives a new token; and when the
   *   response has left already
   * @throws CrossSiteRequestException (403) when a page of another site made the browser send the request
   * @example
   * ```ts
   * session.data.role = 'admin';
   * await session.rotate();
   * ```
   */
  rotate(): Promise<void>;
  /**
   * Ends this session and removes its cookie. Idempotent. Afterwards the object is a new, empty, anonymous session, and
   * what is put into it begins another one.
   *
   * @throws CrossSiteRequestException (403) when a page of another site made the browser send the request
   * @example
   * ```ts
   * await session.logout();
   * session.flash('info', 'Goodbye'); // in a session of its own
   * ```
   */
  logout(): Promise<void>;
  /**
   * Ends the user's other sessions; this one stays. `0` when nobody is signed in.
   *
   * @returns how many have been ended
   * @throws SessionGoneError (401) when another request has ended this one, which is looked up just before: it ends no others
   * @throws CrossSiteRequestException (403) when a page of another site made the browser send the request
   * @example
   * ```ts
   * const ended = await session.logoutOthers(); // once the password has been changed
   * session.flash('info', `Signed out on ${ended} other devices`);
   * ```
   */
  logoutOthers(): Promise<number>;
  /**
   * Ends all of the user's sessions, this one too, as `logout()` does. When nobody is signed in, it ends this one.
   *
   * @returns how many have been ended
   * @throws CrossSiteRequestException (403) when a page of another site made the browser send the request
   * @example
   * ```ts
   * const ended = await session.logoutAll();
   * console.log(`Signed out on ${ended} devices`);
   * ```
   */
  logoutAll(): Promise<number>;
  /**
   * The user's active sessions, most recently active first; `[]` when nobody is signed in.
   *
   * @example
   * ```ts
   * for (const device of await session.list())
   *   console.log(device.meta.deviceName, device.current ? 'this one' : device.lastActiveAt.toISOString());
   * ```
   */
  list(): Promise<SessionInfo[]>;
  /**
   * Ends one of the user's sessions; its own is ended as by `logout()`.
   *
   * @param id the public id, from `list()`. It may come from a client: nobody ends a session of somebody else
   * @returns `false` when it is not one of theirs, whether or not it exists
   * @throws SessionGoneError (401) when another request has ended this one, which is looked up just before
   * @throws CrossSiteRequestException (403) when a page of another site made the browser send the request
   * @example
   * ```ts
   * import { NotFoundException } from '@nestjs/common';
   *
   * async function endDevice(id: string) {
   *   if (!(await session.revoke(id))) throw new NotFoundException();
   * }
   * await endDevice('01JZ0000000000000000000000');
   * ```
   */
  revoke(id: string): Promise<boolean>;

  /** What may be logged: everything but the data. `JSON.stringify()` and `console.log()` show as much. */
  toJSON(): object;
}
