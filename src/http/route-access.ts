import type { CanActivate, ExecutionContext } from '@nestjs/common';
import { AuthenticationRequiredException } from './errors/exceptions.js';
import { setErrorHeaders } from './errors/to-http-exception.js';
import { NO_REQUEST, NO_SESSIONS_HERE, refuseUnsupported } from './errors/unsupported-handler.js';
import { provideSession } from './express-session/req-session.js';
import type { HttpRuntime } from './http-options.js';
import { type GraphqlCall, graphqlCallOf, mayChange } from './platform/graphql-call.js';
import { type PlatformRequest, type PlatformResponse, rawResponse } from './platform/platform-request.js';
import { policyOf, type RoutePolicy } from './request/route-policy.js';
import { type ExchangeInput, SessionExchange } from './request/session-exchange.js';
import { exchangeOf, keepExchange, openOnce, skipExchange } from './request/session-of.js';

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
   * Loads the session of a request, and decides whether its handler may be called: at once, unless a session has to be looked
   * up or a message of a gateway is refused. Every guard of a route asks; they get the same answer.
   *
   * @throws AuthenticationRequiredException (401), CrossSiteRequestException (403), and what `SessionExchange.open` throws
   */
  admit(context: ExecutionContext): Admission {
    const policy = policyOf(context);
    const within = this.#requirement(policy);
    if (context.getType() !== 'http') return this.#admitOutsideHttp(context, policy, within);
    const exchange = this.#exchange(context, policy);
    if (!(exchange instanceof Promise)) return this.#admitTo(exchange, within);
    return exchange.then((opened) => this.#admitTo(opened, within));
  }

  /** Sessions come over HTTP alone, so that nobody is signed in elsewhere. `requireAuth` is not for messages between services. */
  #admitOutsideHttp(
    context: ExecutionContext,
    policy: RoutePolicy,
    within: number | null | undefined,
  ): Admission {
    const kind = context.getType<string>();
    const call = kind === 'graphql' ? graphqlCallOf(context) : null;
    if (call !== null) return this.#admitField(context, call, policy, within);
    const isOpen = within === undefined || (policy.auth === null && kind === 'rpc');
    return isOpen || refuseUnsupported(context, kind === 'graphql' ? NO_REQUEST : NO_SESSIONS_HERE);
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

  #admitTo(exchange: SessionExchange | null, within: number | null | undefined): boolean {
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
    const known = exchangeOf(request);
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

  #requireUser(exchange: SessionExchange | null, within: number | null): void {
    exchange?.state.noteRead();
    const row = exchange?.state.stored?.row;
    if (!row || row.userId === null || row.authenticatedAt === null)
      throw new AuthenticationRequiredException('authentication_required');
    if (within === null || this.#runtime.sessions.clock.now() - row.authenticatedAt <= within) return;
    exchange?.noteSignInTooOld(within);
    throw new AuthenticationRequiredException('reauthentication_required');
  }
}
