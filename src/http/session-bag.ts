import type { JsonObject } from '../core/json-data.js';
import type { SessionExchange } from './session-exchange.js';
import type { SessionHandle } from './session-handle.js';
import { exchangeOf } from './session-of.js';

/** Members of our `Session` that somebody who imported the wrong one would call. */
const OUR_METHODS = new Set([
  'get',
  'set',
  'has',
  'remove',
  'clear',
  'authenticate',
  'reauthenticate',
  'rotate',
  'logout',
  'logoutOthers',
  'logoutAll',
  'list',
  'revoke',
  'update',
  'take',
  'takeOnce',
  'flash',
  'flashes',
  'save',
]);

/**
 * What `req.session` and Nest's own `@Session()` give: a property bag over `session.data`. Reaching for a method of
 * our `Session` through it is a wrong import, and says so.
 */
export function sessionBag(session: Pick<SessionHandle, 'data'>): JsonObject {
  return new Proxy<JsonObject>(
    {},
    {
      get(_target, key) {
        if (typeof key === 'string' && OUR_METHODS.has(key) && !Object.hasOwn(session.data, key))
          throw wrongImport(key);
        return Reflect.get(session.data, key) as unknown;
      },
      set: (_target, key, value) => key !== '__proto__' && Reflect.set(session.data, key, value),
      has: (_target, key) => Reflect.has(session.data, key),
      deleteProperty: (_target, key) => Reflect.deleteProperty(session.data, key),
      ownKeys: () => Reflect.ownKeys(session.data),
      defineProperty: (_target, key, descriptor) =>
        Reflect.defineProperty(session.data, key, { ...descriptor, configurable: true }),
      getOwnPropertyDescriptor: (_target, key) => Reflect.getOwnPropertyDescriptor(session.data, key),
    },
  );
}

function wrongImport(method: string): TypeError {
  return new TypeError(
    `\`session.${method}\` was read from req.session, which only holds data. ` +
      "Import the decorator and type from nest-sessions: import { Session } from 'nest-sessions', not from '@nestjs/common'",
  );
}

/** Made when `req.session` is first read. */
const bags = new WeakMap<SessionExchange, JsonObject>();

/** `req.session`, on every request that has a session: with `this`, so that requests share it. */
const SESSION: PropertyDescriptor = {
  configurable: true,
  enumerable: true,
  get: getBag,
  set(value: unknown) {
    Object.defineProperty(this, 'session', { configurable: true, enumerable: true, writable: true, value });
  },
};

function getBag(this: object): JsonObject | undefined {
  const exchange = exchangeOf(this);
  if (exchange === null) return undefined;
  exchange.markRead();
  let bag = bags.get(exchange);
  if (bag === undefined) {
    bag = sessionBag(exchange.session);
    bags.set(exchange, bag);
  }
  return bag;
}

/** Gives a request its `session` property, unless there is one of somebody else. */
export function provideSession(request: { session?: unknown }): void {
  if (Object.getOwnPropertyDescriptor(request, 'session')?.get === getBag) return;
  if ((request.session ?? null) === null) Object.defineProperty(request, 'session', SESSION);
}
