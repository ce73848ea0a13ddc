import type { IncomingMessage } from 'node:http';
import type { HttpRuntime } from '../http-options.js';
import { RequestLocal } from '../platform/request-local.js';
import type { LoadedToken } from '../request/load-session.js';
import { graphqlSocketOf, keepGraphqlSocket } from '../request/socket-operation.js';
import { GraphqlConnection, IoConnection, type SocketConnection, WsConnection } from './socket-connection.js';
import { type EngineSocket, type IoClient, isIoClient, isWsClient, type WsClient } from './socket-kinds.js';

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
  const make = (loaded: LoadedToken): SocketConnection =>
    isWsClient(socket) ? new WsConnection(loaded, socket) : new IoConnection(loaded, socket as EngineSocket);
  if (request !== null && request !== undefined) open(runtime, socket as EngineSocket, request, make);
}

/** A socket for operations of GraphQL is open, as `openSocket` says. Operations are known by the request that has opened it. */
export function openGraphqlSocket(runtime: HttpRuntime, client: WsClient, request: IncomingMessage): void {
  const connection = open(runtime, client, request, (loaded) => new GraphqlConnection(loaded, client));
  connection?.forgetOpening();
  if (connection !== null) keepGraphqlSocket(request, { runtime, facts: connection });
}

function open(
  runtime: HttpRuntime,
  socket: EngineSocket | WsClient,
  request: IncomingMessage,
  make: (loaded: LoadedToken) => SocketConnection,
): SocketConnection | null {
  const loaded = connections.has(socket) ? undefined : upgrades.get(request);
  if (loaded === undefined) return null;
  upgrades.set(request, undefined);
  const connection = make(loaded);
  connections.set(socket, connection);
  socket.on('close', closed);
  connection.watch(runtime, loaded.session.resolved?.row);
  return connection;
}

/** One function for all sockets, which emitters call as their method. */
function closed(this: object): void {
  connections.get(this)?.closed();
}

/** A client of socket.io joins a namespace. */
export function joinNamespace(connection: IoConnection, client: IoClient): void {
  connection.join(client);
  client.on('disconnect', left);
}

/** One function for all clients, as above. */
function left(this: IoClient): void {
  const connection = connections.get(this.conn);
  if (connection instanceof IoConnection) connection.leave(this);
}

/** The open socket of a client of ws or socket.io; `null` for whatever else there is, and for what came past our check. */
export function connectionOf(client: object): SocketConnection | null {
  const known = connections.get(client) ?? (isIoClient(client) ? connections.get(client.conn) : undefined);
  return known ?? null;
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
 * @param client a socket of ws or of socket.io, as Nest passes it to `handleConnection`; or the `context` of an operation of
 *   GraphQL over a socket, as `filter` and `resolve` of `@Subscription()` get it
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
  return (connectionOf(client) ?? graphqlSocketOf(client)?.facts)?.session ?? null;
}
