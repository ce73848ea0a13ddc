import type { EpochMs, SessionRow } from './session-row.js';

/*
 * The events of sessions: what they are called, what listeners get, and how they are emitted.
 */

/**
 * Why a session was ended on purpose: by `logout()`, `logoutOthers()` or `logoutAll()`; `'revoked'` by id or through
 * `SessionStore`; `'replaced'` by a sign-in of the same client; `'reuse'`, because a replaced token came back;
 * `'client-change'`, because another browser or platform turned up and `onClientChange` is `'revoke'`.
 */
export type RevokeReason =
  'logout' | 'logout-others' | 'logout-all' | 'revoked' | 'replaced' | 'reuse' | 'client-change';

/** What a listener is told about one session: never a token, never data. */
export interface SessionEvent {
  /** The public id, which the session had when it happened. */
  readonly sessionId: string;
  /** The owner; `null`: an anonymous session. */
  readonly userId: string | null;
  /** When it happened. */
  readonly at: Date;
  /** Address of the client whose request caused the event, where one did, as the platform's proxy settings have it. */
  readonly ip?: string;
}

/** The event of a session. @param ip address of the client, if a request caused the event */
export function eventOf(
  { id, userId }: Pick<SessionRow, 'id' | 'userId'>,
  now: EpochMs,
  ip?: string,
): SessionEvent {
  return { sessionId: id, userId, at: new Date(now), ...(ip === undefined ? {} : { ip }) };
}

/**
 * The events by name, with what their listeners are told. What requests keep meeting (`expired`, `client-change`,
 * `tampered`) is told once per session and process.
 */
export interface SessionEventMap {
  /** A session was stored for the first time. */
  created: SessionEvent;
  /** A user signed in, or reauthenticated. */
  authenticated: SessionEvent;
  /** A new token was issued for a session. */
  rotated: SessionEvent;
  /** A session was ended because its user signed in elsewhere, over the limit. */
  evicted: SessionEvent;
  /** A session was ended on purpose; `reason` says by what. */
  revoked: SessionEvent & { readonly reason: RevokeReason };
  /** A request met a session that had expired. Told once per session and process. */
  expired: SessionEvent;
  /** A token that had been replaced came back, so that somebody else may hold it. The session has been revoked. */
  reuse: SessionEvent;
  /**
   * A session turned up with another browser or platform than it was signed in with, and `onClientChange` is on. Told
   * once per session and process.
   */
  'client-change': SessionEvent;
  /** A stored payload did not open. Told once per session and process. */
  tampered: SessionEvent;
  /** Expired sessions were deleted. */
  cleanup: { readonly at: Date; readonly count: number };
}

/** The name of an event. */
export type SessionEventName = keyof SessionEventMap;
/** A function that is told of each event of one name. Nobody waits for what it returns; what it throws is logged. */
export type SessionEventListener<N extends SessionEventName> = (event: SessionEventMap[N]) => unknown;

type Listeners = { [N in SessionEventName]?: Set<SessionEventListener<N>> };

/**
 * Tells listeners what happened to sessions, after it has been stored. Inject it, or take `store.events`. A listener
 * holds no request up and breaks none: what it throws or rejects with is logged. Each process tells what it did itself,
 * not what its replicas did.
 *
 * @see OWASP ASVS 5.0, 16.3.1 (log all authentication operations)
 * @example
 * ```ts
 * import { Logger } from '@nestjs/common';
 *
 * export class SignInLog {
 *   constructor(events: SessionEvents, logger = new Logger('sign-ins')) {
 *     events.on('authenticated', ({ userId, ip }) => logger.log(`${userId} signed in from ${ip}`));
 *     events.on('reuse', ({ userId, ip }) => logger.warn(`A stolen token of ${userId}, from ${ip}`));
 *   }
 * }
 * ```
 */
export class SessionEvents {
  readonly #listeners: Listeners = {};
  readonly #onError: (name: SessionEventName, error: unknown) => void;

  /** @param onError called when a listener throws or rejects; by default that is ignored */
  constructor(onError: (name: SessionEventName, error: unknown) => void = () => undefined) {
    this.#onError = onError;
  }

  /**
   * Calls `listener` at every event of that name, until it is stopped.
   *
   * @returns the way to stop it; calling that again does nothing
   * @example
   * ```ts
   * const stop = store.events.on('cleanup', ({ count }) => console.log(`${count} expired sessions deleted`));
   * await store.cleanupExpired();
   * stop();
   * ```
   */
  on<N extends SessionEventName>(name: N, listener: SessionEventListener<N>): () => void {
    const listeners = this.#of(name);
    listeners.add(listener);
    return () => void listeners.delete(listener);
  }

  /** @internal */
  emit<N extends SessionEventName>(name: N, event: SessionEventMap[N]): void {
    for (const listener of this.#of(name)) {
      void (async () => listener(event))().catch((error: unknown) => this.#onError(name, error));
    }
  }

  #of<N extends SessionEventName>(name: N): Set<SessionEventListener<N>> {
    const listeners: Listeners[N] = (this.#listeners[name] ??= new Set<never>() as Listeners[N]);
    return listeners as Set<SessionEventListener<N>>;
  }
}
