import { HttpException } from '@nestjs/common';
import { SessionError, SessionGoneError, SessionStoreError } from '../../core/session-errors.js';
import type { SessionRow } from '../../core/session-row.js';
import { toHttpException } from '../errors/to-http-exception.js';
import type { HttpRuntime } from '../http-options.js';
import { MessageFacts } from '../session/message-facts.js';
import {
  type LoadedSession,
  type OtherSessions,
  RequestSessionState,
} from '../session/request-session-state.js';
import { SessionHandle } from '../session/session-handle.js';
import type { Exchange } from './exchange.js';
import type { FieldSaves } from './field-saves.js';

/*
 * A message over a socket, and its session.
 */

/** What the messages of a socket have in common. */
export interface SocketFacts {
  /** The session that the socket was opened with; `null`: none. */
  readonly session: Pick<SessionRow, 'id' | 'userId'> | null;
  /** What its tokens led to beside that: a message that signs out ends it too. */
  readonly others: OtherSessions;
  /** Whether it was opened with a bearer token. */
  readonly isBearer: boolean;
}

/** The session of one message: loaded for it, and saved when its handler has answered. There is no cookie. */
export class MessageExchange implements Exchange {
  readonly runtime: HttpRuntime;
  readonly state: RequestSessionState;
  readonly session: SessionHandle;
  #isOver = false;
  #isIntercepted = false;

  /** @param what what is being handled, for the log */
  constructor(
    runtime: HttpRuntime,
    isBearer: boolean,
    loaded: LoadedSession,
    countsAsTouch: boolean,
    what: string,
  ) {
    this.runtime = runtime;
    const facts = new MessageFacts(runtime, isBearer, what);
    this.state = new RequestSessionState(runtime.sessions, facts, loaded, countsAsTouch);
    this.session = new SessionHandle(this.state);
    this.state.touchIfDue(); // the message has come now; its answers may go on for hours
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Whether this is the first interceptor of ours that the message passes: Nest 12 may ask two. */
  intercept(): boolean {
    const isFirst = !this.#isIntercepted;
    this.#isIntercepted = true;
    return isFirst;
  }

  /** Resolvers of an operation save together; a message has one handler. */
  get fields(): FieldSaves | null {
    return null;
  }

  enterHandler(): void {}

  leaveHandler(): void {}

  noteSignInTooOld(): void {}

  noteFailure(error: unknown): void {
    if (error instanceof SessionError)
      this.state.noteFailure(error instanceof HttpException ? error.cause : error);
  }

  flush(): Promise<void> {
    return this.#isOver ? this.state.flushLate() : this.flushNow();
  }

  /** Saves what has changed, as `flush` does while the message is being handled. */
  protected async flushNow(): Promise<void> {
    try {
      await this.state.flush();
    } catch (error) {
      this.state.discard();
      this.noteFailure(error);
      throw toHttpException(error);
    }
  }

  /** Nothing waits for what the session still stores: it is saved behind the turn of each access. */
  detach(): void {
    this.state.leave();
    this.state.close();
  }

  /** The message is answered, or its client is gone: its use is recorded, and what was not saved is. */
  finish(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.detach();
  }
}

/** One message of a client, or the opening of its socket: what handlers, and all that they call, run on behalf of. */
export class SocketMessage {
  readonly #socket: SocketFacts;
  /** The client as Nest knows it; of a socket that is being opened, the request. */
  readonly client: object;
  #opening: Promise<MessageExchange> | null = null;
  #exchange: MessageExchange | null = null;
  #afterwards: (() => void)[] | null = null;
  #isOver = false;

  constructor(socket: SocketFacts, client: object) {
    this.#socket = socket;
    this.client = client;
  }

  /** The opening of a socket, whose session has just been loaded. What it holds is as it was then. */
  static ofOpening(
    runtime: HttpRuntime,
    socket: SocketFacts,
    client: object,
    loaded: LoadedSession,
  ): SocketMessage {
    const message = new SocketMessage(socket, client);
    message.#exchange = new MessageExchange(runtime, socket.isBearer, loaded, false, 'opening a socket');
    return message;
  }

  /** The exchange, once it is open; `null` also for a handler that skips the session. */
  get exchange(): MessageExchange | null {
    return this.#exchange;
  }

  /** Whether it came over that socket. */
  isOf(socket: SocketFacts): boolean {
    return this.#socket === socket;
  }

  /**
   * Looks the session up by its id, the first time: each guard asks. At once for a socket without a session.
   *
   * @param what what is being handled, for the log
   * @throws SessionHttpException (401) when the session has ended, (503) when it cannot be looked up
   */
  open(
    runtime: HttpRuntime,
    countsAsTouch: boolean,
    what: string,
  ): MessageExchange | Promise<MessageExchange> {
    if (this.#exchange !== null) return this.#exchange;
    const { session, others, isBearer } = this.#socket;
    const keep = (loaded: LoadedSession): MessageExchange =>
      (this.#exchange = this.makeExchange(runtime, isBearer, loaded, countsAsTouch, what));
    if (session === null) return keep({ ...others, resolved: null });
    this.#opening ??= readSession(runtime, session, others, what).then(keep);
    return this.#opening;
  }

  protected makeExchange(...given: ConstructorParameters<typeof MessageExchange>): MessageExchange {
    return new MessageExchange(...given);
  }

  /** Calls `then` when the message is answered, or its client is gone; `false`, and never, when it is already. */
  afterwards(then: () => void): boolean {
    if (this.#isOver) return false;
    (this.#afterwards ??= []).push(then);
    return true;
  }

  /** The message is answered, or its client is gone. */
  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#exchange?.finish();
    for (const then of this.#afterwards ?? []) then();
  }
}

/**
 * Looks up the session of a socket. Look-ups of one event-loop turn share one.
 *
 * @param what what is being handled, for the log
 * @throws SessionHttpException (401) when it has ended, which the socket then notices too, (503) when it cannot be looked up
 */
export async function readSession(
  { sessions, logger }: HttpRuntime,
  session: Pick<SessionRow, 'id' | 'userId'>,
  others: OtherSessions,
  what: string,
): Promise<LoadedSession> {
  try {
    const stored = await sessions.read(session);
    return { ...others, resolved: { ...stored, standing: 'current' } };
  } catch (error) {
    // The socket has to end too, if it does not already.
    if (error instanceof SessionGoneError) sessions.live.recheck([session.id]);
    // An outage is in the log already, and has a cause. An unknown key has none, and is logged here.
    if (error instanceof SessionStoreError && error.cause === undefined)
      logger.error(`${what}: ${error.message}`);
    throw toHttpException(error);
  }
}
