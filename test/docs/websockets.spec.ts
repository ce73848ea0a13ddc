import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { runInNewContext } from 'node:vm';
import { jest } from '@jest/globals';
import { IoAdapter } from '@nestjs/platform-socket.io';
import { WsAdapter } from '@nestjs/platform-ws';
import { SessionStore, socketSession } from 'nest-sessions';
import { signIn } from 'nest-sessions/testing';
import { closeSockets, codeOf, SOCKET_PLATFORMS, SOCKETS, upgrade } from '../support/sockets.js';
import { ROOT } from './compile.js';
import { openPage, type PageApp, type Running } from './page-app.js';

let page: PageApp;
beforeEach(() => {
  page = openPage('docs/websockets.md', { goesOnWith: 'docs/getting-started.md' });
});
afterEach(() => {
  closeSockets();
  return page.close();
});

async function started(
  kind: (typeof SOCKETS)[number],
  file: string,
  name: string,
): Promise<Running & { port: number }> {
  const running = await page.start({ providers: [await page.recipe(file, name)] }, 'Express', (app) =>
    app.useWebSocketAdapter(kind === 'ws' ? new WsAdapter(app) : new IoAdapter(app)),
  );
  return { ...running, port: Number(new URL(running.url).port) };
}

describe.each(SOCKETS)('the gateway of the page, over %s', (kind) => {
  const { open, path } = SOCKET_PLATFORMS[kind];
  const start = () => started(kind, 'notes.gateway.ts', 'NotesGateway');

  it('keeps notes of who is signed in, and refuses others with the code of the page', async () => {
    const { app, port } = await start();
    const { cookie, session } = await signIn(app, 'ada');
    const socket = await open(port, { cookie });
    expect(await socket.ask('note', { text: 'tea' })).toEqual({
      event: 'noted',
      data: { userId: 'ada', count: 1 },
    });
    expect((await app.get(SessionStore).read(session.id))?.data).toEqual({ notes: ['tea'] });
    const stranger = await open(port);
    expect(codeOf(await stranger.ask('note', { text: 'tea' }))).toBe('authentication_required');
    expect(await stranger.ask('ping')).toEqual({ event: 'pong', data: {} });
  });

  it('answers a sign-out, and ends as the table says', async () => {
    const { app, port } = await start();
    const socket = await open(port, { cookie: (await signIn(app, 'ada')).cookie });
    expect((await socket.ask('sign out')).event).toBe('signed out');
    expect(await socket.ended).toBe(kind === 'ws' ? '1008 logout' : 'io server disconnect');
  });

  it('refuses the upgrade of another site', async () => {
    const { app, port } = await start();
    const { cookie } = await signIn(app, 'ada');
    const reply = await upgrade(port, path, { cookie, headers: { origin: 'https://evil.test' } });
    expect([reply.status, (JSON.parse(reply.text) as { code: string }).code]).toEqual([
      403,
      'cross_site_request',
    ]);
  });
});

it('sends news to the sockets of one user', async () => {
  const { app, port } = await started('socket.io', 'news.gateway.ts', 'NewsGateway');
  const { open } = SOCKET_PLATFORMS['socket.io'];
  const ada = await open(port, { cookie: (await signIn(app, 'ada')).cookie, path: '/news' });
  const bob = await open(port, { cookie: (await signIn(app, 'bob')).cookie, path: '/news' });
  const gateway = app.get<{ tell(userId: string, news: object): void }>(
    await page.recipe('news.gateway.ts', 'NewsGateway'),
    { strict: false },
  );
  gateway.tell('bob', { tea: 'is out' });
  gateway.tell('ada', { tea: 'is back' });
  expect(await ada.next()).toEqual({ event: 'news', data: { tea: 'is back' } });
  expect(await bob.next()).toEqual({ event: 'news', data: { tea: 'is out' } });
  expect(socketSession({})).toBeNull();
});

describe('the code of the page in a browser', () => {
  const scripts = [
    ...readFileSync(join(ROOT, 'docs/websockets.md'), 'utf8').matchAll(
      /<script type="module">\n([^]*?)<\/script>/g,
    ),
  ].map(([, code = '']) => code);

  it('gets an answer, and loads the page again when the session has ended', async () => {
    const { WebSocket } = await import('ws');
    const { app, port } = await started('ws', 'notes.gateway.ts', 'NotesGateway');
    const { cookie } = await signIn(app, 'ada');
    const location = { reload: jest.fn() };
    const sockets: InstanceType<typeof WebSocket>[] = [];
    class PageSocket extends WebSocket {
      constructor() {
        super(`ws://127.0.0.1:${port}`, { headers: { cookie } });
        sockets.push(this);
      }
    }
    runInNewContext(scripts[0] ?? '', { WebSocket: PageSocket, location });
    await new Promise((resolve) => sockets[0]?.once('message', resolve));
    expect(location.reload).not.toHaveBeenCalled();
    const closed = new Promise((resolve) => sockets[0]?.once('close', resolve));
    await app.get(SessionStore).destroyAllForUser('ada');
    await closed;
    expect(location.reload).toHaveBeenCalledTimes(1);
  });

  it('does the same with socket.io', async () => {
    const { io } = await import('socket.io-client');
    const { app, port } = await started('socket.io', 'notes.gateway.ts', 'NotesGateway');
    const { cookie } = await signIn(app, 'ada');
    const location = { reload: jest.fn() };
    let client: ReturnType<typeof io> | undefined;
    const connect = () =>
      (client = io(`http://127.0.0.1:${port}`, { extraHeaders: { cookie }, transports: ['websocket'] }));
    const code = (scripts[1] ?? '').replace(/^\s*import .*\n/, '');
    runInNewContext(code, { io: connect, location });
    await new Promise((resolve) => client?.once('noted', resolve));
    const gone = new Promise((resolve) => client?.once('disconnect', resolve));
    await app.get(SessionStore).destroyAllForUser('ada');
    await gone;
    expect(location.reload).toHaveBeenCalledTimes(1);
    client?.disconnect();
  });
});
