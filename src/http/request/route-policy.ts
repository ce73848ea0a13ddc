import type { ExecutionContext } from '@nestjs/common';
import { Reflector } from '@nestjs/core';

/*
 * What the decorators of the library say about a route: whether it needs a user, a session, and whether it counts as use.
 */

/** Keys of the metadata that the decorators write, on a handler or on a class. */
export const AUTH = 'nest-sessions:auth';
export const SKIP_SESSION = 'nest-sessions:skip-session';
export const SKIP_TOUCH = 'nest-sessions:skip-touch';

const reflector = new Reflector();

/** Who may call a handler. `within`: the sign-in is at most that old, in milliseconds; `null`: however old. */
export type AuthPolicy =
  { readonly isPublic: true } | { readonly isPublic: false; readonly within: number | null };

/** What the decorators on a handler and on its class say. Those on the handler override those on the class. */
export interface RoutePolicy {
  readonly auth: AuthPolicy | null;
  readonly skipsSession: boolean;
  readonly skipsTouch: boolean;
}

/** Policies by handler and class. */
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

/** Class and method of the handler of a call, for the log: `ChatGateway.say`. */
export function handlerOf(context: ExecutionContext): string {
  return `${context.getClass().name}.${context.getHandler().name}`;
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
