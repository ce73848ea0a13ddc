import { ExpressSessionView } from './express-session-view.js';
import type { ExpressSession } from './express-session.js';
import type { SessionExchange } from './session-exchange.js';
import { exchangeOf } from './session-of.js';

/** Prototypes of requests that have the properties. */
const provided = new WeakSet<object>();

/** The same for all requests: they are told apart by `this`. */
const PROPERTIES: PropertyDescriptorMap = {
  session: {
    configurable: true,
    enumerable: true,
    get: sessionOfThis,
    set(value: unknown) {
      Object.defineProperty(this, 'session', { configurable: true, enumerable: true, writable: true, value });
    },
  },
  sessionID: { configurable: true, enumerable: true, get: idOfThis },
};

function sessionOfThis(this: object): ExpressSession | undefined {
  const exchange = exchangeOf(this);
  if (exchange === null) return undefined;
  exchange.markRead();
  return viewOf(exchange, this).bag;
}

/** Made when `req.session` is first read. */
function viewOf(exchange: SessionExchange, request: object): ExpressSessionView {
  if (exchange.beforeSave instanceof ExpressSessionView) return exchange.beforeSave;
  return (exchange.beforeSave = new ExpressSessionView(exchange, request));
}

function idOfThis(this: object): string | null {
  return exchangeOf(this)?.session.id ?? null;
}

/** Gives a request `session` and `sessionID`, unless it has a session of somebody else. */
export function provideSession(request: { session?: unknown }): void {
  const prototype = Object.getPrototypeOf(request) as object;
  if (provided.has(prototype)) return;
  if (isOfOneApp(request, prototype) && !('session' in request)) {
    Object.defineProperties(prototype, PROPERTIES);
    provided.add(prototype);
    return;
  }
  if (Object.getOwnPropertyDescriptor(request, 'session')?.get === sessionOfThis) return;
  if ((request.session ?? null) === null) Object.defineProperties(request, PROPERTIES);
}

/**
 * Whether all requests of one app inherit from this, and nothing else does. Properties of each request's own would cost
 * more than the rest: Express gives each of them a shape of its own, and accessors are dear to define.
 */
function isOfOneApp(request: object, prototype: object): boolean {
  const isOfExpress = Object.hasOwn(prototype, 'app');
  const isOfFastify = 'raw' in request && 'server' in prototype && Object.hasOwn(prototype, 'constructor');
  return isOfExpress || isOfFastify;
}
