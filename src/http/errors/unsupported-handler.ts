import { type ExecutionContext, Logger } from '@nestjs/common';
import { SessionOptionsError } from '../../core/session-errors.js';
import { SessionUnsupportedException } from './exceptions.js';

/** Why an app without the module lets nobody in. */
export const NO_MODULE =
  '`@RequireAuth()` protects handlers, but no session is ever loaded, so that they refuse everybody: import ' +
  'SessionModule.forRoot() once, in the root module';
/** Why nobody is let in where sessions do not come to. */
export const NO_SESSIONS_HERE =
  'sessions do not reach this kind of handler yet, so that nobody can be signed in, and what needs a user is refused. ' +
  '`@Public()` opens it';

const logger = new Logger('Sessions');
/** Handlers whose refusals are in the log: whoever may call one must not be able to fill it. */
const told = new WeakSet<object>();

/**
 * Refuses a call of a handler for want of sessions: as its transport shows it to the client, and with a line in the
 * log that says why, one for each handler.
 *
 * @returns false, which Nest makes "Forbidden resource" of, where that is the clearest refusal
 * @throws SessionOptionsError over HTTP, which Nest logs and answers with 500
 * @throws SessionUnsupportedException in GraphQL, and wherever else a handler is called from
 */
export function refuseUnsupported(context: ExecutionContext, reason: string): boolean | Promise<boolean> {
  const kind = context.getType<string>();
  if (kind === 'http') throw new SessionOptionsError(reason);
  tell(context, reason);
  if (kind === 'rpc') return false;
  if (kind === 'ws') return refuseMessage();
  throw new SessionUnsupportedException(kind === 'graphql' ? 'GraphQL resolvers' : undefined);
}

function tell(context: ExecutionContext, reason: string): void {
  const handler = context.getHandler();
  if (told.has(handler)) return;
  told.add(handler);
  logger.warn(`${context.getClass().name}.${handler.name}: refused: ${reason}`);
}

/** Gateways pass on the words of a `WsException` alone. It is of the copy that they are made of, which apps bring. */
async function refuseMessage(): Promise<boolean> {
  const websockets = await import('@nestjs/websockets').catch(() => null);
  if (websockets === null) return false;
  throw new websockets.WsException({
    status: 'error',
    ...SessionUnsupportedException.answer('WebSocket gateways'),
  });
}
