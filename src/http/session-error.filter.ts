import { type ArgumentsHost, Catch, Inject } from '@nestjs/common';
import { BaseExceptionFilter } from '@nestjs/core';
import { SessionError } from '../core/session-errors.js';
import { reportFailure, SessionHttpException, toHttpException } from './errors/to-http-exception.js';
import type { HttpRuntime } from './http-options.js';
import {
  type PlatformRequest,
  type PlatformResponse,
  rawResponse,
  routeOf,
} from './platform/platform-request.js';
import { HTTP_RUNTIME } from './session.guard.js';

/**
 * Answers errors of `SessionStore` that a guard, a pipe or a middleware of the app throws, which do not pass our interceptor.
 * It is the last exception filter: those of the app come first. Without it Nest would answer with a 500.
 */
@Catch(SessionError)
export class SessionErrorFilter extends BaseExceptionFilter {
  readonly #runtime: HttpRuntime;

  constructor(@Inject(HTTP_RUNTIME) runtime: HttpRuntime) {
    super();
    this.#runtime = runtime;
  }

  /**
   * In GraphQL it throws the error again, which the client gets, with words that it may read. Elsewhere it does nothing, and
   * Nest handles the error.
   */
  override catch(error: unknown, host: ArgumentsHost): void {
    const kind = host.getType<string>();
    if (kind === 'graphql') throw toHttpException(error);
    if (kind !== 'http') return;
    const exception = toHttpException(error);
    // An error that passed the interceptor is an HttpException already, and has been reported there.
    if (exception !== error && exception instanceof SessionHttpException) {
      const http = host.switchToHttp();
      const response = rawResponse(http.getResponse<PlatformResponse>());
      const route = routeOf(http.getRequest<PlatformRequest>());
      if (!response.headersSent) {
        const status = exception.getStatus();
        reportFailure(this.#runtime.logger, { failure: error, status, route, response });
      }
    }
    super.catch(exception, host);
  }
}
