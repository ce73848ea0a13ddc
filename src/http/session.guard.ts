import { type CanActivate, type ExecutionContext, Inject, Injectable } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { RoutePolicies, type RoutePolicy } from './route-policy.js';
import { SessionExchange } from './session-exchange.js';
import { provideSession } from './session-property.js';
import type { HttpRuntime } from './session-runtime.js';
import { AuthenticationRequiredException } from './session-exceptions.js';
import { type PlatformRequest, type PlatformResponse, rawResponse } from './platform-request.js';
import { exchangeOf, keepExchange, skipExchange } from './session-of.js';

/** Injection token of what the guard and the interceptor share. */
export const HTTP_RUNTIME = Symbol('nest-sessions http runtime');

/** The first guard of every route: loads the session, and holds `@RequireAuth()` and `requireAuth`. */
@Injectable()
export class SessionGuard implements CanActivate {
  readonly #policies: RoutePolicies;

  constructor(
    @Inject(HTTP_RUNTIME) private readonly runtime: HttpRuntime,
    @Inject(Reflector) reflector: Reflector,
  ) {
    this.#policies = new RoutePolicies(reflector);
  }

  /** At once, unless a session has to be looked up. */
  canActivate(context: ExecutionContext): boolean | Promise<boolean> {
    const policy = this.#policies.of(context);
    const exchange = context.getType() === 'http' ? this.#exchange(context, policy) : null;
    if (!(exchange instanceof Promise)) return this.#admit(policy, exchange);
    return exchange.then((opened) => this.#admit(policy, opened));
  }

  #admit(policy: RoutePolicy, exchange: SessionExchange | null): boolean {
    exchange?.admit();
    const within = this.#requirement(policy);
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
    const isUse = !skipsTouch;
    const known = exchangeOf(request);
    if (known) {
      known.enter({ request, isUse });
      provideSession(request);
      return known;
    }
    const response = rawResponse(http.getResponse<PlatformResponse>());
    const opened = SessionExchange.open(this.runtime, { request, response, isUse });
    return opened instanceof Promise
      ? opened.then((exchange) => keep(request, exchange))
      : keep(request, opened);
  }

  /** How old a sign-in may be, `null` for any age; `undefined` when no user is needed. */
  #requirement({ auth }: RoutePolicy): number | null | undefined {
    if (auth === null) return this.runtime.options.requireAuth ? null : undefined;
    return auth.isPublic ? undefined : auth.within;
  }

  #requireUser(exchange: SessionExchange | null, within: number | null): void {
    exchange?.markRead();
    const authenticatedAt = exchange?.session.isAuthenticated ? exchange.session.authenticatedAt : null;
    if (!authenticatedAt) throw new AuthenticationRequiredException('authentication_required');
    const age = this.runtime.engine.clock.now() - authenticatedAt.getTime();
    if (within === null || age <= within) return;
    exchange?.noteTooOld(within);
    throw new AuthenticationRequiredException('reauthentication_required');
  }
}

function keep(request: PlatformRequest, exchange: SessionExchange): SessionExchange {
  keepExchange(request, exchange);
  provideSession(request);
  return exchange;
}
