import type { ExecutionContext } from '@nestjs/common';
import type { HttpAdapterHost } from '@nestjs/core';
import type { ServerResponse } from 'node:http';
import { withAdapter } from './http-adapter.js';
import type { PlatformRequest } from './platform-request.js';
import { RequestLocal } from './request-local.js';

/*
 * Which HTTP request a resolver of GraphQL is called for, and which response answers it. Nothing of GraphQL is imported: the
 * drivers of Nest are known by the shape of what they pass on.
 */

/** A call of a resolver that belongs to an HTTP request. */
export interface GraphqlCall {
  readonly request: PlatformRequest;
  /** The raw response of Node. */
  readonly response: ServerResponse;
}

/** Fastify's reply, as far as it is used here. */
interface Reply {
  readonly request: PlatformRequest;
  readonly raw: ServerResponse;
}

/** The reply to each request of Fastify that may be one of Apollo, whose context has only the request. */
const replies = new RequestLocal<Reply>('nest-sessions reply');

/**
 * The HTTP request of a resolver's call; `null` when there is none that a response could answer: a subscription, and whatever
 * else comes over a socket, an operation that the app executes by itself, and a `context` of the app's that hides the request.
 * Of an operation over a socket see `upgradesOf`.
 */
export function graphqlCallOf(context: ExecutionContext): GraphqlCall | null {
  return graphqlCallIn(contextOf(context.getArgs()));
}

/** The same, by the `context` of the operation. */
export function graphqlCallIn(known: unknown): GraphqlCall | null {
  if (!isObject(known)) return null;
  // Mercurius adds the reply to every context. On a socket that has no response.
  const { reply, req } = known;
  if (isReply(reply)) return { request: reply.request, response: reply.raw };
  if (!isObject(req) || !isObject(req['headers'])) return null;
  // Express ties the response to its request.
  if (isResponse(req['res'])) return { request: req as unknown as PlatformRequest, response: req['res'] };
  const kept = replies.get(req);
  return kept === undefined ? null : { request: kept.request, response: kept.raw };
}

/**
 * The requests that may have opened the socket over which an operation has come, by its `context`: that of Mercurius has one,
 * that of graphql-ws has one in `extra`, which Nest passes on as `req`.
 */
export function upgradesOf(known: unknown): object[] {
  if (!isObject(known)) return [];
  const { req, request, reply, extra } = known;
  const ofReply = isObject(reply) ? reply['request'] : undefined;
  const ofExtra = [extra, isObject(req) ? req['extra'] : undefined].map(
    (one) => isObject(one) && one['request'],
  );
  return [...ofExtra, request, ofReply, req].filter(isObject);
}

/** The `context` of the operation that a resolver is called for. */
export function contextValueOf(context: ExecutionContext): unknown {
  return contextOf(context.getArgs());
}

/**
 * An object that all fields of one execution share and no others: an event of a subscription is an execution of its own,
 * although its `context` is that of the subscription. `null` when there is none.
 *
 * @see https://spec.graphql.org/October2021/#sec-Executing-Requests (coerced variable values)
 */
export function executionOf(info: unknown): object | null {
  const values = isObject(info) ? info['variableValues'] : null;
  return isObject(values) ? values : null;
}

/** Whether a subscription begins. */
export function isSubscribing(context: ExecutionContext): boolean {
  return operationTypeOf(infoOf(context)) === 'subscription' && !isOfEvent(context);
}

/** Whether the call is for a field of what a subscription sends: nobody has asked for it just now. */
export function isOfEvent(context: ExecutionContext): boolean {
  const info = infoOf(context);
  const path = info?.['path'];
  return operationTypeOf(info) === 'subscription' && isObject(path) && path['prev'] !== undefined;
}

/** Whether the operation of a resolver's call may change something: a mutation or a subscription. One that is unknown may. */
export function mayChange(context: ExecutionContext): boolean {
  return operationTypeOf(infoOf(context)) !== 'query';
}

function operationTypeOf(info: Record<string, unknown> | null): unknown {
  const operation = info?.['operation'];
  return isObject(operation) ? operation['operation'] : undefined;
}

/** What graphql-js tells a resolver of its operation. */
export function infoOf(context: ExecutionContext): Record<string, unknown> | null {
  const args = context.getArgs<unknown[]>();
  const info = args[isOfReference(args) ? 2 : 3];
  return isObject(info) ? info : null;
}

/** `Query.cart`, for the log. */
export function fieldOf(context: ExecutionContext): string {
  return `${context.getClass().name}.${context.getHandler().name}`;
}

/** Resolvers get four arguments, those of references of a federation three: no arguments of the field. */
function isOfReference(args: readonly unknown[]): boolean {
  return args.length === 3;
}

function contextOf(args: readonly unknown[]): unknown {
  return args[isOfReference(args) ? 1 : 2];
}

/**
 * From now on the replies of Fastify are known by their requests, on routes for several methods, as that of Apollo is one.
 * Routes of controllers have one method each, so that they pay nothing. Does nothing on Express.
 */
export function keepReplies(host: HttpAdapterHost): void {
  withAdapter(host, (adapter) => {
    if (adapter.getType() !== 'fastify') return;
    const fastify = adapter.getInstance<Fastify>();
    if (typeof fastify.addHook !== 'function' || prepared.has(fastify)) return;
    prepared.add(fastify);
    fastify.addHook('onRoute', (route) => {
      if (!Array.isArray(route.method)) return;
      const before = route.onRequest ?? [];
      route.onRequest = [keepReply, ...(Array.isArray(before) ? before : [before])];
    });
  });
}

const prepared = new WeakSet<object>();

/**
 * Mercurius puts the reply into the context that the app gives, which may be one object for all requests: the reply in it
 * would be that of another. From now on each request gets an object of its own, which has all that the app's has.
 */
export function separateContexts(host: HttpAdapterHost): void {
  withAdapter(host, (adapter) => {
    const fastify: Registering = adapter.getInstance();
    const { register } = fastify;
    if (adapter.getType() !== 'fastify' || typeof register !== 'function') return;
    fastify.register = function (this: unknown, plugin, options, ...rest) {
      const { context } = options ?? {};
      const isMercurius = nameOf(plugin) === 'mercurius' && typeof context === 'function';
      return register.call(
        this,
        plugin,
        isMercurius ? { ...options, context: separate(context) } : options,
        ...rest,
      );
    };
  });
}

type MakeContext = (request: object, ...rest: unknown[]) => unknown;

function separate(make: MakeContext): MakeContext {
  /** The contexts that there have been, and the request that Nest has added to each, if it has. */
  const known = new WeakMap<object, object | null>();
  return async (request, ...rest) => {
    const made = await make(request, ...rest);
    if (!isObject(made)) return made;
    if (!known.has(made)) {
      known.set(made, made['req'] === request ? request : null);
      return made;
    }
    const own = Object.create(made) as Record<string, unknown>;
    if (made['req'] === known.get(made)) own['req'] = request; // where it stays that of the first
    return own;
  };
}

interface Registering {
  register?: (
    this: unknown,
    plugin: unknown,
    options?: { readonly context?: MakeContext },
    ...rest: unknown[]
  ) => unknown;
}

/** The name that a plugin of Fastify has been given. */
function nameOf(plugin: unknown): unknown {
  return typeof plugin === 'function' ? Reflect.get(plugin, Symbol.for('fastify.display-name')) : undefined;
}

interface Fastify {
  addHook?(name: 'onRoute', hook: (route: Route) => void): void;
}

interface Route {
  readonly method: string | readonly string[];
  onRequest?: unknown;
}

/** What upgrades to a socket has no response that could carry a cookie, whatever object stands for one. */
function keepReply(request: PlatformRequest, reply: Reply, done: () => void): void {
  if (!/websocket/i.test(String(request.headers['upgrade'] ?? ''))) replies.set(request, reply);
  done();
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function isReply(value: unknown): value is Reply {
  return (
    isObject(value) &&
    isResponse(value['raw']) &&
    isObject(value['request']) &&
    isObject(value['request']['headers'])
  );
}

function isResponse(value: unknown): value is ServerResponse {
  return isObject(value) && typeof value['writeHead'] === 'function' && typeof value['end'] === 'function';
}
