import type { EpochMs, SessionRow } from './session-row.js';

/** Why a session was ended on purpose. */
export type RevokeReason =
  'logout' | 'logout-others' | 'logout-all' | 'revoked' | 'replaced' | 'reuse' | 'client-change';

/** What a listener gets. Never a token, never data. */
export interface SessionEvent {
  readonly sessionId: string;
  readonly userId: string | null;
  readonly at: Date;
  /** Address of the client whose request caused the event, where one did. */
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

/** Events by name, with what their listeners get. */
export interface SessionEventMap {
  /** A session was stored for the first time. */
  created: SessionEvent;
  /** A user signed in, or reauthenticated. */
  authenticated: SessionEvent;
  /** A new token was issued for a session. */
  rotated: SessionEvent;
  /** A session was ended because its user signed in elsewhere, over the limit. */
  evicted: SessionEvent;
  revoked: SessionEvent & { readonly reason: RevokeReason };
  /** Once per session and process: a request met a session that had expired. */
  expired: SessionEvent;
  /** A token that had been replaced was presented: somebody else holds it. The session was revoked. */
  reuse: SessionEvent;
  /**
   * Once per session and process: a session turned up with another browser or platform than it was signed in with,
   * and `onClientChange` is on.
   */
  'client-change': SessionEvent;
  /** Once per session and process: a stored payload did not open. */
  tampered: SessionEvent;
  /** Expired sessions were deleted. */
  cleanup: { readonly at: Date; readonly count: number };
}

/** Names of the events. */
export type SessionEventName = keyof SessionEventMap;
/** Called with each event of one name. What it returns is not awaited; what it throws is logged. */
export type SessionEventListener<N extends SessionEventName> = (event: SessionEventMap[N]) => unknown;

type Listeners = { [N in SessionEventName]?: Set<SessionEventListener<N>> };

/**
 * Calls listeners with what happened to sessions, after it was stored.
 *
 * @see OWASP ASVS 5.0, 16.3.1 (log all authentication operations)
 */
export class SessionEvents {
  readonly #listeners: Listeners = {};
  readonly #onError: (name: SessionEventName, error: unknown) => void;

  /** @param onError called when a listener throws or rejects; by default that is ignored */
  constructor(onError: (name: SessionEventName, error: unknown) => void = () => undefined) {
    this.#onError = onError;
  }

  /** Calls `listener` at every event of that name; what it returns is not awaited. Returns the way to stop it. */
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
