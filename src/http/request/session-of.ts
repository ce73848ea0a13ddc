import type { ExecutionContext } from '@nestjs/common';
import type { SessionData } from '../../core/session-data.js';
import { RequestLocal } from '../platform/request-local.js';
import type { SessionExchange } from './session-exchange.js';
import type { RequestSession } from '../session.interface.js';

/*
 * Where the exchange of each request is kept, and how the session in it is found again.
 */

/** The exchange of each request; or a function that makes it, or throws, when the exchange is first asked for. */
const exchanges = new RequestLocal<SessionExchange | (() => SessionExchange)>('nest-sessions exchange');

/** Keeps the exchange of a request, or the function that will make it. */
export function keepExchange(request: object, exchange: SessionExchange | (() => SessionExchange)): void {
  exchanges.set(request, exchange);
}

/** From now on the request has no session. Changes that were made to its session before are saved all the same. */
export function skipExchange(request: object): void {
  const exchange = exchanges.get(request);
  if (exchange === undefined) return;
  if (typeof exchange !== 'function') exchange.state.countAsTouch(false); // a route that skips the session does not use it
  exchanges.set(request, undefined);
}

/**
 * The exchange of a request, or of the request of an HTTP context; `null` when there is none.
 *
 * @throws SessionHttpException (503), once, when the session could not be loaded before routing
 */
export function exchangeOf(source: object): SessionExchange | null {
  const request = 'switchToHttp' in source ? requestOf(source as ExecutionContext) : source;
  if (request === null) return null;
  const known = exchanges.get(request) ?? null;
  if (typeof known !== 'function') return known;
  exchanges.set(request, undefined); // it throws once: the exception filter that answers may look for the session too
  const exchange = known();
  exchanges.set(request, exchange);
  return exchange;
}

function requestOf(context: ExecutionContext): object | null {
  return context.getType() === 'http' ? context.switchToHttp().getRequest<object>() : null;
}

/**
 * The session of a request, for guards, pipes, interceptors and filters of the app, in whatever order they are
 * registered. `null` on `@SkipSession()` routes, outside HTTP, and before the session is loaded: in middleware, unless
 * `mount` is `'middleware'`.
 *
 * @param source an `ExecutionContext`, or the request of Express or Fastify
 * @throws SessionHttpException (503), the first time that it is asked, when `mount` is `'middleware'` and the session could
 *   not be loaded
 */
export function sessionOf<T extends object = SessionData>(source: object): RequestSession<T> | null {
  const exchange = exchangeOf(source);
  exchange?.state.noteRead();
  return (exchange?.session as RequestSession<object> | undefined as RequestSession<T> | undefined) ?? null;
}
