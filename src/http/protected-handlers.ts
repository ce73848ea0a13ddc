import type { CanActivate, NestInterceptor, Type } from '@nestjs/common';
import { MetadataScanner, type ModulesContainer } from '@nestjs/core';
import { SessionOptionsError } from '../core/session-errors.js';
import { readPolicy } from './request/route-policy.js';
import { SessionGuard } from './session.guard.js';
import { SessionInterceptor } from './session.interceptor.js';

/*
 * What happens when an app starts to handlers that are not called over HTTP: those of messages, and those of gateways.
 */

/** Keys of the metadata that Nest's decorators write: the same in Nest 11 and 12. */
const GUARDS = '__guards__';
const INTERCEPTORS = '__interceptors__';
const IS_GATEWAY = 'websockets:is_gateway';
const IS_MESSAGE_HANDLER = 'microservices:handler_type';

/** Modules whose handlers have been checked. */
const checked = new WeakSet<object>();

/**
 * Refuses to start an app that protects message or event handlers of microservices with `@RequireAuth()`: a message between
 * services carries no session, so nobody could ever be signed in there.
 *
 * @throws SessionOptionsError naming class and method of a message or event handler that `@RequireAuth()` protects
 */
export function refuseProtectedMessages(modules: ModulesContainer): void {
  const scanner = new MetadataScanner();
  for (const module of modules.values()) {
    if (checked.has(module)) continue; // one that was refused does not keep others from being loaded
    checked.add(module);
    const { controllers } = module;
    for (const { metatype } of controllers.values()) {
      if (typeof metatype !== 'function') continue;
      const methods = metatype.prototype as Record<string, () => unknown>;
      for (const name of scanner.getAllMethodNames(methods)) {
        const handler = methods[name];
        if (handler === undefined || !Reflect.hasMetadata(IS_MESSAGE_HANDLER, handler)) continue;
        const { auth } = readPolicy(handler, metatype);
        if (auth !== null && !auth.isPublic) throw protectedMessage(`${metatype.name}.${name}`);
      }
    }
  }
}

function protectedMessage(handler: string): SessionOptionsError {
  return new SessionOptionsError(
    `@RequireAuth(): expected a handler that users call, got the message handler ${handler}. Messages between services ` +
      'carry no session: protect it with a guard of your own and put `@Public()` on it, or move `@RequireAuth()` from ' +
      'the class to its routes',
  );
}

/**
 * Binds guard and interceptor to each gateway, before those of the app: Nest 11 asks none that is global for messages of
 * gateways. Nest 12 does, so that they are asked twice there, which makes no difference.
 */
export function mountInGateways(
  modules: ModulesContainer,
  guard: CanActivate,
  interceptor: NestInterceptor,
): void {
  for (const module of modules.values()) {
    for (const { metatype } of module.providers.values()) {
      if (typeof metatype !== 'function' || !Reflect.hasMetadata(IS_GATEWAY, metatype)) continue;
      bindFirst(GUARDS, SessionGuard, metatype);
      bindFirst(INTERCEPTORS, SessionInterceptor, metatype);
      if (!module.injectables.has(SessionGuard))
        module.addInjectable({ provide: SessionGuard, useValue: guard }, 'guard');
      if (!module.injectables.has(SessionInterceptor))
        module.addInjectable({ provide: SessionInterceptor, useValue: interceptor }, 'interceptor');
    }
  }
}

/** Puts one of ours before all others that a class is decorated with, once. */
function bindFirst(key: string, enhancer: Type, target: object): void {
  const bound = (Reflect.getMetadata(key, target) ?? []) as readonly unknown[];
  if (bound[0] === enhancer) return;
  Reflect.defineMetadata(key, [enhancer, ...bound.filter((one) => one !== enhancer)], target);
}
