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
 * The last of all filters: answers what a guard, a pipe or a middleware of the app let through of `SessionStore`, where
 * no interceptor of ours is between, and which no filter of the app has caught. Nest would make a 500 of it.
 */
@Catch(SessionError)
export class SessionErrorFilter extends BaseExceptionFilter {
  readonly #runtime: HttpRuntime;

  constructor(@Inject(HTTP_RUNTIME) runtime: HttpRuntime) {
    super();
    this.#runtime = runtime;
  }

  /** Outside HTTP it does nothing: what comes of the error there is left to Nest. */
  override catch(error: unknown, host: ArgumentsHost): void {
    if (host.getType() !== 'http') return;
    const exception = toHttpException(error);
    // What passed the interceptor has been reported by it.
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
