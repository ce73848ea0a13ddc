import { HttpException } from '@nestjs/common';
import type { ServerResponse } from 'node:http';
import type { LiveRegistration } from '../../core/live-sessions.js';
import { SessionError } from '../../core/session-errors.js';
import { describeError, toHttpException } from '../errors/to-http-exception.js';
import type { HttpRuntime } from '../http-options.js';
import { type PlatformRequest, routeOf } from '../platform/platform-request.js';
import { type ResponseExit, ResponseGate } from '../response/response-gate.js';
import type { ServedSession } from '../response/session-headers.js';
import { GraphqlRequestFacts, HttpRequestFacts } from '../session/request-facts.js';
import { type LeavingSession, RequestSessionState } from '../session/request-session-state.js';
import { SessionHandle } from '../session/session-handle.js';
import type { Exchange } from './exchange.js';
import { FieldSaves } from './field-saves.js';
import { type LoadedToken, loadSession, NO_TOKEN } from './load-session.js';

/** A request, the response to it, and whether serving it counts as use of the session: `null` before it is routed. */
export interface ExchangeInput {
  readonly request: PlatformRequest;
  /** The raw response of Node, whatever the platform. */
  readonly response: ServerResponse;
  readonly countsAsTouch: boolean | null;
}

/**
 * One request and its response, from the cookie that comes in to the cookie that goes out: `open` loads the session, the
 * handler works with `session`, `flush` saves it, and the gate of the response waits for that. `RequestSessionState` decides
 * what is saved and sent; only the exchange knows the gate.
 */
export class SessionExchange implements Exchange {
  readonly session: SessionHandle;
  readonly state: RequestSessionState;
  readonly runtime: HttpRuntime;
  readonly #commit: SessionCommit;
  readonly #gate: ResponseGate;
  readonly #isBearer: boolean;
  /** How many handlers are at work: none, one, or the fields of a query. */
  #handlers = 0;
  /** How the resolvers of a request of GraphQL save; `null` while none has been called. */
  #fields: FieldSaves | null = null;

  private constructor(runtime: HttpRuntime, input: ExchangeInput, { session, isBearer }: LoadedToken) {
    const { request, response, countsAsTouch } = input;
    this.runtime = runtime;
    this.#isBearer = isBearer;
    const facts = new HttpRequestFacts(runtime, request, isBearer);
    const isHeadSent = (): boolean => !gate.isHeadPending;
    this.state = new RequestSessionState(runtime.sessions, facts, session, countsAsTouch, isHeadSent);
    this.session = new SessionHandle(this.state);
    this.#commit = new SessionCommit(runtime, this.state, request, isBearer);
    const gate = new ResponseGate(response, this.#commit);
    this.#gate = gate;
  }

  /**
   * Loads the session that the request's token leads to, or an empty one: at once where no token is presented.
   *
   * @throws SessionHttpException (503) when a genuine token cannot be looked up
   * @throws TwoTokensException (400)
   */
  static open(runtime: HttpRuntime, input: ExchangeInput): SessionExchange | Promise<SessionExchange> {
    const loaded = loadSession(runtime, input.request);
    if (!(loaded instanceof Promise)) return new SessionExchange(runtime, input, loaded);
    return loaded.then((found) => new SessionExchange(runtime, input, found));
  }

  /** A session with nothing in it, for a request that presents no token. */
  static empty(runtime: HttpRuntime, input: ExchangeInput): SessionExchange {
    return new SessionExchange(runtime, input, NO_TOKEN);
  }

  /** The request has come to a route, perhaps as another object of the platform's. Each guard of the route says so. */
  route(request: PlatformRequest, countsAsTouch: boolean): void {
    if (request !== this.#commit.request) {
      this.#commit.request = request;
      this.state.replaceFacts(new HttpRequestFacts(this.runtime, request, this.#isBearer));
    }
    this.state.route(countsAsTouch);
  }

  /** The request has come to a resolver of GraphQL. Each guard of a field says so. */
  routeField(request: PlatformRequest, countsAsTouch: boolean): void {
    if (this.#fields === null) {
      this.#commit.request = request;
      this.#commit.isGraphql = true;
      this.state.replaceFacts(new GraphqlRequestFacts(this.runtime, request, this.#isBearer));
      this.#fields = new FieldSaves(this);
    }
    this.state.route(countsAsTouch);
  }

  /** How the resolvers of the request save; `null` while none has been called. */
  get fields(): FieldSaves | null {
    return this.#fields;
  }

  /** Whether the response has been sent, or its client has closed the connection, and no handler is at work any more. */
  get isOver(): boolean {
    return this.state.isClosed && this.#handlers === 0;
  }

  /** A handler is called. It is at work until `leaveHandler`. */
  enterHandler(): void {
    this.#handlers++;
  }

  /** A handler has ended. */
  leaveHandler(): void {
    this.#handlers--;
  }

  /** The route needs a sign-in that is at most `within` milliseconds old, and this one is older. */
  noteSignInTooOld(within: number): void {
    this.#commit.within = within;
  }

  /** The handler failed, perhaps by an error of the `SessionStore`, which it may have called by itself. */
  noteFailure(error: unknown): void {
    this.#commit.noteFailure(error);
  }

  /**
   * Saves what has changed, before the response is composed. What cannot be saved is forgotten, so that it is
   * reported once.
   *
   * @throws an HttpException, or what nobody has handled
   */
  async flush(): Promise<void> {
    if (this.#gate.isHolding) return;
    if (!this.#gate.isHeadPending) return this.state.flushLate();
    try {
      await this.state.flush();
    } catch (error) {
      // The handler has answered meanwhile, and that answer waits: the gate answers with the failure instead.
      if (this.#gate.isHolding) return;
      this.#gate.dropAfterEnd();
      this.state.discard();
      this.noteFailure(error);
      throw toHttpException(error);
    }
  }
}

/**
 * What the gate of a response asks of the session: that it is saved before the first byte, what the head has to say of it,
 * and what is answered when it cannot be saved.
 */
class SessionCommit implements ResponseExit {
  /** The request, as the last object that the platform has made of it. */
  request: PlatformRequest;
  /** How old a sign-in may be on this route, in milliseconds, where this one was older. */
  within: number | null = null;
  /** Whether resolvers of GraphQL were called, so that the client reads a list of errors. */
  isGraphql = false;
  readonly #runtime: HttpRuntime;
  readonly #state: RequestSessionState;
  readonly #isBearer: boolean;
  /** That of an event stream; `null`: the response is none. */
  #registration: LiveRegistration | null = null;

  /** @param isBearer whether the request came with a bearer token */
  constructor(runtime: HttpRuntime, state: RequestSessionState, request: PlatformRequest, isBearer: boolean) {
    this.#runtime = runtime;
    this.#state = state;
    this.request = request;
    this.#isBearer = isBearer;
  }

  leave(): ServedSession | Promise<ServedSession> {
    const leaving = this.#state.settle();
    return leaving instanceof Promise ? leaving.then((left) => this.#served(left)) : this.#served(leaving);
  }

  refusal(error: unknown): ReturnType<ResponseExit['refusal']> {
    this.#state.discard();
    const exception = toHttpException(error);
    this.noteFailure(error);
    const session = this.lookAgain();
    if (exception instanceof HttpException) {
      const body = this.isGraphql ? graphqlBody(exception) : (exception.getResponse() as object);
      return { status: exception.getStatus(), body, session };
    }
    const route = routeOf(this.request);
    this.#runtime.logger.error(`${route}: the response could not be sent: ${describeError(error)}`);
    const body = this.isGraphql ? graphqlBody(new Error(UNKNOWN)) : { statusCode: 500, message: UNKNOWN };
    return { status: 500, body, session };
  }

  lookAgain(): ServedSession {
    return this.#served(this.#state.leave());
  }

  streams(end: () => void): void {
    const row = this.#state.stream();
    if (row !== null) this.#registration = this.#runtime.sessions.live.add(row, { end });
  }

  sends(): void {
    this.#state.flushEvent();
  }

  closed(): void {
    this.#registration?.takeBack();
    this.#state.close();
  }

  /** The handler failed, or the session could not be saved. An error that is not of sessions is no concern of the head. */
  noteFailure(error: unknown): void {
    if (error instanceof SessionError)
      this.#state.noteFailure(error instanceof HttpException ? error.cause : error);
  }

  /** Field by field, because a spread would take longer than all the rest. */
  #served({ cookie, isRead, userId, failure }: LeavingSession): ServedSession {
    const { logger, options, sessions } = this.#runtime;
    return {
      request: this.request,
      options,
      logger,
      now: sessions.clock.now(),
      cookie,
      isRead,
      userId,
      isBearer: this.#isBearer,
      within: this.within,
      failure,
    };
  }
}

const UNKNOWN = 'Internal server error';

/** The answer to a whole GraphQL request, where its fields have their values already. @see GraphQL, 7.1.2 */
function graphqlBody(error: Error): object {
  const { message } = error;
  return { errors: ['extensions' in error ? { message, extensions: error.extensions } : { message }] };
}
