import { EventEmitter } from 'node:events';
import { property } from '../../driver-error.js';

/**
 * Whether a connection of `pg` was in a transaction when it last answered, failed ones included. One of which that is not known
 * is taken for one that was not: with a `pg` that does not tell, what it has said before it was first asked about.
 *
 * @see https://www.postgresql.org/docs/current/protocol-message-formats.html (ReadyForQuery)
 */
export function isInTransaction(client: unknown): boolean {
  const status = statusOf(client);
  return status === 'T' || status === 'E';
}

function statusOf(client: unknown): unknown {
  const tell = property(client, 'getTransactionStatus');
  return typeof tell === 'function' ? tell.call(client) : heardOf(property(client, 'connection'));
}

/** What the server has said last on a connection, since this was first asked about it. */
function heardOf(connection: unknown): unknown {
  if (!(connection instanceof EventEmitter)) return null;
  if (!HEARD.has(connection)) {
    HEARD.set(connection, null);
    connection.on('readyForQuery', (message: unknown) => HEARD.set(connection, property(message, 'status')));
  }
  return HEARD.get(connection);
}

/** By connection, as the protocol has it. */
const HEARD = new WeakMap<EventEmitter, unknown>();
