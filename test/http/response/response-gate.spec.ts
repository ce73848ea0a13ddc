import type { INestApplication } from '@nestjs/common';
import { createHash, randomBytes } from 'node:crypto';
import { Agent, type ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { createGzip, gunzipSync } from 'node:zlib';
import { onEachPlatform, type OpenApp } from '../../support/open-app.js';
import type { Route } from '../../support/routes.js';

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

/** An app with a signed-in browser and one handler, at `/raw/answer` and `/do/answer`. */
async function openWith(open: OpenApp, answer: Route, prepare?: (app: INestApplication) => void) {
  const app = await open({
    routes: { in: ({ session }) => session.authenticate('ada'), data: ({ session }) => session.data, answer },
    prepare,
  });
  const browser = app.browser();
  await browser.get('/do/in');
  app.storage.forget();
  return { ...app, client: browser };
}

/** A handler that changes the session first, so that its answer is held. */
const changing =
  (answer: (response: ServerResponse) => unknown): Route =>
  ({ session }, response) => {
    session.data.theme = 'dark';
    return answer(response);
  };

onEachPlatform('a held response', (open, platform) => {
  it('delivers 5 MB that are piped while the save is slow, whole', async () => {
    const bytes = randomBytes(5 * 1024 * 1024);
    const chunks = Array.from({ length: 80 }, (_, n) => bytes.subarray(n * 65_536, (n + 1) * 65_536));
    const source = Readable.from(chunks, { objectMode: false, highWaterMark: 65_536 });
    const { client, storage } = await openWith(
      open,
      changing((response) => source.pipe(response)),
    );
    const held = storage.hold('save');
    const exchange = await client.start('GET', '/raw/answer');
    await held.reached;
    await client.get('/plain');
    expect(source.readableEnded).toBe(false);
    held.release();
    const { bytes: received } = await exchange.reply;
    expect([received.length, sha256(received)]).toEqual([bytes.length, sha256(bytes)]);
  });

  it('looks sent to whoever asks, and takes no second answer', async () => {
    const seen: unknown[] = [];
    const { client } = await openWith(
      open,
      changing((response) => {
        response.setHeader('X-Answer', 'first');
        response.statusCode = 201;
        seen.push(response.headersSent, response.writableEnded);
        response.end('the first answer');
        seen.push(response.headersSent, response.writableEnded);
        response.statusCode = 500;
        response.statusMessage = 'Second';
        for (const second of [
          () => response.setHeader('Content-Length', 3),
          () => response.appendHeader('X-Answer', 'second'),
          () => response.removeHeader('X-Answer'),
          () => response.writeHead(500),
        ])
          expect(second).toThrow('Cannot set headers after they are sent to the client');
        response.end();
      }),
    );
    const reply = await client.get('/raw/answer');
    expect(seen).toEqual([false, false, true, true]);
    expect([reply.status, reply.text, reply.headers['x-answer']]).toEqual([201, 'the first answer', 'first']);
    expect((await client.get('/do/data')).json()).toEqual({ theme: 'dark' });
  });

  it('keeps the first answer when the handler throws after it', async () => {
    const { client } = await openWith(
      open,
      changing((response) => {
        response.end('answered');
        throw new Error('too late');
      }),
    );
    const reply = await client.get('/raw/answer');
    expect([reply.status, reply.text]).toEqual([200, 'answered']);
  });

  it('is a 500 when Node refuses what the handler wrote, and the server goes on', async () => {
    const { client, log } = await openWith(
      open,
      changing((response) => response.writeHead(200, { 'x-bad': 'two\nlines' }).end('never')),
    );
    const reply = await client.get('/raw/answer');
    expect([reply.status, reply.text.includes('never')]).toEqual([500, false]);
    expect(log.sessionErrors.join()).toContain('x-bad');
    expect((await client.get('/do/data')).json()).toEqual({ theme: 'dark' });
  });

  it('calls back for what it dropped when the save failed', async () => {
    const done: string[] = [];
    const finished = new Promise<void>((resolve) => {
      void openWith(
        open,
        changing((response) => {
          response.write('a', () => done.push('write'));
          response.end('b', () => (done.push('end'), resolve()));
        }),
      ).then(async ({ client, storage }) => {
        storage.fail('save');
        expect((await client.get('/raw/answer')).status).toBe(503);
      });
    });
    await finished;
    expect(done).toEqual(['write', 'end']);
  });

  it('leaves own methods of other middleware in place', async () => {
    const names: string[] = [];
    const { client } = await openWith(
      open,
      changing((response) => response.end()),
      (app) => {
        app.use((_request: unknown, response: ServerResponse, next: () => void) => {
          const set = response.setHeader.bind(response);
          response.setHeader = (name, value) => (names.push(name.toLowerCase()), set(name, value));
          next();
        });
      },
    );
    names.length = 0;
    await client.get('/raw/answer');
    expect(names).toContain('cache-control');
  });

  it(`works under middleware that compresses by wrapping write and end`, async () => {
    const text = 'a line that repeats itself\n'.repeat(2000);
    const answer = changing((response) => Readable.from([text]).pipe(response));
    const { client, storage } = await openWith(open, answer, (app) => app.use(compress));
    const held = storage.hold('save');
    const exchange = await client.start('GET', '/raw/answer');
    await held.reached;
    held.release();
    const { bytes, headers } = await exchange.reply;
    expect(gunzipSync(bytes).toString()).toBe(text);
    expect(headers).toMatchObject({ 'content-encoding': 'gzip', 'cache-control': 'no-store' });
    expect(headers.vary).toBe('Cookie, Accept-Encoding');
  });

  it('works under middleware that waits for writeHead to add headers', async () => {
    const { client } = await openWith(
      open,
      changing((response) => response.end('ok')),
      (app) => {
        app.use((_request: unknown, response: ServerResponse, next: () => void) => {
          const writeHead = response.writeHead.bind(response) as (...args: unknown[]) => ServerResponse;
          response.writeHead = (...args: unknown[]) => {
            response.setHeader('X-Response-Time', '1');
            return writeHead(...args);
          };
          next();
        });
      },
    );
    const { headers, text } = await client.get('/raw/answer');
    expect([text, headers['x-response-time'], headers['cache-control']]).toEqual(['ok', '1', 'no-store']);
  });

  it('serves one request after the other on a connection that is kept', async () => {
    const { client } = await openWith(open, ({ session }) => {
      session.data.count = (session.data.count ?? 0) + 1;
      return String(session.data.count);
    });
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const counts: string[] = [];
    for (let i = 0; i < 5; i++) counts.push((await client.get('/do/answer', { agent })).text);
    expect(counts).toEqual(['1', '2', '3', '4', '5']);
    expect(Object.keys(agent.freeSockets)).toHaveLength(1);
    agent.destroy();
  });

  it.each([204, 304])('has no body when the status says so: %i', async (status) => {
    const { client } = await openWith(
      open,
      changing((response) => {
        response.statusCode = status;
        response.end();
      }),
    );
    const reply = await client.get('/raw/answer');
    expect([reply.status, reply.text]).toEqual([status, '']);
    expect((await client.get('/do/data')).json()).toEqual({ theme: 'dark' });
  });

  it('saves before a matching ETag makes a 304 of it (Express does, Fastify leaves it to a plugin)', async () => {
    const { client } = await openWith(open, ({ session }) => {
      session.data.count = (session.data.count ?? 0) + 1;
      return { same: true };
    });
    const { etag } = (await client.get('/do/answer')).headers;
    const reply = await client.get('/do/answer', { headers: { 'if-none-match': etag ?? 'none' } });
    expect(reply.status).toBe(platform === 'express' ? 304 : 200);
    expect((await client.get('/do/data')).json()).toEqual({ count: 2 });
  });
});

/** As compression middleware does it: `writeHead`, `write` and `end` are replaced before anybody else sees them. */
function compress(_request: unknown, response: ServerResponse, next: () => void): void {
  const write = response.write.bind(response) as (chunk: Buffer) => boolean;
  const end = response.end.bind(response) as () => ServerResponse;
  const writeHead = response.writeHead.bind(response) as (...args: readonly unknown[]) => ServerResponse;
  const gzip = createGzip();
  gzip.on('data', (chunk: Buffer) => void (write(chunk) || gzip.pause()));
  gzip.on('end', () => end());
  gzip.on('drain', () => response.emit('drain'));
  response.on('drain', () => gzip.resume());
  response.writeHead = (...args: unknown[]) => {
    response.setHeader('Content-Encoding', 'gzip');
    response.appendHeader('Vary', 'Accept-Encoding');
    response.removeHeader('Content-Length');
    return writeHead(...args);
  };
  const commit = (): unknown => response.headersSent || response.writeHead(response.statusCode);
  response.write = ((chunk: Buffer) => (commit(), gzip.write(chunk))) as ServerResponse['write'];
  response.end = ((chunk?: Buffer) => (commit(), gzip.end(chunk ?? ''), response)) as ServerResponse['end'];
  next();
}
