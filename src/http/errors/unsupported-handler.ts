import { type ExecutionContext, Logger } from '@nestjs/common';
import { SessionOptionsError } from '../../core/session-errors.js';
import { SessionUnsupportedException } from './exceptions.js';
import { wsException } from './ws-exception.js';

/*
 * Refuses calls of handlers that need a signed-in user where no session is ever loaded.
 */

/** Why handlers that need a user are refused in an app without `SessionModule`, for the log. */
export const NO_MODULE =
  '`@RequireAuth()` protects handlers, but no session is ever loaded, so that they refuse everybody: import ' +
  'SessionModule.forRoot() once, in the root module';
/** Why handlers that need a user are refused on transports without sessions, for the log. */
export const NO_SESSIONS_HERE =
  'sessions do not reach this kind of handler yet, so that nobody can be signed in, and what needs a user is refused. ' +
  '`@Public()` opens it';

/** Why resolvers that need a user are refused for an operation without an HTTP request or a socket, for the log. */
export const NO_REQUEST =
  'the GraphQL operation belongs to no HTTP request and to no socket that is known, so that nobody can be signed in, and what ' +
  'needs a user is refused. It was executed by the app itself, came over a socket of another driver than Apollo and Mercurius, ' +
  'or has a `context` without `req`';
/** Why gateways whose adapter is none that is known refuse handlers that need a user, for the log. */
export const NO_SESSIONS_BY_ADAPTER =
  'the WebSocket adapter of the app is neither on ws nor on socket.io, so that sessions do not reach its gateways, and what ' +
  'needs a user is refused. `@Public()` opens it';

const logger = new Logger('Sessions');
/** Handlers whose refusal has been logged: each is logged once, so that callers cannot fill the log. */
const logged = new WeakSet<object>();

/**
 * Refuses the call of a handler, in the form in which its transport reports errors to the client. The reason is logged once for
 * each handler; over HTTP Nest logs the error that is thrown.
 *
 * @param reason for the log
 * @returns `false`, which Nest answers with "Forbidden resource", for messages between services, and in gateways where
 *   `@nestjs/websockets` is missing
 * @throws SessionOptionsError over HTTP, which Nest logs and answers with 500
 * @throws SessionUnsupportedException in GraphQL, and wherever else a handler is called from
 */
export function refuseUnsupported(context: ExecutionContext, reason: string): boolean | Promise<boolean> {
  const kind = context.getType<string>();
  if (kind === 'http') throw new SessionOptionsError(reason);
  logOnce(context, reason);
  if (kind === 'rpc') return false;
  if (kind === 'ws') return refuseMessage();
  throw new SessionUnsupportedException(
    reason === NO_REQUEST ? 'GraphQL without an HTTP request' : undefined,
  );
}

function logOnce(context: ExecutionContext, reason: string): void {
  const handler = context.getHandler();
  if (logged.has(handler)) return;
  logged.add(handler);
  logger.warn(`${context.getClass().name}.${handler.name}: refused: ${reason}`);
}

async function refuseMessage(): Promise<boolean> {
  const exception = await wsException({
    status: 'error',
    ...SessionUnsupportedException.answer('this gateway'),
  });
  if (exception === null) return false;
  throw exception;
}
