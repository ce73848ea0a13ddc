import type { ExecutionContext } from '@nestjs/common';
import type { SessionData } from '../../core/session-data.js';
import { currentCarrier } from '../platform/carrier.js';
import { graphqlCallOf } from '../platform/graphql-call.js';
import { RequestLocal } from '../platform/request-local.js';
import type { RequestSession } from '../session.interface.js';
import type { Exchange } from './exchange.js';
import { policyOf } from './route-policy.js';
import type { SessionExchange } from './session-exchange.js';
import { SocketMessage } from './socket-message.js';
import { operationOf } from './socket-operation.js';

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
 * The exchange of a request or a message, or of that of a context; `null` when there is none.
 *
 * @throws SessionHttpException (503), once, when the session could not be loaded before routing
 */
export function exchangeOf(source: object): Exchange | null {
  if (source instanceof SocketMessage) return source.exchange;
  if ('switchToHttp' in source) return exchangeOfContext(source as ExecutionContext);
  return requestExchangeOf(source) ?? messageOf(source)?.exchange ?? null;
}

function exchangeOfContext(context: ExecutionContext): Exchange | null {
  const kind = context.getType<string>();
  if (kind === 'http') return requestExchangeOf(context.switchToHttp().getRequest<object>());
  if (kind === 'ws') return messageOf(context.switchToWs().getClient<object>())?.exchange ?? null;
  // One field skips the session for itself. Its request has one all the same, for the others.
  if (kind !== 'graphql' || policyOf(context).skipsSession) return null;
  const call = graphqlCallOf(context);
  return call === null ? (operationOf(context)?.exchange ?? null) : requestExchangeOf(call.request);
}

/** The exchange of an HTTP request; `null` when there is none. @throws SessionHttpException, as `exchangeOf` does */
export function requestExchangeOf(request: object): SessionExchange | null {
  const known = exchanges.get(request) ?? null;
  if (typeof known !== 'function') return known;
  exchanges.set(request, undefined); // it throws once: the exception filter that answers may look for the session too
  const exchange = known();
  exchanges.set(request, exchange);
  return exchange;
}

/** What the fields of a request wait for that are called at the same time: its session is looked up once. */
const openings = new RequestLocal<Promise<SessionExchange>>('nest-sessions opening');

/**
 * The exchange of a request that resolvers are called for, which the first of them opens: at once where that is possible.
 * When it fails, it fails for all of them.
 *
 * @param open opens the exchange and keeps it
 */
export function openOnce(
  request: object,
  open: () => SessionExchange | Promise<SessionExchange>,
): SessionExchange | Promise<SessionExchange> {
  const known = exchanges.get(request);
  if (known !== undefined && typeof known !== 'function') return known;
  const underWay = openings.get(request);
  if (underWay !== undefined) return underWay;
  const keep = (opening: Promise<SessionExchange>): Promise<SessionExchange> => {
    openings.set(request, opening);
    return opening;
  };
  try {
    const opened = requestExchangeOf(request) ?? open();
    return opened instanceof Promise ? keep(opened) : opened;
  } catch (error) {
    return keep(Promise.reject(error instanceof Error ? error : new Error(String(error))));
  }
}

/** The message of a client that is being handled; `null` when the running code does not run on behalf of one. */
export function messageOf(client: object): SocketMessage | null {
  const carrier = currentCarrier();
  return carrier instanceof SocketMessage && carrier.client === client ? carrier : null;
}

/**
 * The session of a request, for guards, pipes, interceptors and filters of the app, in whatever order they are
 * registered. `null` on `@SkipSession()` routes and fields, where no user calls a handler, and before the session is loaded: in
 * middleware, unless `mount` is `'middleware'`.
 *
 * @param source an `ExecutionContext`, of a resolver too, or the request of Express or Fastify. In a gateway also the client
 *   whose message is being handled, or who is being connected
 * @throws SessionHttpException (503), the first time that it is asked, when `mount` is `'middleware'` and the session could
 *   not be loaded
 */
export function sessionOf<T extends object = SessionData>(source: object): RequestSession<T> | null {
  const exchange = exchangeOf(source);
  exchange?.state.noteRead();
  return (exchange?.session as RequestSession<object> | undefined as RequestSession<T> | undefined) ?? null;
}
