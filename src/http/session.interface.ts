import type { UserId } from '../core/identifiers.js';
import type { JsonObject } from '../core/json-data.js';
import type { FlashMessage } from '../core/session-content.js';
import type { SessionData } from '../core/session-data.js';
import type { SessionIntegrity } from '../core/session-record.js';
import type { SessionToken, Transport } from '../core/session-token.js';

/** How a sign-in differs from the defaults. */
export interface AuthenticateOptions<T extends object = SessionData> {
  /** Top-level keys to set in the new session's data. */
  readonly data?: Partial<T>;
  /** `true`: a persistent cookie and the `remember` lifetimes. `false`: a cookie for the browser session. */
  readonly remember?: boolean;
  /** The session ends then at the latest, for instance when an identity provider's does. */
  readonly notAfter?: Date;
  /**
   * Added to what is kept about the client; a JSON object of at most 4096 bytes, which is kept as it is: where all is
   * more, the client's part is cut.
   */
  readonly meta?: object;
  /** `'bearer'`: a token for a client without cookies, which `authenticate` resolves to. @default 'cookie' */
  readonly transport?: Transport;
}

/** One of a user's sessions, as a page of devices shows it. */
export interface SessionInfo {
  /** Public id, for `revoke(id)`. */
  readonly id: string;
  /** Whether this is the session of the request. */
  readonly current: boolean;
  readonly createdAt: Date;
  readonly authenticatedAt: Date | null;
  /** Last recorded use; up to `touchInterval` behind. */
  readonly lastActiveAt: Date;
  readonly expiresAt: Date;
  /** `{ ip, userAgent, deviceName, deviceType }` at sign-in, and what the app added. */
  readonly meta: JsonObject;
  /** Other than `intact`: the row does not open, so `meta` is empty; it can be revoked all the same. */
  readonly integrity: SessionIntegrity;
}

/**
 * The session of one request. Changes of `data` are saved before the first byte of the response leaves; whatever
 * fails is an `HttpException` with the `SessionError` as its `cause` and its `code`. The response waits for the promises
 * of these methods, awaited or not. A rejection that nobody takes, of them or of what `then`, `catch` and `finally` make
 * of them, fails the response as if the handler had thrown it; once that has left it is an error in the log.
 */
export interface RequestSession<T extends object = SessionData> {
  /** Public ULID, safe to log and to list; `null` while nothing is stored. */
  readonly id: string | null;
  readonly userId: string | null;
  readonly isAuthenticated: boolean;
  /** Whether nothing is stored yet. */
  readonly isNew: boolean;
  /** `null` while nothing is stored, as the other instants. */
  readonly createdAt: Date | null;
  /** Last proof of identity. */
  readonly authenticatedAt: Date | null;
  /** Last recorded use; up to `touchInterval` behind. */
  readonly lastActiveAt: Date | null;
  /** When the session ends unless it is used. */
  readonly expiresAt: Date | null;
  /** About the client at sign-in. */
  readonly meta: JsonObject;

  /**
   * A plain JSON object to read and change; deep changes are noticed. Assigning replaces all that is stored. What JSON
   * cannot hold is a `SessionDataError`: 400 where a client can have sent it, 500 where only code can have made it.
   */
  data: T;
  get<K extends keyof T>(key: K): T[K] | undefined;
  set<K extends keyof T>(key: K, value: T[K]): void;
  has(key: keyof T): boolean;
  /** Whether there was such a key. */
  remove(key: keyof T): boolean;
  /** Reads and removes. Parallel requests may both get it: see `takeOnce`. */
  take<K extends keyof T>(key: K): T[K] | undefined;
  /** Removes all data, whatever is stored by then. */
  clear(): void;

  /**
   * Atomic read-modify-write. `fn` gets fresh data with this request's unsaved changes, changes it in place, and may
   * run again after a conflict: keep side effects out. What it made becomes `data`, durable when this resolves.
   *
   * @returns what the run that was stored returned
   * @throws SessionGoneError (401) when the session has ended
   * @throws SessionConflictError (409) when others kept changing it until `timeout`
   * @throws CrossSiteRequestException (403) when it would begin a session for a page of another site
   */
  update<R>(fn: (data: T) => R | Promise<R>): Promise<R>;
  /** As `take`, with one winner among parallel requests. */
  takeOnce<K extends keyof T>(key: K): Promise<T[K] | undefined>;
  /** Keeps a message until it has been read once. */
  flash(kind: string, text: string): void;
  /** The messages that are kept, oldest first. Reading removes them. */
  flashes(): FlashMessage[];
  /**
   * Makes what has changed so far durable now.
   *
   * @throws CrossSiteRequestException (403) when it would begin a session for a page of another site
   */
  save(): Promise<void>;

  /**
   * Signs in: a new session with a new id and token; the old one ends, and the limit is kept, in one atomic step. Data
   * is carried over unless the old session belonged to another user, or has ended meanwhile.
   *
   * @throws SessionGoneError (401) when the old session was the same user's and has been ended meanwhile, by
   *   `logoutAll()`, `revoke()` or the like: signing in then takes another request
   * @throws SessionLimitError (409) when `onLimit` is `'reject'` and the limit is reached
   * With `transport: 'bearer'` it resolves to the token, once: give it to the client over https, as `token.reveal()`.
   * No cookie is set, and the one of the session that ended is removed.
   *
   * @throws CrossSiteRequestException (403) when a page of another site made the browser send the request
   * @see OWASP ASVS 5.0, 7.2.4; OWASP Session Management Cheat Sheet, "Renew the Session ID After Any Privilege Level Change"
   */
  authenticate(
    userId: UserId,
    options: AuthenticateOptions<T> & { readonly transport: 'bearer' },
  ): Promise<SessionToken>;
  authenticate(userId: UserId, options?: AuthenticateOptions<T>): Promise<void>;
  /**
   * The same user proved it again: same id, new token without grace, `authenticatedAt` now. The absolute expiry stays.
   *
   * @throws SessionConflictError (409) for a bearer session: `authenticate` with `transport: 'bearer'` signs in anew

   * @throws UnauthorizedException when nobody is signed in
   */
  reauthenticate(): Promise<void>;
  /**
   * Asks for a new token, which the response will carry; the old one works for `rotation.grace` more.
   *
   * @throws SessionConflictError (409) for a bearer session, whose token no response carries
   */
  rotate(): Promise<void>;
  /** Ends this session. Idempotent. Afterwards the object is a new, empty, anonymous session. */
  logout(): Promise<void>;
  /** Ends the user's other sessions; how many. */
  logoutOthers(): Promise<number>;
  /** Ends all of the user's sessions, this one too; how many. */
  logoutAll(): Promise<number>;
  /** The user's active sessions, most recently active first; `[]` when nobody is signed in. */
  list(): Promise<SessionInfo[]>;
  /** Ends one of the user's sessions by id. `false` when it is not one of theirs, whether or not it exists. */
  revoke(id: string): Promise<boolean>;

  /** What may be logged: everything but the data. */
  toJSON(): object;
}
