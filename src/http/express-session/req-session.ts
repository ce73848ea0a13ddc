import { ReqSessionMethods } from './req-session-methods.js';
import type { ExpressSession } from './types.js';
import type { SessionExchange } from '../request/session-exchange.js';
import { requestExchangeOf } from '../request/session-of.js';
import type { HttpRuntime } from '../http-options.js';

/*
 * The properties `session` and `sessionID` that a request has for middleware written for express-session.
 */

/** Prototypes of Fastify's requests that have the two properties. */
const provided = new WeakSet<object>();

/**
 * The properties, the same accessors for all requests: `this` is the request. They are not enumerable, so that code which
 * copies or prints a request does not read its session.
 */
const SESSION: PropertyDescriptor = {
  configurable: true,
  get: sessionOfThis,
  set(this: object, value: unknown) {
    replace(this, 'session', value);
  },
};
const SESSION_ID: PropertyDescriptor = {
  configurable: true,
  get: idOfThis,
  set(this: object, value: unknown) {
    replace(this, 'sessionID', value);
  },
};

function sessionOfThis(this: object): ExpressSession | undefined {
  const exchange = requestExchangeOf(this);
  if (exchange === null) return undefined;
  exchange.state.noteRead();
  const warning = exchange.runtime.options.otherSessions?.aboutReader(sessionOfThis) ?? null;
  if (warning !== null) exchange.runtime.logger.warn(warning);
  return stepsOf(exchange, this).proxy;
}

/** Made when `req.session` is first read. */
function stepsOf({ runtime, state, session }: SessionExchange, request: object): ReqSessionMethods {
  if (state.beforeSave instanceof ReqSessionMethods) return state.beforeSave;
  const steps = new ReqSessionMethods(runtime, state, session, request);
  state.runBeforeSave(steps);
  return steps;
}

function idOfThis(this: object): string | null {
  return requestExchangeOf(this)?.session.id ?? null;
}

/** Another library has assigned the property: from now on the request has that value. */
function replace(request: object, name: string, value: unknown): void {
  Object.defineProperty(request, name, { configurable: true, enumerable: true, writable: true, value });
}

/**
 * Gives a request of Express own properties `session` and `sessionID`, before Express has touched it: they stay when its
 * prototype is replaced, and take less time to define than later. `session` is `undefined` until a session is loaded.
 */
export function prepareRequest(request: object): void {
  if (Object.hasOwn(request, 'session')) return;
  Object.defineProperty(request, 'session', SESSION);
  Object.defineProperty(request, 'sessionID', SESSION_ID);
}

/** Gives a request `session` and `sessionID`, unless another library has given it a session: then the log gets a warning. */
export function provideSession(request: { session?: unknown }, { options, logger }: HttpRuntime): void {
  const prototype = Object.getPrototypeOf(request) as object;
  if (provided.has(prototype)) return;
  if (isOfFastify(request, prototype) && !('session' in request)) {
    define(prototype);
    provided.add(prototype);
    return;
  }
  if (Object.getOwnPropertyDescriptor(request, 'session')?.get === sessionOfThis) return;
  if ((request.session ?? null) === null) {
    define(request);
    return;
  }
  const warning = options.otherSessions?.aboutOwner() ?? null;
  if (warning !== null) logger.warn(warning);
}

function define(target: object): void {
  Object.defineProperties(target, { session: SESSION, sessionID: SESSION_ID });
}

/**
 * Whether it is the prototype of all requests of one app of Fastify, and of nothing else. One pair of accessors there is
 * enough, where accessors for each request would take long to define.
 */
function isOfFastify(request: object, prototype: object): boolean {
  return 'raw' in request && 'server' in prototype && Object.hasOwn(prototype, 'constructor');
}
