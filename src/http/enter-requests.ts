import { RequestMethod } from '@nestjs/common';
import type { HttpAdapterHost } from '@nestjs/core';
import { runWithin } from './platform/carrier.js';
import { withAdapter } from './platform/http-adapter.js';

/*
 * Has the platform call handlers on behalf of their request, so that `currentSession()` knows it.
 */

/** From now on the handlers of routes, and what comes before them in Nest, are called on behalf of their request. */
export function enterRequests(host: HttpAdapterHost): void {
  withAdapter(host, (adapter) => {
    if (adapter.getType() === 'express') {
      enterRoutes(adapter as unknown as Routes);
      enterMounted(adapter.getInstance<Mounting>());
    } else enterBeforeHandlers(adapter.getInstance<Partial<Hooks>>());
  });
}

/** What Nest registers the routes of its controllers with, by the method of HTTP. */
type Routes = Record<string, ((...args: unknown[]) => unknown) | undefined>;

/** The part of a Fastify app that takes hooks. */
interface Hooks {
  addHook(name: 'preHandler', hook: (request: object, reply: object, done: () => void) => void): unknown;
}

const METHODS = Object.values(RequestMethod)
  .filter((method) => typeof method === 'string')
  .map((method) => method.toLowerCase());

/**
 * Middleware of Express may call the next one from a callback that runs on behalf of nobody, or of another request. So each
 * route enters its request itself.
 */
function enterRoutes(routes: Routes): void {
  for (const method of METHODS) {
    const register = routes[method];
    if (typeof register !== 'function') continue;
    routes[method] = (...args) => register.apply(routes, args.map(entering));
  }
}

/** The part of an Express app that mounts middleware. */
interface Mounting {
  use?: (...args: unknown[]) => unknown;
}

/**
 * What is mounted at a path may be a handler too: Apollo is. Apps and routers of Express have handlers of their own, and are
 * left as they are; so is middleware for errors, which has four parameters.
 */
function enterMounted(express: Mounting): void {
  const { use } = express;
  if (typeof use !== 'function') return;
  express.use = (path, ...handlers) => {
    if (typeof path !== 'string') return use.call(express, path, ...handlers);
    return use.call(express, path, ...handlers.map((one) => (isHandler(one) ? entering(one) : one)));
  };
}

function isHandler(value: unknown): boolean {
  return typeof value === 'function' && value.length <= 3 && !('handle' in value);
}

function entering(arg: unknown): unknown {
  if (typeof arg !== 'function') return arg;
  return new Proxy(arg, {
    apply: (handler: (...args: unknown[]) => unknown, self, args: [object, ...unknown[]]) =>
      runWithin(args[0], () => Reflect.apply(handler, self, args)),
  });
}

/** The last hook before the handler: the body has been read, which loses what an earlier one would have entered. */
function enterBeforeHandlers(instance: Partial<Hooks>): void {
  instance.addHook?.('preHandler', (request, _reply, done) => runWithin(request, done));
}
