import type { HttpRuntime } from '../http-options.js';
import type { RequestSessionState } from '../session/request-session-state.js';
import type { SessionHandle } from '../session/session-handle.js';
import type { FieldSaves } from './field-saves.js';

/** What guards, interceptors and decorators need of a request or a message that has a session, wherever it came from. */
export interface Exchange {
  readonly runtime: HttpRuntime;
  readonly session: SessionHandle;
  readonly state: RequestSessionState;
  /** Whether it is answered, or its client is gone, and no handler is at work any more. */
  readonly isOver: boolean;

  /** How the resolvers of GraphQL save that share it; `null` while none has been called. */
  readonly fields: FieldSaves | null;

  /** A handler is called. It is at work until `leaveHandler`. */
  enterHandler(): void;
  /** A handler has ended. */
  leaveHandler(): void;
  /** The handler needs a sign-in that is at most `within` milliseconds old, and this one is older. */
  noteSignInTooOld(within: number): void;
  /** The handler failed, perhaps by an error of the `SessionStore`, which it may have called by itself. */
  noteFailure(error: unknown): void;
  /**
   * Saves what has changed, before the client is answered. What cannot be saved is forgotten, so that it is reported once.
   *
   * @throws an HttpException, or what nobody has handled
   */
  flush(): Promise<void>;
}
