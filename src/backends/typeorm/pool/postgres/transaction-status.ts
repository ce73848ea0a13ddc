import { EventEmitter } from 'node:events';
import { property } from '../../driver-error.js';

/**
 * Whether a connection of `pg` was in a transaction when it last answered, failed ones included. One of which that is not known
 * is taken for one that was not: with a `pg` that does not tell, what it has said before it was first asked about; and one on which
 * a statement is still under way, such as a COMMIT that the app has not waited for.
 *
 * @see https://www.postgresql.org/docs/current/protocol-message-formats.html (ReadyForQuery)
 */
export function isInTransaction(client: unknown): boolean {
  if (isBusy(client)) return false;
  const status = statusOf(client);
  return status === 'T' || status === 'E';
}

/** Whether it has not answered all that it was sent. After an error that is so until the server says that it is ready again. */
function isBusy(client: unknown): boolean {
  return property(client, 'readyForQuery') === false;
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
