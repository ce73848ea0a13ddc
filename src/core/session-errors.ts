/*
 * Every error of the library that is not an answer to a request.
 */

/** What went wrong, as a word that programs compare: one per class of error. The table of docs/events-and-errors.md gives each its status. */
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

/**
 * The base of every error of this package. What `SessionStore` throws is one, with all details. What leaves a handler is
 * an `HttpException` that has it as its `cause`, and passes for it: in `instanceof`, and in `@Catch()`.
 *
 * @example
 * ```ts
 * try {
 *   await store.destroyAllForUser(user.id);
 * } catch (error) {
 *   if (!(error instanceof SessionError)) throw error;
 *   console.error(error.code, error.cause); // session_store_unavailable, and what the driver said
 * }
 * ```
 */
export class SessionError extends Error {
  /** What went wrong, for programs. It is in the body of the response too. */
  readonly code: SessionErrorCode = 'session_error';

  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = new.target.name;
  }

  /** The code, where GraphQL looks for what its client gets beside the message. */
  get extensions(): { readonly code: SessionErrorCode } {
    return { code: this.code };
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

/**
 * An option cannot be used: thrown at startup, so that an app with a mistake in it does not start. Also thrown by methods
 * that are given a duration which is none; in a handler that is a 500. The message reads "expected …, got …".
 */
export class SessionOptionsError extends SessionError {
  override readonly code = 'session_options_invalid';
}

/**
 * Storage cannot be reached, does not answer within `timeout`, or holds a payload that names a key which is not among
 * `key`. Over HTTP it is a 503 with `Retry-After`, and the client keeps its cookie: nobody is signed out by an outage.
 *
 * @example
 * ```ts
 * export async function endSessionsOf(userId: string): Promise<'done' | 'try again'> {
 *   try {
 *     await store.destroyAllForUser(userId);
 *     return 'done';
 *   } catch (error) {
 *     if (error instanceof SessionStoreError) return 'try again';
 *     throw error;
 *   }
 * }
 * ```
 */
export class SessionStoreError extends SessionError {
  override readonly code = 'session_store_unavailable';
}

/**
 * The session has ended, by logout, revocation, eviction or expiry, so that its data cannot be changed any more: nothing
 * is stored, and no session comes back to life. Over HTTP it is a 401; a request that only reads does not meet it.
 *
 * @example In a handler that would rather go on without what it wanted to keep
 * ```ts
 * try {
 *   await session.update((data) => (data.cart ??= []).push({ sku: 'tea', count: 1 }));
 * } catch (error) {
 *   if (!(error instanceof SessionGoneError)) throw error;
 *   console.log('Signed out on another device meanwhile');
 * }
 * ```
 */
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
 * The change cannot be made as things are, and nothing was stored: other requests kept changing the session until
 * `timeout`, the wanted id or key is another's, or the response has left already and can carry no cookie. Over HTTP it is
 * a 409.
 */
export class SessionConflictError extends SessionError {
  override readonly code = 'session_conflict';
}

/**
 * The sign-in is one too many: the user has `maxPerUser` active sessions, and `onLimit` is `'reject'`. Nothing was stored.
 * Over HTTP it is a 409.
 *
 * @example A filter of the app's own, which also sees it as the cause of an `HttpException`
 * ```ts
 * import { type ArgumentsHost, Catch, type ExceptionFilter } from '@nestjs/common';
 * import type { Response } from 'express';
 *
 * @Catch(SessionLimitError)
 * export class LimitFilter implements ExceptionFilter {
 *   catch(_error: unknown, host: ArgumentsHost) {
 *     host.switchToHttp().getResponse<Response>().redirect(303, '/devices?full');
 *   }
 * }
 * ```
 */
export class SessionLimitError extends SessionError {
  override readonly code = 'session_limit_reached';
}

/** Data and flash messages are more than `maxDataBytes`, or what is kept about the client is too much. Nothing was stored. */
export class SessionTooLargeError extends SessionError {
  override readonly code = 'session_too_large';
}

/**
 * A stored payload does not open under the key that it names: somebody altered it, or moved it from another session or
 * user. `SessionStore.read()` and `load()` throw it; from a handler it leaves as a 401. A request with the token of such a
 * session is anonymous, and lists mark the session, so that its owner can revoke it.
 */
export class SessionTamperedError extends SessionError {
  override readonly code = 'session_tampered';
}

/**
 * Who can have made a value that sessions refuse. `'input'`: also a client, if code passes on what a JSON body or a form
 * holds or lacks; over HTTP that is a 400. `'code'`: no client can; a 500.
 */
export type DataFault = 'input' | 'code';

/**
 * The data is not JSON, or a value (a user id, an option of a call) is not what it has to be. The message names the path
 * of the value, and not the value. Nothing was stored.
 *
 * @example
 * ```ts
 * try {
 *   await store.create({}, 'ada', { price: 10n });
 * } catch (error) {
 *   if (error instanceof SessionDataError) console.log(error.path, error.fault); // data.price code
 * }
 * ```
 */
export class SessionDataError extends SessionError {
  override readonly code = 'session_data_invalid';
  /** Where the value is, in 200 characters at most: `data.cart[3].price`, `userId`. `null`: nowhere in particular. */
  readonly path: string | null;
  /** Who can have made the value. */
  readonly fault: DataFault;

  /** @param options.fault @default 'code' */
  constructor(message: string, options: { cause?: unknown; path?: string; fault?: DataFault } = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined);
    this.path = options.path ?? null;
    this.fault = options.fault ?? 'code';
  }
}
