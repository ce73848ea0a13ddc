import {
  type CallHandler,
  type ExecutionContext,
  Inject,
  Injectable,
  type NestInterceptor,
} from '@nestjs/common';
import { catchError, concat, concatMap, defer, EMPTY, from, map, type Observable, of } from 'rxjs';
import { reportFailure, saysUnsaved, SessionHttpException, toHttpException } from './session-exceptions.js';
import type { SessionExchange } from './session-exchange.js';
import type { HttpRuntime } from './session-runtime.js';
import {
  exchangeOf,
  type PlatformRequest,
  type PlatformResponse,
  rawResponse,
  routeOf,
} from './session-of.js';
import { HTTP_RUNTIME } from './session.guard.js';

/**
 * The outermost interceptor of every route: saves the session when the handler is done, whatever came of it, before
 * the response is composed, so that a failure goes through the app's exception filters. Ways out that pass no
 * interceptor are held by the response gate.
 */
@Injectable()
export class SessionInterceptor implements NestInterceptor {
  constructor(@Inject(HTTP_RUNTIME) private readonly runtime: HttpRuntime) {}

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const exchange = exchangeOf(context);
    if (exchange === null) return this.#withoutSession(context, next);
    return concat(
      next
        .handle()
        .pipe(concatMap((value) => (exchange.isUntouched ? of(value) : this.#flush(exchange, value)))),
      defer(() => (exchange.isUntouched ? EMPTY : this.#flush(exchange, null).pipe(concatMap(() => EMPTY)))),
    ).pipe(catchError((error: unknown) => this.#afterError(exchange, error)));
  }

  #flush(exchange: SessionExchange, value: unknown): Observable<unknown> {
    return from(exchange.flush()).pipe(map(() => value));
  }

  /** The changes of a handler that threw are saved too. If they cannot be, that is the answer. */
  async #afterError(exchange: SessionExchange, error: unknown): Promise<never> {
    if (!saysUnsaved(error)) {
      await exchange.flush().catch((unsaved: unknown) => {
        this.runtime.logger.warn(
          `The session could not be saved; the handler had failed before: ${String(error)}`,
        );
        throw unsaved;
      });
    }
    exchange.noteFailure(error);
    throw toHttpException(error);
  }

  /** The handler of a route that skips the session may use the `SessionStore` all the same. */
  #withoutSession(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    if (context.getType() !== 'http') return next.handle();
    return next.handle().pipe(
      catchError((error: unknown) => {
        const http = context.switchToHttp();
        const response = rawResponse(http.getResponse<PlatformResponse>());
        const exception = toHttpException(error);
        if (exception instanceof SessionHttpException && !response.headersSent) {
          const route = routeOf(http.getRequest<PlatformRequest>());
          reportFailure(this.runtime.logger, {
            failure: error,
            status: exception.getStatus(),
            route,
            response,
          });
        }
        throw exception;
      }),
    );
  }
}
