import {
  type CanActivate,
  type ExecutionContext,
  Inject,
  Injectable,
  Logger,
  type OnApplicationBootstrap,
  Optional,
} from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { policyOf } from './request/route-policy.js';
import { NO_MODULE, refuseUnsupported } from './errors/unsupported-handler.js';
import type { Admission, RouteAccess } from './route-access.js';
import { refuseUnguardedFields } from './unguarded-fields.js';

/*
 * The guard of the library, and the injection tokens that it shares with the interceptor, the filter and the module.
 */

/** Injection token of the `HttpRuntime`. */
export const HTTP_RUNTIME = Symbol('nest-sessions http runtime');
/** Injection token of the `RouteAccess`. */
export const ROUTE_ACCESS = Symbol('nest-sessions admission');

/**
 * The first guard of every handler: loads the session, turns away a page of another site that brings one along, and holds
 * `@RequireAuth()` and `requireAuth`. `@RequireAuth()` binds it once more, for transports that ask no global guard, and for
 * apps without `SessionModule`.
 */
@Injectable()
export class SessionGuard implements CanActivate, OnApplicationBootstrap {
  readonly #access: RouteAccess | undefined;

  readonly #modules: ModulesContainer | undefined;

  constructor(
    @Optional() @Inject(ROUTE_ACCESS) access: RouteAccess | undefined,
    @Optional() @Inject(ModulesContainer) modules?: ModulesContainer,
  ) {
    this.#access = access;
    this.#modules = modules;
  }

  /** At once, unless a session has to be looked up or a message of a gateway is refused. */
  canActivate(context: ExecutionContext): Admission {
    const access = this.#access;
    if (!access) return isUnprotected(context) || refuseUnsupported(context, NO_MODULE);
    const { overridingGuard } = access;
    if (overridingGuard === null || this.constructor !== SessionGuard) return access.admit(context);
    // A test has replaced the global guard, which has decided already, except for messages of gateways on Nest 11.
    const kind = context.getType<string>();
    return kind === 'http' || kind === 'graphql' || overridingGuard.canActivate(context);
  }

  /**
   * Nest makes one for each module that `@RequireAuth()` protects something in, also in an app without `SessionModule`.
   *
   * @throws SessionOptionsError when it protects a field of GraphQL whose guards do not run
   */
  onApplicationBootstrap(): void {
    if (this.#modules) refuseUnguardedFields(this.#modules);
    if (!this.#access) new Logger('Sessions').error(NO_MODULE);
  }
}

function isUnprotected(context: ExecutionContext): boolean {
  const { auth } = policyOf(context);
  return auth === null || auth.isPublic;
}
