import { connect } from 'node:net';
import { property } from '../../driver-error.js';

/**
 * Asks the server, or the pooler before it, to cancel the statement of a connection, as `libpq` does: over another
 * connection, which carries the two numbers that the server gave to the first. Whether it did is not told.
 *
 * It resolves when the request has been taken: until then the first connection has to stay open, since a pooler forgets one that
 * has closed. Half-closing the second would end PgBouncer 1.18.
 */
export function cancelStatement(connection: unknown): Promise<void> {
  if (!isBusyClient(connection)) return Promise.resolve();
  const { host, port, processID, secretKey } = connection;
  const packet = Buffer.alloc(16);
  [packet.length, CANCEL_REQUEST, processID, secretKey].forEach((value, index) =>
    packet.writeInt32BE(value, 4 * index),
  );
  const socket = host.startsWith('/') ? connect(`${host}/.s.PGSQL.${port}`) : connect(port, host);
  socket.on('connect', () => socket.write(packet));
  socket.on('error', () => socket.destroy()); // an unreachable server has nothing to cancel
  socket.setTimeout(CANCEL_TIMEOUT, () => socket.destroy());
  socket.resume(); // so that its end is noticed
  socket.unref();
  return new Promise((resolve) => socket.on('close', () => resolve()));
}

/** @see https://www.postgresql.org/docs/current/protocol-message-formats.html (CancelRequest) */
const CANCEL_REQUEST = 80_877_102;

/** Milliseconds until the attempt is given up. */
const CANCEL_TIMEOUT = 1_000;

/** A connection of `pg`, as far as a request to cancel its statement needs it. */
interface BusyClient {
  readonly host: string;
  readonly port: number;
  readonly processID: number;
  readonly secretKey: number;
}

function isBusyClient(value: unknown): value is BusyClient {
  const numbers = ['port', 'processID', 'secretKey'].map((name) => property(value, name));
  return typeof property(value, 'host') === 'string' && numbers.every((number) => typeof number === 'number');
}
