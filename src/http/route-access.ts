import type { CanActivate, ExecutionContext } from '@nestjs/common';
import { AuthenticationRequiredException } from './errors/exceptions.js';
import { forClients, setErrorHeaders } from './errors/to-http-exception.js';
import {
  NO_REQUEST,
  NO_SESSIONS_BY_ADAPTER,
  NO_SESSIONS_HERE,
  refuseUnsupported,
} from './errors/unsupported-handler.js';
import { toWsException } from './errors/ws-exception.js';
import { provideSession } from './express-session/req-session.js';
import type { HttpRuntime } from './http-options.js';
import {
  contextValueOf,
  type GraphqlCall,
  graphqlCallOf,
  isSubscribing,
  mayChange,
} from './platform/graphql-call.js';
import { type PlatformRequest, type PlatformResponse, rawResponse } from './platform/platform-request.js';
import type { Exchange } from './request/exchange.js';
import { handlerOf, policyOf, type RoutePolicy } from './request/route-policy.js';
import { type ExchangeInput, SessionExchange } from './request/session-exchange.js';
import { keepExchange, messageOf, openOnce, requestExchangeOf, skipExchange } from './request/session-of.js';
import type { SocketMessage } from './request/socket-message.js';
import { operationOf } from './request/socket-operation.js';
import { noteSubscribed } from './request/subscribed.js';

/*
 * What the guards of the library decide: whether the handler of a route may be called.
 */

/** What a guard may answer with. */
export type Admission = ReturnType<CanActivate['canActivate']>;

/** Guards that a test has put in the place of ours: by `overrideProvider(SessionGuard)` or `overrideGuard(SessionGuard)`. */
export interface GuardOverrides {
  /** The one in place of our global guard; `null`: ours is in force. */
  readonly globalGuard: CanActivate | null;
  /** Whether the guards that `@RequireAuth()` binds to handlers are replaced. */
  readonly areBoundReplaced: boolean;
}

/** Decides for all session guards of an app: the global one, which comes first and loads the session, and those bound to handlers. */
export class RouteAccess {
  readonly #runtime: HttpRuntime;
  #overrides: GuardOverrides = { globalGuard: null, areBoundReplaced: false };

  constructor(runtime: HttpRuntime) {
    this.#runtime = runtime;
  }

  /** The guard that a test has put in the place of our global one; `null`: none. */
  get overridingGuard(): CanActivate | null {
    return this.#overrides.globalGuard;
  }

  /** From now on the guards of a test decide in place of ours. */
  overrideGuards(overrides: GuardOverrides): void {
    this.#overrides = overrides;
  }

  /**
   * Loads the session of a request, or of a message, and decides whether its handler may be called: at once, unless a session
   * has to be looked up or a message of a gateway is refused. Every guard of a route asks; they get the same answer.
   *
   * @throws AuthenticationRequiredException (401), CrossSiteRequestException (403), and what `SessionExchange.open` throws; in
   *   a gateway a `WsException` with the code of these
   */
  admit(context: ExecutionContext): Admission {
    const policy = policyOf(context);
    const within = this.#requirement(policy);
    const kind = context.getType<string>();
    if (kind === 'ws') return this.#admitToGateway(context, policy, within);
    if (kind === 'graphql') return this.#admitToResolver(context, policy, within);
    if (kind !== 'http') return this.#admitOutsideHttp(context, policy, within, NO_SESSIONS_HERE);
    const exchange = this.#exchange(context, policy);
    if (!(exchange instanceof Promise)) return this.#admitTo(exchange, within);
    return exchange.then((opened) => this.#admitTo(opened, within));
  }

  #admitToGateway(
    context: ExecutionContext,
    policy: RoutePolicy,
    within: number | null | undefined,
  ): Admission {
    const message = messageOf(context.switchToWs().getClient<object>());
    if (message === null) return this.#admitOutsideHttp(context, policy, within, NO_SESSIONS_BY_ADAPTER);
    const refuse = async (error: unknown): Promise<never> => {
      throw await toWsException(error, handlerOf(context), this.#runtime.logger);
    };
    try {
      const exchange = this.#exchangeOfMessage(context, message, policy);
      if (!(exchange instanceof Promise)) return this.#admitTo(exchange, within);
      return exchange.then((opened) => this.#admitTo(opened, within)).catch(refuse);
    } catch (error) {
      return refuse(error);
    }
  }

  #exchangeOfMessage(
    context: ExecutionContext,
    message: SocketMessage,
    { skipsSession, skipsTouch }: RoutePolicy,
  ): Exchange | null | Promise<Exchange> {
    return skipsSession ? null : message.open(this.#runtime, !skipsTouch, handlerOf(context));
  }

  /** No session can be here, so that nobody is signed in. `requireAuth` is not for messages between services. */
  #admitOutsideHttp(
    context: ExecutionContext,
    policy: RoutePolicy,
    within: number | null | undefined,
    reason: string,
  ): Admission {
    const isOpen = within === undefined || (policy.auth === null && context.getType() === 'rpc');
    return isOpen || refuseUnsupported(context, reason);
  }

  #admitToResolver(
    context: ExecutionContext,
    policy: RoutePolicy,
    within: number | null | undefined,
  ): Admission {
    if (isSubscribing(context)) noteSubscribed(contextValueOf(context));
    const call = graphqlCallOf(context);
    if (call !== null) return this.#admitField(context, call, policy, within);
    const operation = operationOf(context);
    if (operation === null) return this.#admitOutsideHttp(context, policy, within, NO_REQUEST);
    if (policy.skipsSession) return this.#admitTo(null, within);
    const exchange = operation.openFor(context, policy);
    if (!(exchange instanceof Promise)) return this.#admitTo(exchange, within);
    return exchange.then(
      (opened) => this.#admitTo(opened, within),
      (error: unknown) => {
        throw forClients(error);
      },
    );
  }

  /** The fields of a request share its session. One that skips it leaves it to the others. */
  #admitField(
    context: ExecutionContext,
    { request, response }: GraphqlCall,
    { skipsSession, skipsTouch }: RoutePolicy,
    within: number | null | undefined,
  ): Admission {
    if (skipsSession) return this.#admitTo(null, within);
    const countsAsTouch = !skipsTouch;
    const opening = openOnce(request, () => this.#open({ request, response, countsAsTouch }));
    const enter = (exchange: SessionExchange): boolean => {
      exchange.routeField(request, countsAsTouch);
      if (mayChange(context)) exchange.state.admit();
      if (within !== undefined) this.#requireUser(exchange, within);
      return true;
    };
    return opening instanceof Promise ? opening.then(enter) : enter(opening);
  }

  #admitTo(exchange: Exchange | null, within: number | null | undefined): boolean {
    exchange?.state.admit();
    if (within !== undefined) this.#requireUser(exchange, within);
    return true;
  }

  #exchange(
    context: ExecutionContext,
    { skipsSession, skipsTouch }: RoutePolicy,
  ): SessionExchange | null | Promise<SessionExchange> {
    const http = context.switchToHttp();
    const request = http.getRequest<PlatformRequest>();
    if (skipsSession) {
      skipExchange(request);
      return null;
    }
    const countsAsTouch = !skipsTouch;
    const known = requestExchangeOf(request);
    if (known) {
      known.route(request, countsAsTouch);
      provideSession(request, this.#runtime);
      return known;
    }
    const response = rawResponse(http.getResponse<PlatformResponse>());
    return this.#open({ request, response, countsAsTouch });
  }

  /** What fails goes to the exception filters of the app; the headers of the error are set on the response already. */
  #open(input: ExchangeInput): SessionExchange | Promise<SessionExchange> {
    const keep = (exchange: SessionExchange): SessionExchange => {
      keepExchange(input.request, exchange);
      provideSession(input.request, this.#runtime);
      return exchange;
    };
    const refuse = (error: unknown): never => {
      setErrorHeaders(input.response, error);
      throw error;
    };
    try {
      const opened = SessionExchange.open(this.#runtime, input);
      return opened instanceof Promise ? opened.then(keep, refuse) : keep(opened);
    } catch (error) {
      return refuse(error);
    }
  }

  /** How old a sign-in may be, in milliseconds; `null`: any age; `undefined`: no user is needed. */
  #requirement({ auth }: RoutePolicy): number | null | undefined {
    if (auth === null) return this.#runtime.options.requireAuth ? null : undefined;
    return auth.isPublic || this.#overrides.areBoundReplaced ? undefined : auth.within;
  }

  #requireUser(exchange: Exchange | null, within: number | null): void {
    exchange?.state.noteRead();
    const row = exchange?.state.stored?.row;
    if (!row || row.userId === null || row.authenticatedAt === null)
      throw new AuthenticationRequiredException('authentication_required');
    if (within === null || this.#runtime.sessions.clock.now() - row.authenticatedAt <= within) return;
    exchange?.noteSignInTooOld(within);
    throw new AuthenticationRequiredException('reauthentication_required');
  }
}
