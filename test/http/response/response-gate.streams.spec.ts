import { once } from 'node:events';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { onEachPlatform, type OpenApp } from '../../support/open-app.js';
import { sendRaw } from '../../support/raw-request.js';
import type { Route } from '../../support/routes.js';
import { BASICS, dataOf, door } from '../../support/session-routes.js';

const LINE = `${'x'.repeat(1023)}\n`;
const LINES = 2048;
const lines = (): Readable => Readable.from(Array.from({ length: LINES }, () => LINE));

/** Handlers that stream, each in another way, having changed the session. They resolve when they are done. */
const STREAMING: readonly [string, Route][] = [
  ['pipeline()', async (_call, response) => pipeline(lines(), response)],
  [
    'writes that wait for drain',
    async (_call, response) => {
      for (let n = 0; n < LINES; n++) if (!response.write(LINE)) await once(response, 'drain');
      response.end();
    },
  ],
  [
    'writes that wait for their callback',
    async (_call, response) => {
      for (let n = 0; n < 200; n++) await new Promise((resolve) => response.write(LINE, resolve));
      await new Promise<void>((resolve) => response.end(LINE.repeat(LINES - 200), resolve));
    },
  ],
];

async function openStreaming(open: OpenApp, stream: Route) {
  const done = door();
  const app = await open({
    routes: {
      ...BASICS,
      stream: async (call, response, reply) => {
        call.session.data.theme = 'dark';
        try {
          await stream(call, response, reply);
        } finally {
          done.open();
        }
      },
    },
  });
  const ada = app.browser();
  await ada.post('/do/in');
  return { ...app, ada, done };
}

onEachPlatform('a stream behind a held first byte', (open) => {
  it.each(STREAMING)('arrives whole, and its source comes to an end: %s', async (_, stream) => {
    const { ada, done, storage } = await openStreaming(open, stream);
    const held = storage.hold('save');
    const exchange = await ada.start('GET', '/raw/stream');
    await held.reached;
    await ada.get('/plain');
    held.release();
    const { bytes } = await exchange.reply;
    expect(bytes.length).toBe(LINES * LINE.length);
    await done.opened;
    expect(await dataOf(ada)).toEqual({ theme: 'dark' });
  });

  it.each(STREAMING)('leaves nobody waiting when the save fails: %s', async (_, stream) => {
    const { ada, done, storage } = await openStreaming(open, stream);
    const held = storage.hold('save');
    const exchange = await ada.start('GET', '/raw/stream');
    await held.reached;
    await ada.get('/plain');
    held.release(new Error('disk full'));
    const { status, text } = await exchange.reply;
    expect([status, text.includes('xxx')]).toEqual([503, false]);
    await done.opened;
  });

  it('leaves the server whole when the client hangs up meanwhile', async () => {
    const closed = door();
    const { ada, browser, storage, log } = await openStreaming(open, ({ session }, response) => {
      response.once('close', closed.open);
      lines().pipe(response);
      return session.id;
    });
    const held = storage.hold('save');
    const exchange = await ada.start('GET', '/raw/stream');
    await held.reached;
    exchange.abort();
    await closed.opened;
    held.release();
    expect(await dataOf(ada)).toEqual({ theme: 'dark' });
    expect((await browser().get('/plain')).status).toBe(200);
    expect(log.lines).toEqual([]);
  });

  it('keeps the order of pipelined requests, each with its own session', async () => {
    const { ada, browser, port, storage } = await openStreaming(open, (_call, response) => {
      response.end('first');
    });
    const bob = browser();
    await bob.post('/do/in?user=bob');
    const ask = (path: string, cookie = '', rest = ''): string =>
      `GET ${path} HTTP/1.1\r\nHost: app.test\r\nCookie: __Host-sid=${cookie}\r\n${rest}\r\n`;
    const requests = [
      ask('/raw/stream', await ada.cookie()),
      ask('/do/see', await bob.cookie(), 'Connection: close\r\n'),
    ];
    const held = storage.hold('save');
    const answers = sendRaw(port, Buffer.from(requests.join('')));
    await held.reached;
    await browser().get('/plain');
    held.release();
    const { text } = await answers;
    expect(text.match(/HTTP\/1\.1 200/g)).toHaveLength(2);
    expect(text.indexOf('first')).toBeGreaterThan(0);
    expect(text.indexOf('"userId":"bob"')).toBeGreaterThan(text.indexOf('first'));
  });
});
