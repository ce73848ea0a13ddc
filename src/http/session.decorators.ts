import {
  applyDecorators,
  createParamDecorator,
  type ExecutionContext,
  SetMetadata,
  UseGuards,
} from '@nestjs/common';
import { type Duration, parseLifetime } from '../core/duration.js';
import type { SessionData } from '../core/session-data.js';
import { AuthenticationRequiredException } from './errors/exceptions.js';
import { NO_REQUEST, refuseUnsupported } from './errors/unsupported-handler.js';
import { graphqlCallOf } from './platform/graphql-call.js';
import { AUTH, type AuthPolicy, policyOf, SKIP_SESSION, SKIP_TOUCH } from './request/route-policy.js';
import { sessionOf } from './request/session-of.js';
import { operationOf } from './request/socket-operation.js';
import { SessionGuard } from './session.guard.js';
import type { RequestSession } from './session.interface.js';

/*
 * The decorators of the library: for parameters (`@Session()`, `@UserId()`) and for handlers (`@RequireAuth()` and others).
 */

/** Key of the metadata in which compilers store the types of a method's parameters, for pipes. */
const PARAMETER_TYPES = 'design:paramtypes';
/** Key of the metadata in which Nest keeps what the parameters of a method are decorated with. */
const ROUTE_ARGUMENTS = '__routeArguments__';

const decorateSession: ReturnType<typeof createParamDecorator<string | undefined>> =
  createParamDecorator(takeSession);

function takeSession(key: string | undefined, context: ExecutionContext): unknown {
  const take = (session: RequestSession): unknown =>
    key === undefined ? session : session.get(key as never);
  const session = sessionOf(context);
  if (session !== null) return take(session);
  const opening = openUnguarded(context);
  if (opening !== null) return opening.then(take);
  if (belongsToNothing(context)) void refuseUnsupported(context, NO_REQUEST);
  throw new TypeError(`@Session() was used where no session is loaded: ${why(context)}`);
}

/**
 * The session of an operation over a socket, for a field that no guard of ours has been called for, nor for one above it:
 * nothing guards what a subscription sends. Nest waits for what a parameter decorator returns.
 */
function openUnguarded(context: ExecutionContext): Promise<RequestSession> | null {
  if (context.getType<string>() !== 'graphql') return null;
  const policy = policyOf(context);
  const operation = policy.skipsSession ? null : operationOf(context);
  if (operation === null) return null;
  const opening = Promise.resolve(operation.openFor(context, policy));
  return opening.then(({ session }) => session as RequestSession<object> as RequestSession);
}

/**
 * `@Session()` gives a handler the session of its request, `@Session('cart')` gives `session.data.cart`. In GraphQL all
 * resolvers of a request get the same session; in a gateway each message gets it as it is stored by then.
 *
 * @throws TypeError on a route or resolver with `@SkipSession()`, which has none, and in an app without `SessionModule`
 */
export const Session: typeof decorateSession = (...given: Parameters<typeof decorateSession>) => {
  const decorate = decorateSession(...given);
  return (target, method, index) => {
    decorate(target, method, index);
    if (method !== undefined) forgetType(target, method, index);
  };
};

/** The session of one request. */
export type Session<T extends object = SessionData> = RequestSession<T>;

/**
 * `@UserId()` gives a handler the id of the signed-in user, or answers 401.
 *
 * @throws TypeError in an app without `SessionModule`
 */
export const UserId = createParamDecorator(takeUserId);

function takeUserId(_: unknown, context: ExecutionContext): string | Promise<string> {
  const session = sessionOf(context);
  const opening = session === null ? openUnguarded(context) : null;
  if (opening !== null) return opening.then(userOf);
  if (session === null && belongsToNothing(context)) void refuseUnsupported(context, NO_REQUEST);
  if (session === null && isOverHttp(context) && !policyOf(context).skipsSession) {
    throw new TypeError(`@UserId() was used where no session is loaded: ${why(context)}`);
  }
  return userOf(session);
}

/** Whether a resolver is called for neither an HTTP request nor a socket, so that nobody can be signed in. */
function belongsToNothing(context: ExecutionContext): boolean {
  if (context.getType<string>() !== 'graphql' || policyOf(context).skipsSession) return false;
  return graphqlCallOf(context) === null && operationOf(context) === null;
}

function userOf(session: RequestSession | null): string {
  const userId = session?.userId ?? null;
  if (userId === null) throw new AuthenticationRequiredException('authentication_required');
  return userId;
}

/** Whether a method of a controller takes the session, part of it, or the id of its user. */
export function readsSession(controller: object, method: string): boolean {
  const parameters = (Reflect.getMetadata(ROUTE_ARGUMENTS, controller, method) ?? {}) as RouteArguments;
  return Object.values(parameters).some(({ factory }) => factory === takeSession || factory === takeUserId);
}

/** What Nest keeps of the parameters of a method: of those with a decorator of an app or a library, the function behind it. */
type RouteArguments = Readonly<Record<string, { readonly factory?: unknown }>>;

/** Whether the handler is a route, or a resolver that is called for an HTTP request. */
function isOverHttp(context: ExecutionContext): boolean {
  const kind = context.getType<string>();
  return kind === 'http' || (kind === 'graphql' && graphqlCallOf(context) !== null);
}

/** What handlers are called where they are no routes. */
const HANDLERS: Readonly<Record<string, string>> = { graphql: 'resolver', ws: 'message handler' };

function why(context: ExecutionContext): string {
  const kind = context.getType<string>();
  if (kind !== 'ws' && !isOverHttp(context)) return 'outside HTTP';
  if (policyOf(context).skipsSession) return `on a ${HANDLERS[kind] ?? 'route'} with @SkipSession()`;
  if (kind === 'ws') return 'in this gateway';
  if (kind === 'graphql')
    return (
      'import SessionModule.forRoot() once, in the root module; or, if the resolver above this field has @SkipSession(), let ' +
      "guards run for fields: GraphQLModule.forRoot({ fieldResolverEnhancers: ['guards'] })"
    );
  return 'import SessionModule.forRoot() once, in the root module; or, where a test replaces SessionGuard, load one there';
}

/** SWC stores the decorator `Session` as the type of a parameter `session: Session`; a ValidationPipe would instantiate it. */
function forgetType(target: object, method: string | symbol, index: number): void {
  const types = Reflect.getOwnMetadata(PARAMETER_TYPES, target, method) as readonly unknown[] | undefined;
  if (types?.[index] !== Session) return;
  Reflect.defineMetadata(PARAMETER_TYPES, types.with(index, Object), target, method);
}

/**
 * The handler, or each of a class but those with `@Public()`, needs a signed-in user: 401 with
 * `code: 'authentication_required'` otherwise. It brings its own guard, so that it holds on every transport, and in an
 * app without `SessionModule`: where nobody can be signed in, every call is refused. On message and event handlers of
 * microservices it is a startup error.
 *
 * @param options.within how long ago the user may have proved who they are: a string such as `'10m'`, or
 * milliseconds. 401 with `code: 'reauthentication_required'` when it is longer.
 * @throws SessionOptionsError when `within` is not a duration
 * @see OWASP ASVS 5.0, 7.5.1 and 7.5.3 (re-authentication before sensitive changes)
 */
export function RequireAuth(options: { within?: Duration } = {}): MethodDecorator & ClassDecorator {
  const within = options.within === undefined ? null : parseLifetime('within', options.within);
  return applyDecorators(setAuth({ isPublic: false, within }), UseGuards(SessionGuard));
}

/** The handler needs no user, whatever `requireAuth` or its class says. */
export function Public(): MethodDecorator & ClassDecorator {
  return setAuth({ isPublic: true });
}

/**
 * No session is loaded: the route works while storage is down, and `sessionOf()` is `null`. On a resolver of GraphQL it is
 * for that field alone: the others of the request have their session.
 */
export function SkipSession(): MethodDecorator & ClassDecorator {
  return SetMetadata(SKIP_SESSION, true);
}

/**
 * The session is loaded, but the request does not count as use: for polling. A request of GraphQL does count if one of its
 * resolvers does.
 */
export function SkipTouch(): MethodDecorator & ClassDecorator {
  return SetMetadata(SKIP_TOUCH, true);
}

function setAuth(policy: AuthPolicy): MethodDecorator & ClassDecorator {
  return SetMetadata<string, AuthPolicy>(AUTH, policy);
}
