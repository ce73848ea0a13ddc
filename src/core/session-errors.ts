/** What went wrong, in a form that code can compare. One per error class; see the README's table of failures. */
export type SessionErrorCode =
  | 'session_error'
  | 'session_options_invalid'
  | 'session_store_unavailable'
  | 'session_gone'
  | 'session_conflict'
  | 'session_limit_reached'
  | 'session_too_large'
  | 'session_tampered'
  | 'session_data_invalid';

/** Marks an error of another layer (an HTTP exception) that counts as the `SessionError` in its `cause`. */
export const STANDS_FOR_CAUSE = Symbol.for('nest-sessions.stands-for-cause');

/** Base of every error of this library. Core knows no status codes: the HTTP layer gives each class its own. */
export class SessionError extends Error {
  readonly code: SessionErrorCode = 'session_error';

  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = new.target.name;
  }

  /**
   * `instanceof` also holds for the HTTP exception that carries such an error as its cause, so that
   * `@Catch(SessionLimitError)` matches what leaves a handler.
   */
  static override [Symbol.hasInstance](value: unknown): boolean {
    if (Function.prototype[Symbol.hasInstance].call(this, value)) return true;
    return (
      value instanceof Error &&
      STANDS_FOR_CAUSE in value &&
      Function.prototype[Symbol.hasInstance].call(this, value.cause)
    );
  }
}

/** An option, or a duration given to a method, that cannot be used. Thrown at startup, or by that call. */
export class SessionOptionsError extends SessionError {
  override readonly code = 'session_options_invalid';
}

/** The storage cannot be reached, is too slow, or holds a payload whose key is not in the ring. Try again later. */
export class SessionStoreError extends SessionError {
  override readonly code = 'session_store_unavailable';
}

/** The session has ended (logout, revocation, expiry, eviction), so its data cannot be changed any more. */
export class SessionGoneError extends SessionError {
  override readonly code = 'session_gone';
}

/** The error of whoever wants to change a session that has ended. */
export function gone(): SessionGoneError {
  return new SessionGoneError(
    'The session has ended (signed out, revoked or expired), so nothing was saved. Sign in again',
  );
}

/**
 * Others kept changing the same session until the timeout, or the wanted id or key is another's. Nothing was stored.
 */
export class SessionConflictError extends SessionError {
  override readonly code = 'session_conflict';
}

/** The user has `maxPerUser` active sessions and `onLimit` is `'reject'`. */
export class SessionLimitError extends SessionError {
  override readonly code = 'session_limit_reached';
}

/** The data is larger than `maxDataBytes`. Nothing was stored. */
export class SessionTooLargeError extends SessionError {
  override readonly code = 'session_too_large';
}

/** A stored payload does not open under the key it names: it was altered, or moved from another session or user. */
export class SessionTamperedError extends SessionError {
  override readonly code = 'session_tampered';
}

/**
 * Who can have made a value that sessions refuse. `'input'`: also a client, if code passes on what a JSON body or a
 * form holds, or lacks. `'code'`: no client can.
 */
export type DataFault = 'input' | 'code';

/**
 * The data is not JSON, or a value (a user id, an option of a call) is not what it has to be. The message names the
 * path of the offending value. Nothing was stored.
 */
export class SessionDataError extends SessionError {
  override readonly code = 'session_data_invalid';
  /** Where the value is, in 200 characters at most: `data.cart[3].price`, `userId`. `null`: nowhere in particular. */
  readonly path: string | null;
  readonly fault: DataFault;

  /** @param options.fault @default 'code' */
  constructor(message: string, options: { cause?: unknown; path?: string; fault?: DataFault } = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined);
    this.path = options.path ?? null;
    this.fault = options.fault ?? 'code';
  }
}
