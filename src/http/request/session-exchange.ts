import type { ServerResponse } from 'node:http';
import { toHttpException } from '../errors/to-http-exception.js';
import type { HttpRuntime } from '../http-options.js';
import type { PlatformRequest } from '../platform/platform-request.js';
import { ResponseGate } from '../response/response-gate.js';
import { HttpRequestFacts } from '../session/request-facts.js';
import { RequestSessionState } from '../session/request-session-state.js';
import { SessionHandle } from '../session/session-handle.js';
import { type LoadedToken, loadSession, NO_TOKEN } from './load-session.js';
import { SessionCommit } from './session-commit.js';

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
export class SessionExchange {
  readonly session: SessionHandle;
  readonly state: RequestSessionState;
  readonly runtime: HttpRuntime;
  readonly #commit: SessionCommit;
  readonly #gate: ResponseGate;
  readonly #isBearer: boolean;

  private constructor(runtime: HttpRuntime, input: ExchangeInput, { session, isBearer }: LoadedToken) {
    const { request, response, countsAsTouch } = input;
    this.runtime = runtime;
    this.#isBearer = isBearer;
    const facts = new HttpRequestFacts(runtime, request, isBearer);
    this.state = new RequestSessionState(runtime.sessions, facts, session, countsAsTouch);
    this.session = new SessionHandle(this.state);
    this.#commit = new SessionCommit(runtime, this.state, request, isBearer);
    this.#gate = new ResponseGate(response, this.#commit);
    if (!this.#gate.isHeadPending) this.state.commit();
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
