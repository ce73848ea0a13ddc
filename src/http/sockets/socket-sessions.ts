import type { IncomingMessage } from 'node:http';
import type { HttpRuntime } from '../http-options.js';
import { RequestLocal } from '../platform/request-local.js';
import type { LoadedToken } from '../request/load-session.js';
import { IoConnection, type SocketConnection, WsConnection } from './socket-connection.js';
import { type EngineSocket, isIoClient, isWsClient } from './socket-kinds.js';

/*
 * Which session each open socket belongs to.
 */

/** What the request that is opening a socket has led to, until the socket is open. */
const upgrades = new RequestLocal<LoadedToken>('nest-sessions upgrade');

/** Open sockets, by client of ws and by connection of socket.io. */
const connections = new WeakMap<object, SocketConnection>();

/** Keeps what an upgrade has led to. */
export function keepUpgrade(request: IncomingMessage, loaded: LoadedToken): void {
  upgrades.set(request, loaded);
}

/** A socket is open: from now on it belongs to the session of its upgrade. What came past our check belongs to none. */
export function openSocket(
  runtime: HttpRuntime,
  socket: object,
  request: IncomingMessage | null | undefined,
): void {
  if (connections.has(socket) || request === null || request === undefined) return;
  const loaded = upgrades.get(request);
  if (loaded === undefined) return;
  upgrades.set(request, undefined);
  const connection = isWsClient(socket)
    ? new WsConnection(loaded, socket)
    : new IoConnection(loaded, socket as EngineSocket);
  connections.set(socket, connection);
  (socket as EngineSocket).once('close', () => connection.closed());
  connection.watch(runtime, loaded.session.resolved?.row);
}

/** The open socket of a client of ws or socket.io; `null` for whatever else there is, and for what came past our check. */
export function connectionOf(client: object): SocketConnection | null {
  return connections.get(isIoClient(client) ? client.conn : client) ?? null;
}

/** Whose a socket is, for as long as it is open. */
export interface SocketSession {
  /** The public id of its session. */
  readonly id: string;
  /** The id of the signed-in user; `null` for an anonymous session. */
  readonly userId: string | null;
}

/**
 * The session that a socket was opened with, for code that no message is handled by: `handleConnection`, what the server
 * pushes, `handleDisconnect`. It never changes: a socket ends with its session. `null` for a socket without one. What the
 * session holds, each message looks up: see `currentSession()`.
 *
 * @param client a socket of ws or of socket.io, as Nest passes it to `handleConnection`
 * @example
 * ```ts
 * import type { Socket } from 'socket.io';
 *
 * export class NewsGateway {
 *   async handleConnection(client: Socket) {
 *     const session = socketSession(client);
 *     if (session?.userId) await client.join(`user:${session.userId}`);
 *   }
 * }
 * ```
 */
export function socketSession(client: object): SocketSession | null {
  return connectionOf(client)?.session ?? null;
}
