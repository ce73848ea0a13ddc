import { type CanActivate, type Type, UseGuards } from '@nestjs/common';
import { MetadataScanner, type ModulesContainer } from '@nestjs/core';
import { SessionOptionsError } from '../core/session-errors.js';
import { readPolicy } from './request/route-policy.js';
import { SessionGuard } from './session.guard.js';

/*
 * What happens when an app starts to handlers that need a user and are not called over HTTP: messages and gateways.
 */

/** Keys of the metadata that Nest's decorators write: the same in Nest 11 and 12. */
const GUARDS = '__guards__';
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

/** Binds the guard to each gateway, for the option `requireAuth`: Nest 11 asks no global guard for messages of gateways. */
export function guardGateways(modules: ModulesContainer, guard: CanActivate): void {
  for (const module of modules.values()) {
    for (const { metatype } of module.providers.values()) {
      if (typeof metatype !== 'function' || !Reflect.hasMetadata(IS_GATEWAY, metatype)) continue;
      const bound = Reflect.getMetadata(GUARDS, metatype) as readonly unknown[] | undefined;
      if (!bound?.includes(SessionGuard)) UseGuards(SessionGuard)(metatype as Type);
      if (module.injectables.has(SessionGuard)) continue;
      module.addInjectable({ provide: SessionGuard, useValue: guard }, 'guard');
    }
  }
}
