import { RequestMethod } from '@nestjs/common';
import { type ApplicationConfig, MetadataScanner, type ModulesContainer } from '@nestjs/core';
import { readPolicy } from './request/route-policy.js';
import { readsSession } from './session.decorators.js';

/*
 * The warning for routes that depend on who asks, behind a cache that does not: the key of Nest's `CacheInterceptor` is the
 * URL, so that the page of one user is given to the next.
 */

/** Keys of the metadata that Nest's decorators write: the same in Nest 11 and 12. */
const INTERCEPTORS = '__interceptors__';
const METHOD = 'method';
const CACHE_KEY = 'cache_module:cache_key';

/** Name of the interceptor of `@nestjs/cache-manager`, and of the method that apps override to choose another key. */
const CACHE = 'CacheInterceptor';
const CHOOSES_KEY = 'trackBy';

/** How many routes the warning names. */
const NAMED = 3;

type Method = (...args: never[]) => unknown;

/**
 * The warning, or `null` where there is nothing to warn of. To be called when the global interceptors of main.ts are known.
 *
 * @param requireAuth the option: whether every route needs a user
 */
export function sharedCache(
  modules: ModulesContainer,
  app: ApplicationConfig,
  requireAuth: boolean,
): string | null {
  const isGlobal = [
    ...app.getGlobalInterceptors(),
    ...app.getGlobalRequestInterceptors().map(({ metatype }) => metatype),
  ].some(isKeyedByUrl);
  const routes = [...routesOf(modules)].filter(
    (route) => (isGlobal || hasCache(route)) && !hasOwnKey(route) && isPersonal(route, requireAuth),
  );
  if (routes.length === 0) return null;
  const named = routes.slice(0, NAMED).map(({ name }) => name);
  const names = named.join(', ') + (routes.length > NAMED ? ` and ${routes.length - NAMED} more` : '');
  return (
    `CacheInterceptor keeps what ${names} answers by URL alone, so that one user gets the page of ` +
    'another: override `trackBy` so that the key has the id of the user, or take the cache off these routes'
  );
}

/** A route that answers GET. */
interface Route {
  readonly name: string;
  readonly handler: Method;
  readonly controller: new (...args: never[]) => unknown;
}

function* routesOf(modules: ModulesContainer): Generator<Route> {
  const scanner = new MetadataScanner();
  for (const { controllers } of modules.values()) {
    for (const { metatype: controller } of controllers.values()) {
      if (typeof controller !== 'function') continue;
      const methods = controller.prototype as Record<string, Method>;
      for (const method of scanner.getAllMethodNames(methods)) {
        const handler = methods[method];
        if (handler === undefined) continue;
        const verb = Reflect.getMetadata(METHOD, handler) as RequestMethod | undefined;
        if (verb !== RequestMethod.GET && verb !== RequestMethod.ALL) continue;
        yield {
          name: `${controller.name}.${method}`,
          handler,
          controller: controller as Route['controller'],
        };
      }
    }
  }
}

function hasCache({ handler, controller }: Route): boolean {
  return [handler, controller].some((target) => {
    const bound = Reflect.getMetadata(INTERCEPTORS, target) as readonly unknown[] | undefined;
    return bound?.some(isKeyedByUrl) ?? false;
  });
}

/** Whether the app computes the key of the route itself. A key that is a text is the same for everybody. */
function hasOwnKey({ handler }: Route): boolean {
  return typeof Reflect.getMetadata(CACHE_KEY, handler) === 'function';
}

/** Whether an interceptor, or a class of them, is Nest's for caching, and its key is not the app's own. */
function isKeyedByUrl(interceptor: unknown): boolean {
  const type =
    typeof interceptor === 'object' && interceptor !== null ? interceptor.constructor : interceptor;
  if (typeof type !== 'function') return false;
  for (
    let at: object | null = type;
    typeof at === 'function';
    at = Object.getPrototypeOf(at) as object | null
  ) {
    if (at.name === CACHE) return true;
    if (Object.hasOwn((at.prototype ?? {}) as object, CHOOSES_KEY)) return false;
  }
  return false;
}

/** Whether what a route answers depends on who asks: it needs a user, or takes the session or the user's id. */
function isPersonal({ handler, controller }: Route, requireAuth: boolean): boolean {
  const { auth, skipsSession } = readPolicy(handler, controller);
  if (skipsSession) return false;
  const needsUser = auth === null ? requireAuth : !auth.isPublic;
  return needsUser || readsSession(controller, handler.name);
}
