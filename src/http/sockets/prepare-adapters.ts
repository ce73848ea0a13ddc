import type { WebSocketAdapter } from '@nestjs/common';
import type { ApplicationConfig } from '@nestjs/core';
import type { IncomingMessage } from 'node:http';
import { isObservable, Observable } from 'rxjs';
import type { HttpRuntime } from '../http-options.js';
import { runWithin } from '../platform/carrier.js';
import { SocketMessage } from '../request/socket-message.js';
import { guardServer, takeJoining } from './guard-server.js';
import { connectionOf, openSocket } from './socket-sessions.js';

/*
 * Stands between the WebSocket adapter of an app and its gateways, so that upgrades are checked and messages have a session.
 */

type Connect = (client: object, request?: IncomingMessage) => unknown;
type MessageHandler = Parameters<WebSocketAdapter['bindMessageHandlers']>[1][number];
type Callback = (...args: unknown[]) => unknown;

/**
 * From now on the app's adapter, whichever it is and whenever it is set, is prepared: Nest asks for it when gateways are
 * connected, and makes one of socket.io if there is none.
 */
export function prepareAdapters(runtime: HttpRuntime, app: ApplicationConfig): void {
  const set = app.setIoAdapter.bind(app);
  app.setIoAdapter = (adapter) => {
    prepare(runtime, adapter);
    set(adapter);
  };
  const known = app.getIoAdapter() as WebSocketAdapter | null;
  if (known !== null) prepare(runtime, known);
}

/** Adapters that are prepared already. */
const prepared = new WeakSet<WebSocketAdapter>();

/** A subclass may override what it likes: these two are called by Nest, from outside. */
function prepare(runtime: HttpRuntime, adapter: WebSocketAdapter): void {
  if (prepared.has(adapter)) return;
  prepared.add(adapter);
  const connect = adapter.bindClientConnect.bind(adapter);
  const bind = adapter.bindMessageHandlers.bind(adapter);
  let isWarned = false;
  adapter.bindClientConnect = (server: object, callback: Connect) => {
    if (!guardServer(runtime, server) && !isWarned) {
      isWarned = true;
      runtime.logger.warn(unknownServer(adapter));
    }
    const onConnect: Connect = (client, request, ...rest: unknown[]) => {
      if (request !== undefined) openSocket(runtime, client, request);
      return opened(runtime, client, () => Reflect.apply(callback, undefined, [client, request, ...rest]));
    };
    return connect(server, onConnect) as unknown;
  };
  adapter.bindMessageHandlers = (client: object, handlers, transform) =>
    bind(
      client,
      handlers.map((handler) => onBehalfOf(client, handler)),
      transform,
    ) as unknown;
}

function unknownServer(adapter: object): string {
  return (
    `The WebSocket adapter ${adapter.constructor.name}: expected one whose servers are those of ws or of socket.io, got ` +
    'others. Sessions do not reach its gateways: handlers that need a user refuse everybody, and upgrades are not checked'
  );
}

/** Calls what gateways do when a client has connected, on behalf of its session as it was loaded for the upgrade. */
function opened(runtime: HttpRuntime, client: object, connect: () => unknown): unknown {
  const connection = connectionOf(client);
  const loaded = takeJoining(client) ?? connection?.opening ?? null;
  if (connection === null || loaded === null) return connect();
  connection.forgetOpening();
  const opening = SocketMessage.ofOpening(runtime, connection, client, loaded);
  try {
    return runWithin(opening, connect);
  } finally {
    opening.exchange?.detach();
  }
}

/**
 * Has the handler run on behalf of each message: with what it returns, and what that emits. Nest makes its object for this
 * one client, so another one would only take memory, for as long as the socket is open.
 */
function onBehalfOf(client: object, handler: MessageHandler): MessageHandler {
  handler.callback = handle.bind(undefined, client, handler.callback as Callback) as typeof handler.callback;
  return handler;
}

function handle(client: object, callback: Callback, ...args: unknown[]): unknown {
  const connection = connectionOf(client);
  if (connection === null) return callback(...args);
  const message = new SocketMessage(connection, client);
  return runWithin(message, async () => {
    let isAnswering = false;
    try {
      const result = await callback(...args);
      isAnswering = isObservable(result);
      return isObservable(result) ? answering(message, result) : result;
    } finally {
      if (!isAnswering) message.end();
    }
  });
}

/** Nest subscribes when it no longer runs on behalf of the message. */
function answering(message: SocketMessage, result: Observable<unknown>): Observable<unknown> {
  return new Observable((subscriber) => {
    const answers = runWithin(message, () => result.subscribe(subscriber));
    return () => {
      answers.unsubscribe();
      message.end();
    };
  });
}
