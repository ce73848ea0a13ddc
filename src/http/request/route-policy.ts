import { type ExecutionContext, SetMetadata } from '@nestjs/common';
import { Reflector } from '@nestjs/core';

const AUTH = 'nest-sessions:auth';
const SKIP_SESSION = 'nest-sessions:skip-session';
const SKIP_TOUCH = 'nest-sessions:skip-touch';

const reflector = new Reflector();

/** Who may call a handler. `within`: the sign-in is at most that old, in milliseconds; `null`: however old. */
type AuthPolicy = { readonly isPublic: true } | { readonly isPublic: false; readonly within: number | null };

/** What the decorators on a handler say, with the closest to it winning. */
export interface RoutePolicy {
  readonly auth: AuthPolicy | null;
  readonly skipsSession: boolean;
  readonly skipsTouch: boolean;
}

/** Writes down who may call a handler, or all handlers of a class. */
export function setAuth(policy: AuthPolicy): MethodDecorator & ClassDecorator {
  return SetMetadata<string, AuthPolicy>(AUTH, policy);
}

/** The handler needs no user, whatever `requireAuth` or its class says. */
export function Public(): MethodDecorator & ClassDecorator {
  return setAuth({ isPublic: true });
}

/** No session is loaded: the route works while storage is down, and `sessionOf()` is `null`. */
export function SkipSession(): MethodDecorator & ClassDecorator {
  return SetMetadata(SKIP_SESSION, true);
}

/** The session is loaded, but the request does not count as use: for polling. */
export function SkipTouch(): MethodDecorator & ClassDecorator {
  return SetMetadata(SKIP_TOUCH, true);
}

const known = new WeakMap<object, WeakMap<object, RoutePolicy>>();

/** What the decorators on the handler of a call say. They do not change once it is called, so they are read once. */
export function policyOf(context: ExecutionContext): RoutePolicy {
  const [handler, type] = [context.getHandler(), context.getClass()];
  const found = known.get(handler)?.get(type);
  if (found) return found;
  const policy = readPolicy(handler, type);
  const byType = known.get(handler) ?? new WeakMap<object, RoutePolicy>();
  known.set(handler, byType.set(type, policy));
  return policy;
}

type Target = Parameters<Reflector['getAllAndOverride']>[1][number];

/** What the decorators on a method and on its class say now. */
export function readPolicy(handler: Target, type: Target): RoutePolicy {
  const flag = (key: string): boolean =>
    reflector.getAllAndOverride<boolean | undefined>(key, [handler, type]) ?? false;
  return {
    auth: reflector.getAllAndOverride<AuthPolicy | undefined>(AUTH, [handler, type]) ?? null,
    skipsSession: flag(SKIP_SESSION),
    skipsTouch: flag(SKIP_TOUCH),
  };
}
