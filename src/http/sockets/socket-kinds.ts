import type { IncomingMessage, ServerResponse } from 'node:http';

/*
 * Servers and clients of ws and of socket.io, as far as sessions use them. Neither package is imported: they are known by
 * their shape.
 */

/** Whatever an emitter calls. Its arguments are the business of whoever listens. */
export type Listener = (...args: never[]) => void;

interface Emitter {
  on(event: string, listener: Listener): unknown;
  once(event: string, listener: Listener): unknown;
}

// ws

/** How ws answers an upgrade that is refused. */
export type VerifyAnswer = (
  isVerified: boolean,
  status?: number,
  body?: string,
  headers?: Readonly<Record<string, string>>,
) => void;

/** What ws asks before it accepts an upgrade. With two parameters it may answer later. */
export type VerifyClient = (info: VerifyInfo, answer: VerifyAnswer) => unknown;

/** What ws tells of an upgrade. */
export interface VerifyInfo {
  readonly req: IncomingMessage;
}

/** A server of ws, which asks `options.verifyClient` at each upgrade. */
export interface WsServer extends Emitter {
  readonly options: { verifyClient?: VerifyClient | null };
}

/** An open socket of ws. */
export interface WsClient extends Emitter {
  close(code: number, reason: string): void;
}

export function isWsServer(server: object): server is WsServer {
  return (
    isEmitter(server) &&
    has(server, 'handleUpgrade') &&
    'options' in server &&
    typeof server.options === 'object' &&
    server.options !== null
  );
}

export function isWsClient(client: object): client is WsClient {
  return isEmitter(client) && has(client, 'close') && has(client, 'terminate');
}

// socket.io

/** What socket.io asks before it accepts a handshake, by polling or by an upgrade. */
export type AllowRequest = (
  request: EngineRequest,
  answer: (error: string | null | undefined, isAllowed: boolean) => void,
) => unknown;

/** The request of a handshake. `res` is the response to it, if it came by polling. */
export type EngineRequest = IncomingMessage & { readonly res?: ServerResponse };

/** The server below socket.io, which asks `opts.allowRequest` at each handshake. */
export interface Engine extends Emitter {
  readonly opts: { allowRequest?: AllowRequest };
}

/** A connection below socket.io: all namespaces share it. `request`: that of its handshake, if there was one over HTTP. */
export interface EngineSocket extends Emitter {
  readonly request?: IncomingMessage | null;
  close(): void;
}

/** A server of socket.io, or one of its namespaces. */
export interface IoServer {
  use(middleware: (client: IoClient, next: (error?: Error) => void) => void): unknown;
}

/** What a client of socket.io is in one namespace. */
export interface IoClient extends Emitter {
  readonly conn: EngineSocket;
  readonly connected: boolean;
  disconnect(closesConnection: boolean): unknown;
}

/** The engine below a server or a namespace of socket.io; `null` for anything else, and while it is not attached. */
export function engineOf(server: object): Engine | null {
  const whole = 'server' in server && isObject(server.server) ? server.server : server;
  const engine = has(whole, 'of') && 'engine' in whole ? whole.engine : null;
  return isObject(engine) && isEmitter(engine) && 'opts' in engine && isObject(engine.opts)
    ? (engine as unknown as Engine)
    : null;
}

export function isIoClient(client: object): client is IoClient {
  return (
    isEmitter(client) &&
    has(client, 'disconnect') &&
    'conn' in client &&
    isObject(client.conn) &&
    isEmitter(client.conn)
  );
}

function isEmitter(value: object): value is Emitter {
  return has(value, 'on') && has(value, 'once');
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

/** Whether it has a method of that name. */
function has(value: object, method: string): boolean {
  return typeof Reflect.get(value, method) === 'function';
}
