import 'reflect-metadata';
import { type INestApplication, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { IoAdapter } from '@nestjs/platform-socket.io';
import { WsAdapter } from '@nestjs/platform-ws';
import {
  MessageBody,
  type OnGatewayConnection,
  SubscribeMessage,
  WebSocketGateway,
} from '@nestjs/websockets';
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import {
  currentSession,
  RequireAuth,
  Session,
  SessionModule,
  SessionStore,
  socketSession,
  UserId,
} from 'nest-sessions';
import { MemorySessionBackend, signIn } from 'nest-sessions/testing';
import { io } from 'socket.io-client';
import { WebSocket } from 'ws';
import './notes';

interface Message {
  readonly event: string;
  readonly data: unknown;
}

/** Whose sockets were opened. */
const opened: (string | null | undefined)[] = [];

@WebSocketGateway()
class NotesGateway implements OnGatewayConnection {
  handleConnection(client: object): void {
    opened.push(socketSession(client)?.userId);
  }

  @RequireAuth()
  @SubscribeMessage('note')
  async note(
    @MessageBody() body: { text: string },
    @UserId() userId: string,
    @Session() session: Session,
  ): Promise<Message> {
    const count = await session.update((data) => (data.notes ??= []).push(body.text));
    return { event: 'noted', data: { userId, count, here: currentSession()?.userId } };
  }

  @SubscribeMessage('read')
  read(@Session() session: Session): Message {
    return { event: 'notes', data: { userId: session.userId, notes: session.data.notes ?? [] } };
  }

  @RequireAuth()
  @SubscribeMessage('sign out')
  async signOut(@Session() session: Session): Promise<Message> {
    await session.logout();
    return { event: 'signed out', data: {} };
  }
}

@Module({
  imports: [SessionModule.forRoot({ key: randomBytes(32), backend: MemorySessionBackend })],
  providers: [NotesGateway],
})
class AppModule {}

/** What has come over a socket and nobody has asked for yet, or the other way round. */
class Inbox {
  readonly #come: Message[] = [];
  readonly #asked: ((message: Message) => void)[] = [];

  put(message: Message): void {
    const asked = this.#asked.shift();
    if (asked) asked(message);
    else this.#come.push(message);
  }

  next(): Promise<Message> {
    const message = this.#come.shift();
    return message ? Promise.resolve(message) : new Promise((resolve) => this.#asked.push(resolve));
  }
}

interface Client {
  tell(event: string, data?: object): void;
  next(): Promise<Message>;
  readonly ended: Promise<string>;
  hangUp(): void;
}

function openWs(port: number, cookie: string): Client {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/`, { headers: { cookie } });
  const inbox = new Inbox();
  socket.on('message', (text: Buffer) => inbox.put(JSON.parse(text.toString()) as Message));
  const open = new Promise((resolve) => socket.on('open', resolve));
  return {
    tell: (event, data = {}) => void open.then(() => socket.send(JSON.stringify({ event, data }))),
    next: () => inbox.next(),
    ended: new Promise((resolve) =>
      socket.on('close', (code, reason) => resolve(`${code} ${reason.toString()}`)),
    ),
    hangUp: () => socket.terminate(),
  };
}

function openIo(port: number, cookie: string): Client {
  const socket = io(`http://127.0.0.1:${port}`, {
    transports: ['websocket'],
    extraHeaders: { cookie },
    forceNew: true,
  });
  const inbox = new Inbox();
  socket.onAny((event: string, data: unknown) => inbox.put({ event, data }));
  return {
    tell: (event, data = {}) => void socket.emit(event, data),
    next: () => inbox.next(),
    ended: new Promise((resolve) => socket.on('disconnect', resolve)),
    hangUp: () => void socket.disconnect(),
  };
}

/** The status that an upgrade is answered with, and the code in its body. */
function upgrade(url: string, headers: Record<string, string>): Promise<{ status?: number; code?: string }> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url, { headers });
    socket.on('unexpected-response', (_request, response: IncomingMessage) => {
      let text = '';
      response.on('data', (part: Buffer) => (text += part.toString()));
      response.on('end', () =>
        resolve({ status: response.statusCode, code: (JSON.parse(text) as { code: string }).code }),
      );
    });
    socket.on('open', () => {
      socket.terminate();
      resolve({ status: 101 });
    });
    socket.on('error', reject);
  });
}

const KINDS = {
  ws: {
    Adapter: WsAdapter,
    open: openWs,
    path: '/',
    ends: { revoked: '1008 revoked', logout: '1008 logout' },
  },
  'socket.io': {
    Adapter: IoAdapter,
    open: openIo,
    path: '/socket.io/?EIO=4&transport=websocket',
    ends: { revoked: 'io server disconnect', logout: 'io server disconnect' },
  },
};

/** A socket has the session of its upgrade, saves what its messages change, and ends with it. */
async function check(app: INestApplication, kind: keyof typeof KINDS): Promise<void> {
  const { Adapter, open, path, ends } = KINDS[kind];
  app.useWebSocketAdapter(new Adapter(app));
  await app.listen(0, '127.0.0.1');
  const { port } = new URL(await app.getUrl());
  const { cookie, session } = await signIn(app, 'ada');
  opened.length = 0;

  const ada = open(Number(port), cookie);
  ada.tell('note', { text: 'first' });
  assert.deepEqual(await ada.next(), { event: 'noted', data: { userId: 'ada', count: 1, here: 'ada' } });
  ada.tell('note', { text: 'second' });
  assert.deepEqual(await ada.next(), { event: 'noted', data: { userId: 'ada', count: 2, here: 'ada' } });
  ada.tell('read');
  assert.deepEqual(await ada.next(), {
    event: 'notes',
    data: { userId: 'ada', notes: ['first', 'second'] },
  });

  const stranger = open(Number(port), '');
  stranger.tell('note', { text: 'third' });
  // Over ws Nest 11 tells nobody of exceptions, so the next answer is the first.
  if (kind === 'socket.io') {
    const { event, data } = await stranger.next();
    assert.equal(event, 'exception');
    assert.equal((data as { code: string }).code, 'authentication_required');
  }
  stranger.tell('read');
  assert.deepEqual(await stranger.next(), { event: 'notes', data: { userId: null, notes: [] } });
  stranger.hangUp();
  assert.deepEqual(opened, ['ada', undefined]);

  const url = `ws://127.0.0.1:${port}${path}`;
  const foreign = { Origin: 'https://evil.example' };
  assert.deepEqual(await upgrade(url, { ...foreign, Cookie: cookie }), {
    status: 403,
    code: 'cross_site_request',
  });
  assert.deepEqual(await upgrade(url, foreign), { status: 101 });

  await app.get(SessionStore).destroy(session.id);
  assert.equal(await ada.ended, ends.revoked);

  const again = open(Number(port), (await signIn(app, 'ada')).cookie);
  again.tell('sign out');
  assert.deepEqual(await again.next(), { event: 'signed out', data: {} });
  assert.equal(await again.ended, ends.logout);
  await app.close();
}

async function main(): Promise<void> {
  const options = { logger: ['error', 'warn'] as ('error' | 'warn')[], abortOnError: false };
  for (const kind of ['ws', 'socket.io'] as const) {
    await check(await NestFactory.create(AppModule, new ExpressAdapter(), options), kind);
    await check(await NestFactory.create(AppModule, new FastifyAdapter(), options), kind);
  }
  console.log('sockets have the session and end with it, over ws and socket.io, on Express and on Fastify');
}

void main();
