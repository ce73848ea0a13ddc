import compression from 'compression';
import { gunzipSync } from 'node:zlib';
import type { Reply } from '../support/browser.js';
import { EXIT_CONTROLLERS, EXITS } from '../support/exits.js';
import { KEY, onEachPlatform } from '../support/open-app.js';
import { BASICS, dataOf } from '../support/session-routes.js';

/** Text of a body, inflated where it was compressed. */
function textOf({ headers, bytes, text }: Reply): string {
  return headers['content-encoding'] === 'gzip' && bytes.length > 0 ? gunzipSync(bytes).toString() : text;
}

onEachPlatform(
  "with mount: 'middleware', behind middleware that takes the response over",
  (open, platform) => {
    it.each(EXITS)('a session is saved, and its cookie sent, by $title', async (exit) => {
      const { browser, storage, log } = await open({
        options: { key: KEY, mount: 'middleware' },
        controllers: EXIT_CONTROLLERS,
        routes: BASICS,
        prepare: (app) => {
          app.enableVersioning();
          app.use(compression({ threshold: 0 }));
        },
      });
      const visitor = browser();
      const headers = { ...exit.headers, 'accept-encoding': 'gzip' };
      const reply = await visitor.send(exit.method ?? 'GET', exit.path, { headers });
      const status = platform === 'fastify' ? (exit.onFastify ?? exit.status) : exit.status;
      expect([reply.status, reply.setCookies.length]).toEqual([status, 1]);
      expect(textOf(reply)).toContain(exit.body ?? '');
      expect(await dataOf(visitor)).toMatchObject({ theme: 'dark' });
      expect(storage.calls).toEqual(['insert', 'find']);
      expect(log.sessionErrors).toEqual([]);
    });

    it('is saved before the first byte', async () => {
      const { browser, storage } = await open({
        options: { key: KEY, mount: 'middleware' },
        controllers: EXIT_CONTROLLERS,
        routes: BASICS,
        prepare: (app) => void app.use(compression({ threshold: 0 })),
      });
      const held = storage.hold('insert');
      const exchange = await browser().start('GET', '/exit/pipe', { headers: { 'accept-encoding': 'gzip' } });
      await held.reached;
      for (let turn = 0; turn < 3; turn++) await browser().get('/plain');
      expect(exchange.hasBegun()).toBe(false);
      held.release();
      expect(textOf(await exchange.reply)).toBe('piped');
    });
  },
);
