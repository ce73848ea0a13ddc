import { type ExecutionContext, SetMetadata } from '@nestjs/common';
import type { Reflector } from '@nestjs/core';
import { type Duration, parseLifetime } from '../core/duration.js';

const AUTH = 'nest-sessions:auth';
const SKIP_SESSION = 'nest-sessions:skip-session';
const SKIP_TOUCH = 'nest-sessions:skip-touch';

/** Who may call a route. `within`: the sign-in is at most that old, in milliseconds; `null`: however old. */
type AuthPolicy = { readonly isPublic: true } | { readonly isPublic: false; readonly within: number | null };

/** What the decorators on a route say, with the closest to the handler winning. */
export interface RoutePolicy {
  readonly auth: AuthPolicy | null;
  readonly skipsSession: boolean;
  readonly skipsTouch: boolean;
}

/**
 * The route needs a signed-in user: 401 with `code: 'authentication_required'` otherwise.
 *
 * @param options.within how long ago the user may have proved who they are: a string such as `'10m'`, or
 * milliseconds. 401 with `code: 'reauthentication_required'` when it is longer.
 * @throws SessionOptionsError when `within` is not a duration
 * @see OWASP ASVS 5.0, 7.5.1 and 7.5.3 (re-authentication before sensitive changes)
 */
export function RequireAuth(options: { within?: Duration } = {}): MethodDecorator & ClassDecorator {
  const within = options.within === undefined ? null : parseLifetime('within', options.within);
  return SetMetadata<string, AuthPolicy>(AUTH, { isPublic: false, within });
}

/** The route needs no user, whatever `requireAuth` or its controller says. */
export function Public(): MethodDecorator & ClassDecorator {
  return SetMetadata<string, AuthPolicy>(AUTH, { isPublic: true });
}

/** No session is loaded: the route works while storage is down, and `sessionOf()` is `null`. */
export function SkipSession(): MethodDecorator & ClassDecorator {
  return SetMetadata(SKIP_SESSION, true);
}

/** The session is loaded, but the request does not count as use: for polling. */
export function SkipTouch(): MethodDecorator & ClassDecorator {
  return SetMetadata(SKIP_TOUCH, true);
}

/** What the decorators on each route say. */
export class RoutePolicies {
  readonly #known = new WeakMap<object, WeakMap<object, RoutePolicy>>();

  constructor(private readonly reflector: Reflector) {}

  /** Decorators do not change once a route is called, so each route is asked once. */
  of(context: ExecutionContext): RoutePolicy {
    const [handler, type] = [context.getHandler(), context.getClass()];
    const known = this.#known.get(handler)?.get(type);
    if (known) return known;
    const policy = readPolicy(this.reflector, [handler, type]);
    const byType = this.#known.get(handler) ?? new WeakMap<object, RoutePolicy>();
    this.#known.set(handler, byType.set(type, policy));
    return policy;
  }
}

function readPolicy(
  reflector: Reflector,
  targets: Parameters<Reflector['getAllAndOverride']>[1],
): RoutePolicy {
  const flag = (key: string): boolean =>
    reflector.getAllAndOverride<boolean | undefined>(key, targets) ?? false;
  return {
    auth: reflector.getAllAndOverride<AuthPolicy | undefined>(AUTH, targets) ?? null,
    skipsSession: flag(SKIP_SESSION),
    skipsTouch: flag(SKIP_TOUCH),
  };
}
