import {
  type CallHandler,
  type ExecutionContext,
  HttpException,
  Inject,
  Injectable,
  type NestInterceptor,
} from '@nestjs/common';
import { catchError, from, mergeMap, Observable, type Observer, type Subscriber } from 'rxjs';
import { SessionStoreError } from '../core/session-errors.js';
import { CrossSiteRequestException } from './errors/exceptions.js';
import {
  forClients,
  reportFailure,
  saysUnsaved,
  SessionHttpException,
  toHttpException,
} from './errors/to-http-exception.js';
import { toWsException } from './errors/ws-exception.js';
import type { HttpRuntime } from './http-options.js';
import {
  type PlatformRequest,
  type PlatformResponse,
  rawResponse,
  routeOf,
} from './platform/platform-request.js';
import { runWithin } from './platform/carrier.js';
import { fieldOf } from './platform/graphql-call.js';
import type { Exchange } from './request/exchange.js';
import type { FieldSaves } from './request/field-saves.js';
import { handlerOf } from './request/route-policy.js';
import { exchangeOf } from './request/session-of.js';
import { MessageExchange } from './request/socket-message.js';
import { OperationExchange } from './request/socket-operation.js';
import { HTTP_RUNTIME } from './session.guard.js';

/**
 * The outermost interceptor of every route, resolver and gateway. When the handler has ended, with a value or an error, it
 * saves the session before the response is composed, or the message answered, so that a failed save goes through the app's
 * exception filters. Resolvers of GraphQL that run side by side share one save. Answers that pass no interceptor wait at the
 * response gate.
 */
@Injectable()
export class SessionInterceptor implements NestInterceptor {
  readonly #runtime: HttpRuntime;

  constructor(@Inject(HTTP_RUNTIME) runtime: HttpRuntime) {
    this.#runtime = runtime;
  }

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const exchange = exchangeOf(context);
    if (exchange === null) return this.#withoutSession(context, next);
    const { fields } = exchange;
    if (fields !== null) return this.#aroundField(exchange, fields, context, next);
    if (exchange instanceof MessageExchange && !exchange.intercept()) return next.handle();
    const failing = async (error: unknown): Promise<unknown> => {
      const failure = await this.#afterError(exchange, error);
      return context.getType() === 'ws' ? this.#refusal(context, failure) : failure;
    };
    return new Observable((subscriber) => {
      exchange.enterHandler();
      subscriber.add(() => exchange.leaveHandler());
      return next.handle().subscribe(new FlushingObserver(exchange, subscriber, failing));
    });
  }

  /** Saves what a handler changed before it threw. If that fails, the failure of the save is the answer. */
  async #afterError(
    exchange: Exchange,
    error: unknown,
    save: () => Promise<void> | null = () => exchange.flush(),
  ): Promise<unknown> {
    if (!saysUnsaved(error)) {
      try {
        await save();
      } catch (unsaved) {
        // Nest logs neither an HttpException of the handler nor a refused cross-site request, so we log neither.
        const isRefusal = unsaved instanceof CrossSiteRequestException && error instanceof HttpException;
        if (!isRefusal && !isSameFailure(error, unsaved)) {
          this.#runtime.logger.warn(
            `The session could not be saved; the handler had failed before: ${String(error)}`,
          );
        }
        return unsaved;
      }
    }
    exchange.noteFailure(error);
    return toHttpException(error);
  }

  /** Nest takes the last value when the resolver is done, so that is when its changes are saved. */
  #aroundField(
    exchange: Exchange,
    fields: FieldSaves,
    context: ExecutionContext,
    next: CallHandler,
  ): Observable<unknown> {
    return new Observable((subscriber) => {
      exchange.enterHandler();
      const run = fields.begin();
      const fail = (error: unknown): void => subscriber.error(this.#reported(context, error));
      const observer: Observer<unknown> = {
        next: (value) => subscriber.next(value),
        complete: () => {
          const saving = fields.end(run);
          if (saving === null) subscriber.complete();
          else void saving.then(() => subscriber.complete(), fail);
        },
        error: (error: unknown) => {
          void this.#afterError(exchange, error, () => fields.end(run)).then(fail);
        },
      };
      // Over HTTP the request has been entered already, where that is wanted.
      const calling =
        exchange instanceof OperationExchange
          ? runWithin(exchange.operation, () => next.handle().subscribe(observer))
          : next.handle().subscribe(observer);
      return () => {
        exchange.leaveHandler();
        fields.abandon(run);
        calling.unsubscribe();
      };
    });
  }

  /** Nest logs no HttpException, and a GraphQL response says nothing of an error by its status. An outage is in the log already. */
  #reported(context: ExecutionContext, error: unknown): unknown {
    const exception = toHttpException(error);
    const isOwn =
      exception instanceof SessionHttpException && !(exception.cause instanceof SessionStoreError);
    if (isOwn && exception.getStatus() >= 500) {
      this.#runtime.logger.error(`${fieldOf(context)}: ${String(exception.cause)}`);
    }
    return forClients(exception);
  }

  /** The handler of a route that skips the session may use the `SessionStore` all the same. */
  #withoutSession(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const kind = context.getType<string>();
    if (kind === 'graphql') {
      // On behalf of nobody: the request may have a session all the same, for its other fields.
      const { currentSession } = this.#runtime.options;
      return (currentSession ? runWithin({}, () => next.handle()) : next.handle()).pipe(
        catchError((error: unknown) => {
          throw this.#reported(context, error);
        }),
      );
    }
    if (kind === 'ws')
      return next.handle().pipe(catchError((error: unknown) => this.#refused(context, error)));
    if (kind !== 'http') return next.handle();
    return next.handle().pipe(
      catchError((error: unknown) => {
        const http = context.switchToHttp();
        const response = rawResponse(http.getResponse<PlatformResponse>());
        const exception = toHttpException(error);
        if (exception instanceof SessionHttpException && !response.headersSent) {
          const route = routeOf(http.getRequest<PlatformRequest>());
          reportFailure(this.#runtime.logger, {
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

  /** What the client of a gateway gets for an error. */
  #refusal(context: ExecutionContext, error: unknown): Promise<unknown> {
    return toWsException(error, handlerOf(context), this.#runtime.logger);
  }

  #refused(context: ExecutionContext, error: unknown): Observable<never> {
    return from(this.#refusal(context, error)).pipe(
      mergeMap((refusal) => {
        throw refusal;
      }),
    );
  }
}

/** Whether the handler failed by an error of sessions, such as a failed `save()`, and the save after it by the same one. */
function isSameFailure(one: unknown, other: unknown): boolean {
  return (
    one instanceof SessionHttpException && other instanceof SessionHttpException && one.code === other.code
  );
}

/** The error to answer with when the handler has failed, or its session could not be saved. */
type Failing = (error: unknown) => Promise<unknown>;

/**
 * Passes on what a handler emits: each value when the changes of the session so far are saved, or at once when the status of
 * the session says that there are none. It is no chain of operators, because that would take longer than this check.
 */
class FlushingObserver implements Observer<unknown> {
  /** Resolves when what was emitted before has been passed on. `null`: nothing waits. */
  #waiting: Promise<void> | null = null;

  readonly #exchange: Exchange;
  readonly #subscriber: Subscriber<unknown>;
  readonly #failing: Failing;

  constructor(exchange: Exchange, subscriber: Subscriber<unknown>, failing: Failing) {
    this.#exchange = exchange;
    this.#subscriber = subscriber;
    this.#failing = failing;
  }

  get #canPassOn(): boolean {
    return this.#waiting === null && this.#exchange.state.status === 'clean';
  }

  next(value: unknown): void {
    if (this.#canPassOn) this.#subscriber.next(value);
    else this.#later(() => this.#subscriber.next(value));
  }

  complete(): void {
    if (this.#canPassOn) this.#subscriber.complete();
    else this.#later(() => this.#subscriber.complete());
  }

  error(error: unknown): void {
    this.#waiting = (this.#waiting ?? Promise.resolve()).then(() => this.#fail(error));
  }

  #later(step: () => void): void {
    this.#waiting = (this.#waiting ?? Promise.resolve())
      .then(async () => {
        if (this.#subscriber.closed) return;
        if (this.#exchange.state.status !== 'clean') await this.#exchange.flush();
        step();
      })
      .catch((error: unknown) => this.#fail(error));
  }

  async #fail(error: unknown): Promise<void> {
    if (!this.#subscriber.closed) this.#subscriber.error(await this.#failing(error));
  }
}
