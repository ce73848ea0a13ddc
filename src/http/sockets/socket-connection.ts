import type { EndReason, LiveConnection, LiveRegistration } from '../../core/live-sessions.js';
import type { SessionRow } from '../../core/session-row.js';
import { clearTimeout, setImmediate, setTimeout } from '../../core/timers.js';
import type { HttpRuntime } from '../http-options.js';
import { currentCarrier } from '../platform/carrier.js';
import type { LoadedToken } from '../request/load-session.js';
import { type SocketFacts, SocketMessage } from '../request/socket-message.js';
import type { LoadedSession, OtherSessions } from '../session/request-session-state.js';
import type { EngineSocket, IoClient, WsClient } from './socket-kinds.js';

/*
 * An open socket and the session that it was opened with: they end together.
 */

/** The status with which a socket is closed whose session has ended. @see RFC 6455, 7.4.1 (policy violation) */
const SESSION_ENDED = 1008;

/**
 * The status with which a client is asked to come back, with its new cookie.
 *
 * @see https://www.iana.org/assignments/websocket/websocket.xhtml#close-code-number (Service Restart)
 */
const COME_BACK = 1012;

/** An open socket. Of its session it keeps the ids alone. */
export abstract class SocketConnection implements SocketFacts, LiveConnection {
  readonly session: SocketFacts['session'];
  readonly others: OtherSessions;
  readonly isBearer: boolean;
  /** The session as it was when the socket was opened, until whoever connects has seen it. */
  #opening: LoadedSession | null;
  #registration: LiveRegistration | null = null;

  constructor({ session, isBearer }: LoadedToken) {
    const row = session.resolved?.row;
    this.session = row === undefined ? null : { id: row.id, userId: row.userId };
    this.others = idsOf(session);
    this.isBearer = isBearer;
    this.#opening = session;
  }

  /** Closes it, because its session has ended. */
  protected abstract close(reason: EndReason): void;

  /** From now on it ends with its session. To be called once. @param row the session as it was loaded */
  watch({ sessions }: HttpRuntime, row: SessionRow | undefined): void {
    if (row !== undefined) this.#registration = sessions.live.add(row, this);
  }

  /** It is closed. */
  closed(): void {
    this.#registration?.takeBack();
    this.#registration = null;
    this.#opening = null;
  }

  /** The session has ended. If by a message of this very socket, that is answered first, unless it takes too long. */
  end(reason: EndReason): void {
    this.#registration = null;
    const message = currentCarrier();
    const close = (): void => this.close(reason);
    if (!(message instanceof SocketMessage) || !message.isOf(this)) return close();
    const timer = setTimeout(close, LONGEST_ANSWER).unref();
    const isWaiting = message.afterwards(() => {
      clearTimeout(timer);
      setImmediate(close); // when the answer has been handed to the socket
    });
    if (isWaiting) return;
    clearTimeout(timer);
    close();
  }

  /** The session as it was when the socket was opened; `null` once it has been forgotten. */
  get opening(): LoadedSession | null {
    return this.#opening;
  }

  /** Forgets it behind the current turn, in which all gateways of the server get to know the client. */
  forgetOpening(): void {
    if (this.#opening !== null) setImmediate(() => (this.#opening = null));
  }
}

function idsOf({ unserved, missing }: OtherSessions): OtherSessions {
  if (unserved === null) return { unserved, missing };
  const { id, userId } = unserved.row;
  return { unserved: { ...unserved, row: { id, userId } }, missing };
}

/** Milliseconds that a message may take to be answered which has ended the session of its socket. */
const LONGEST_ANSWER = 5_000;

/** A socket of ws. */
export class WsConnection extends SocketConnection {
  readonly #client: WsClient;

  constructor(loaded: LoadedToken, client: WsClient) {
    super(loaded);
    this.#client = client;
  }

  protected override close(reason: EndReason): void {
    this.#client.close(this.statusFor(reason), reason);
  }

  protected statusFor(_reason: EndReason): number {
    return SESSION_ENDED;
  }
}

/** A socket of ws for operations of GraphQL. */
export class GraphqlConnection extends WsConnection {
  /** Clients of graphql-ws come back by themselves after any status but those that say not to, which 1008 does. */
  protected override statusFor(reason: EndReason): number {
    return reason === 'replaced' ? COME_BACK : super.statusFor(reason);
  }
}

/** A connection of socket.io, with one client for each namespace. */
export class IoConnection extends SocketConnection {
  readonly #socket: EngineSocket;
  /** Those that have joined. Most connections have one, which needs no collection. */
  #clients: IoClient | Set<IoClient> | null = null;

  constructor(loaded: LoadedToken, socket: EngineSocket) {
    super(loaded);
    this.#socket = socket;
  }

  /** A client has joined a namespace. */
  join(client: IoClient): void {
    if (this.#clients === null) this.#clients = client;
    else if (this.#clients instanceof Set) this.#clients.add(client);
    else this.#clients = new Set([this.#clients, client]);
  }

  /** A client has left its namespace. */
  leave(client: IoClient): void {
    if (this.#clients instanceof Set) this.#clients.delete(client);
    else if (this.#clients === client) this.#clients = null;
  }

  /**
   * A client whose connection is closed connects again by itself; one that is disconnected does not. After a sign-in it is
   * to come back with its new cookie, and otherwise it has none.
   */
  protected override close(reason: EndReason): void {
    const clients = this.#clients instanceof Set ? [...this.#clients] : [this.#clients];
    const connected = clients.find((client) => client?.connected);
    if (reason === 'replaced' || !connected) this.#socket.close();
    else connected.disconnect(true);
  }
}
