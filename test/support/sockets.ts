import type { INestApplication } from '@nestjs/common';
import { IoAdapter } from '@nestjs/platform-socket.io';
import { WsAdapter } from '@nestjs/platform-ws';
import type { IncomingMessage } from 'node:http';
import { io, type Socket } from 'socket.io-client';
import { WebSocket } from 'ws';
import type { Browser } from './browser.js';

/** What a server has sent. */
export interface Answer {
  readonly event: string;
  readonly data: unknown;
}

/** An open socket, as its client has it. */
export interface TestSocket {
  /** Sends a message and resolves to what comes next. */
  ask(event: string, data?: object): Promise<Answer>;
  /** Sends a message. */
  tell(event: string, data?: object): void;
  /** What comes next. */
  next(): Promise<Answer>;
  /** How it has ended: `1008 logout`, or in the words of socket.io. */
  readonly ended: Promise<string>;
  /** Hangs up, without a word. */
  hangUp(): void;
}

export interface Opening {
  readonly cookie?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Of a plain client of WebSocket: the subprotocols that it offers. */
  readonly protocols?: string[];
  /** Of ws: the path. Of socket.io: the namespace. */
  readonly path?: string;
  /** Of socket.io. */
  readonly transports?: readonly ('polling' | 'websocket')[];
  readonly reconnects?: boolean;
}

/** One of Nest's platforms for sockets. */
export interface SocketPlatform {
  readonly adapt: (app: INestApplication) => void;
  readonly open: (port: number, opening?: Opening) => Promise<TestSocket>;
  /** Where a plain client of WebSocket finds the server. */
  readonly path: string;
}

export const SOCKETS = ['ws', 'socket.io'] as const;
export type SocketKind = (typeof SOCKETS)[number];

/** Host and Origin of the page. */
const PAGE = { host: 'app.test', origin: 'https://app.test' };

/** What has come and nobody has asked for yet, or the other way round. */
class Inbox {
  readonly #come: Answer[] = [];
  readonly #asked: ((answer: Answer) => void)[] = [];

  put(answer: Answer): void {
    const ask = this.#asked.shift();
    if (ask) ask(answer);
    else this.#come.push(answer);
  }

  next(): Promise<Answer> {
    const answer = this.#come.shift();
    return answer ? Promise.resolve(answer) : new Promise((resolve) => this.#asked.push(resolve));
  }
}

const clients = new Set<WebSocket | Socket>();

/** Closes what a test has left open. */
export function closeSockets(): void {
  for (const client of clients)
    if (client instanceof WebSocket) client.terminate();
    else client.disconnect();
  clients.clear();
}

function headersOf({ cookie, headers }: Opening): Record<string, string> {
  return { ...PAGE, ...(cookie === undefined ? {} : { cookie }), ...headers };
}

async function openWs(port: number, opening: Opening = {}): Promise<TestSocket> {
  const client = new WebSocket(`ws://127.0.0.1:${port}${opening.path ?? '/'}`, {
    headers: headersOf(opening),
  });
  clients.add(client);
  const inbox = new Inbox();
  client.on('message', (text: Buffer) => inbox.put(JSON.parse(text.toString()) as Answer));
  const ended = new Promise<string>((resolve) =>
    client.on('close', (code, reason) => resolve(`${code} ${reason.toString()}`)),
  );
  await new Promise<void>((resolve, reject) => {
    client.on('open', resolve);
    client.on('error', reject);
  });
  const tell = (event: string, data: object = {}): void => client.send(JSON.stringify({ event, data }));
  return {
    tell,
    ask: (event, data) => {
      tell(event, data);
      return inbox.next();
    },
    next: () => inbox.next(),
    ended,
    hangUp: () => client.terminate(),
  };
}

async function openIo(port: number, opening: Opening = {}): Promise<TestSocket> {
  const { path = '', transports = ['websocket'], reconnects = false } = opening;
  const client = io(`http://127.0.0.1:${port}${path}`, {
    transports: [...transports],
    // A request by polling in Node takes no other Host than it goes to.
    extraHeaders: transports.includes('polling') ? { cookie: opening.cookie ?? '' } : headersOf(opening),
    reconnection: reconnects,
    reconnectionDelay: 10,
    forceNew: true,
  });
  clients.add(client);
  const inbox = new Inbox();
  client.onAny((event: string, data: unknown) => inbox.put({ event, data }));
  const ended = new Promise<string>((resolve) => client.on('disconnect', resolve));
  await new Promise<void>((resolve, reject) => {
    client.on('connect', resolve);
    client.on('connect_error', reject);
  });
  const tell = (event: string, data: object = {}): void => void client.emit(event, data);
  return {
    tell,
    ask: (event, data) => {
      tell(event, data);
      return inbox.next();
    },
    next: () => inbox.next(),
    ended,
    hangUp: () => client.io.engine.close(),
  };
}

export const SOCKET_PLATFORMS: Record<SocketKind, SocketPlatform> = {
  ws: { adapt: (app) => void app.useWebSocketAdapter(new WsAdapter(app)), open: openWs, path: '/' },
  'socket.io': {
    adapt: (app) => void app.useWebSocketAdapter(new IoAdapter(app)),
    open: openIo,
    path: '/socket.io/?EIO=4&transport=websocket',
  },
};

/** How an upgrade was answered. */
export interface UpgradeReply {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly text: string;
}

/** Asks for an upgrade, as a plain client of WebSocket. 101: it was accepted, and is closed. */
export function upgrade(port: number, path: string, opening: Opening = {}): Promise<UpgradeReply> {
  return new Promise((resolve, reject) => {
    const { protocols = [] } = opening;
    const client = new WebSocket(`ws://127.0.0.1:${port}${path}`, protocols, { headers: headersOf(opening) });
    client.on('unexpected-response', (_request, response: IncomingMessage) => {
      let text = '';
      response.on('data', (part: Buffer) => (text += part.toString()));
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text }),
      );
    });
    client.on('open', () => {
      client.terminate();
      resolve({ status: 101, headers: {}, text: '' });
    });
    client.on('error', reject);
  });
}

/** The Cookie header of a browser that is signed in. */
export async function cookieOf(browser: Browser, user = 'ada'): Promise<string> {
  await browser.get(`/do/in?user=${user}`);
  return cookieNow(browser);
}

/** The Cookie header that a browser has. */
export async function cookieNow(browser: Browser): Promise<string> {
  return `__Host-sid=${(await browser.cookie()) ?? ''}`;
}

/** The code that a refused message is answered with; `null`: it was not refused. */
export function codeOf({ event, data }: Answer): unknown {
  return event === 'exception' ? (data as { code?: unknown }).code : null;
}
