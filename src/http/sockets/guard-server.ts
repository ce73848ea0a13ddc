import { type IncomingMessage, STATUS_CODES } from 'node:http';
import { SessionHttpException } from '../errors/to-http-exception.js';
import { refusalTo } from '../errors/ws-exception.js';
import type { HttpRuntime } from '../http-options.js';
import { runOutside, runWithin } from '../platform/carrier.js';
import type { LoadedToken } from '../request/load-session.js';
import { readSession, SocketMessage } from '../request/socket-message.js';
import type { LoadedSession } from '../session/request-session-state.js';
import { IoConnection } from './socket-connection.js';
import {
  type Engine,
  engineOf,
  type EngineRequest,
  type EngineSocket,
  type IoClient,
  type IoServer,
  isWsServer,
  type VerifyAnswer,
  type VerifyClient,
  type VerifyInfo,
  type WsClient,
  type WsServer,
} from './socket-kinds.js';
import {
  connectionOf,
  joinNamespace,
  keepUpgrade,
  openGraphqlSocket,
  openSocket,
} from './socket-sessions.js';
import { loadUpgrade, refusalOf, responseText, type UpgradeRefusal } from './upgrade.js';

/*
 * Stands before the servers of sockets: each upgrade is checked, and its session loaded, before anything is open.
 */

/** Servers, engines and namespaces that are guarded already. */
const guarded = new WeakSet<object>();

/** From now on each upgrade of the server is checked. `false`: it is of a kind that is not known. */
export function guardServer(runtime: HttpRuntime, server: object): boolean {
  if (isWsServer(server)) {
    once(server, () => guardWs(runtime, server, openSocket));
    return true;
  }
  const engine = engineOf(server);
  if (engine === null) return false;
  once(engine, () => guardEngine(runtime, engine));
  once(server, () => meetNamespace(runtime, server as IoServer));
  return true;
}

/** The same for a server of ws whose clients send operations of GraphQL. */
export function guardGraphqlServer(runtime: HttpRuntime, server: WsServer): void {
  once(server, () => guardWs(runtime, server, openGraphqlSocket));
}

function once(server: object, guard: () => void): void {
  if (guarded.has(server)) return;
  guarded.add(server);
  guard();
}

/** @param open what is done when a socket is open */
function guardWs(runtime: HttpRuntime, server: WsServer, open: typeof openGraphqlSocket): void {
  const { options } = server;
  const own = options.verifyClient ?? null;
  const ask = (app: VerifyClient, info: VerifyInfo, answer: VerifyAnswer): void => {
    if (app.length === 2) app.call(options, info, answer);
    else answer(Boolean(app.call(options, info, answer)), 401);
  };
  // ws looks at the number of parameters: with two it waits for the answer.
  options.verifyClient = (info, answer) => {
    let isAnswered = false;
    // What the open socket does is not done on behalf of its opening.
    const reply: VerifyAnswer = (...given) => {
      isAnswered = true;
      runOutside(() => answer(...given));
    };
    checkUpgrade(runtime, info.req, {
      accept: () => reply(true),
      askApp: own === null ? null : () => ask(own, info, reply),
      refuse: ({ status, body, headers }) => isAnswered || reply(false, status, body, headers),
    });
  };
  server.on('connection', (client: WsClient, request: IncomingMessage) => open(runtime, client, request));
}

function guardEngine(runtime: HttpRuntime, engine: Engine): void {
  const { opts } = engine;
  const own = opts.allowRequest ?? null;
  opts.allowRequest = (request, answer) => {
    // Nobody else listens for errors of the socket yet, and one that nobody hears ends the process.
    if (request.res === undefined) request.socket.on('error', ignore);
    let isAnswered = false;
    const reply: typeof answer = (...given) => {
      isAnswered = true;
      runOutside(() => answer(...given));
      request.socket.off('error', ignore); // from now on engine.io listens
    };
    checkUpgrade(runtime, request, {
      accept: () => reply(null, true),
      askApp: own === null ? null : () => own.call(opts, request, reply),
      refuse: (refusal) => isAnswered || answerHandshake(request, refusal),
    });
  };
  engine.on('connection', (socket: EngineSocket) => openSocket(runtime, socket, socket.request));
}

function ignore(): void {}

/** Engine.io has no other status than 403 by polling, and 400 for an upgrade: so ours is written here, and it hears no more. */
function answerHandshake({ res, socket }: EngineRequest, refusal: UpgradeRefusal): void {
  if (res === undefined) socket.end(responseText(refusal));
  else res.writeHead(refusal.status, refusal.headers).end(refusal.body);
}

/** How an upgrade goes on. */
interface Upgrade {
  accept(): unknown;
  /** Asks the app, which may answer later, whether to accept it; `null`: the app has no say. */
  readonly askApp: (() => unknown) | null;
  /** Does nothing if the app has answered already. */
  refuse(refusal: UpgradeRefusal): unknown;
}

function checkUpgrade(runtime: HttpRuntime, request: IncomingMessage, upgrade: Upgrade): void {
  const refuse = (error: unknown): void => void upgrade.refuse(refusalOf(runtime, request, error));
  const admit = (loaded: LoadedToken): void => {
    keepUpgrade(request, loaded);
    const { askApp } = upgrade;
    if (askApp === null) return void upgrade.accept();
    const { session: others, isBearer } = loaded;
    const socket = { session: others.resolved?.row ?? null, others, isBearer };
    const opening = SocketMessage.ofOpening(runtime, socket, request, loaded.session);
    runWithin(opening, askApp);
  };
  try {
    const loading = loadUpgrade(runtime, request);
    if (loading instanceof Promise) loading.then(admit).catch(refuse);
    else admit(loading);
  } catch (error) {
    refuse(error);
  }
}

/** The sessions of clients that are joining a namespace of socket.io. */
const joining = new WeakMap<IoClient, LoadedSession>();

/** The session of a client that has just joined a namespace; `null` when nothing was loaded for it. */
export function takeJoining(client: object): LoadedSession | null {
  const loaded = joining.get(client as IoClient) ?? null;
  joining.delete(client as IoClient);
  return loaded;
}

/**
 * A client of socket.io joins a namespace only when its session is known: with that of the handshake, if it comes at once;
 * otherwise it is looked up again.
 */
function meetNamespace(runtime: HttpRuntime, server: IoServer): void {
  server.use((client, next) => {
    const connection = connectionOf(client);
    if (!(connection instanceof IoConnection)) return next();
    joinNamespace(connection, client);
    const { opening, session, others } = connection;
    const join = (loaded: LoadedSession): void => {
      joining.set(client, loaded);
      next();
    };
    if (opening !== null) return join(opening);
    if (session === null) return join({ ...others, resolved: null });
    readSession(runtime, session, others, 'joining a namespace').then(join, (error: unknown) =>
      next(connectError(error)),
    );
  });
}

/** What the client gets as `connect_error`: socket.io passes on `message` and `data`. */
function connectError(error: unknown): Error {
  return error instanceof SessionHttpException
    ? Object.assign(new Error(refusalTo(error).message), { data: refusalTo(error) })
    : new Error(STATUS_CODES[500]);
}
