import { HttpException } from '@nestjs/common';
import { SessionError } from '../../core/session-errors.js';
import { describeError, toHttpException } from '../errors/to-http-exception.js';
import type { HttpRuntime } from '../http-options.js';
import { type PlatformRequest, routeOf } from '../platform/platform-request.js';
import type { ResponseExit } from '../response/response-gate.js';
import type { ServedSession } from '../response/session-headers.js';
import type { LeavingSession, RequestSessionState } from '../session/request-session-state.js';

/**
 * What the gate of a response asks of the session: that it is saved before the first byte, what the head has to say of it,
 * and what is answered when it cannot be saved.
 */
export class SessionCommit implements ResponseExit {
  /** The request, as the last object that the platform has made of it. */
  request: PlatformRequest;
  /** How old a sign-in may be on this route, in milliseconds, where this one was older. */
  within: number | null = null;
  readonly #runtime: HttpRuntime;
  readonly #state: RequestSessionState;
  readonly #isBearer: boolean;

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
    if (exception instanceof HttpException) this.noteFailure(error);
    const session = this.#served(this.#state.leave());
    if (exception instanceof HttpException)
      return { status: exception.getStatus(), body: exception.getResponse() as object, session };
    const route = routeOf(this.request);
    this.#runtime.logger.error(`${route}: the response could not be sent: ${describeError(error)}`);
    return { status: 500, body: { statusCode: 500, message: 'Internal server error' }, session };
  }

  closed(isHeadSent: boolean): void {
    if (isHeadSent) this.#state.commit();
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
