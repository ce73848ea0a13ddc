import type { SessionData } from '../../core/session-data.js';

/*
 * The types of `req.session`, as middleware written for express-session expects it.
 */

/** Called when a method has ended; with the error, when it failed. */
export type ExpressSessionCallback = (error?: unknown) => void;

/**
 * The cookie as `req.session.cookie` shows it. What it says follows the options of the module; it cannot be changed.
 */
export interface ExpressSessionCookie {
  /** When it expires; `null`: with the browser session. */
  readonly expires: Date | null;
  /** The same, in milliseconds from now. */
  readonly maxAge: number | null;
  /** The same, in milliseconds from the creation of the session. */
  readonly originalMaxAge: number | null;
  readonly httpOnly: true;
  readonly secure: boolean;
  readonly sameSite: 'lax' | 'strict' | 'none';
  readonly path: string;
  readonly domain: string | undefined;
  readonly partitioned: boolean;
}

/** The members of `req.session` beside the data. Methods that get no callback return a promise. */
export interface ExpressSessionMembers {
  /** The public id; `null` while nothing is stored. */
  readonly id: string | null;
  readonly cookie: ExpressSessionCookie;
  /** Makes what has changed so far durable now. */
  save(): Promise<void>;
  save(callback: ExpressSessionCallback): this;
  /** Ends this session. Afterwards `req.session` is a new, empty one that keeps nothing. */
  regenerate(): Promise<void>;
  regenerate(callback: ExpressSessionCallback): this;
  /** Ends this session. Afterwards `req.session` is `undefined`. */
  destroy(): Promise<void>;
  destroy(callback: ExpressSessionCallback): this;
  /** Reads the session again. What has not been saved is lost. Afterwards `req.session` is another object. */
  reload(): Promise<void>;
  reload(callback: ExpressSessionCallback): this;
  /** The request counts as use of the session. */
  touch(): this;
  /** Does nothing: the server decides how long a session lasts. */
  resetMaxAge(): this;
}

/**
 * The type of `req.session`: what middleware written for express-session expects. Our own methods are not here: get
 * the session by `@Session()` or `sessionOf(request)`.
 */
export type ExpressSession = SessionData & ExpressSessionMembers;
