import { NotFoundException } from '@nestjs/common';
import { onEachPlatform } from '../support/open-app.js';
import type { Routes } from '../support/routes.js';
import { BASICS, dataOf, refusal, userOf } from '../support/session-routes.js';
import { rowsOf } from '../support/storage.js';

const routes: Routes = {
  ...BASICS,
  slowly: ({ session }, _response, reply) => {
    session.data.theme = 'dark';
    reply.status(302).redirect('/elsewhere');
  },
};

onEachPlatform('rule 4, a redirect behind a save of 300 ms', (open) => {
  it('leaves when the save is done: whoever follows it sees the change', async () => {
    const { browser, storage } = await open({ routes });
    const ada = browser();
    await ada.post('/do/in');
    storage.slow('save', 300);
    const begin = performance.now();
    const { reply } = await ada.start('GET', '/raw/slowly');
    expect((await reply).status).toBe(302);
    expect(performance.now() - begin).toBeGreaterThanOrEqual(295);
    storage.recover();
    expect(await dataOf(ada)).toEqual({ theme: 'dark' });
  });
});

onEachPlatform('rule 4, a write that fails after a sign-in', (open) => {
  const signInAnd: Routes = {
    return: async ({ session }) => {
      await session.authenticate('ada');
      session.data.theme = 'dark';
      return 'welcome';
    },
    throw: async ({ session }) => {
      await session.authenticate('ada');
      session.data.theme = 'dark';
      throw new NotFoundException('no such page');
    },
    answer: async ({ session }, response) => {
      await session.authenticate('ada');
      session.data.theme = 'dark';
      response.writeHead(200, { 'set-cookie': 'lang=mi', etag: '"1"' }).end('welcome');
    },
  };

  it.each(['/do/return', '/do/throw', '/raw/answer'])(
    'by %s is a 503 that still carries the cookie of the sign-in',
    async (path) => {
      const { browser, storage } = await open({ routes: { ...BASICS, ...signInAnd } });
      const ada = browser();
      storage.fail('save');
      const reply = await ada.post(path);
      expect(refusal(reply)).toEqual({ status: 503, code: 'session_store_unavailable' });
      expect(reply.headers).toMatchObject({ 'retry-after': '5', 'cache-control': 'no-store' });
      expect(reply.setCookies).toEqual([expect.stringMatching(/^__Host-sid=/)]);
      storage.recover();
      expect(await userOf(ada)).toBe('ada');
      expect(await dataOf(ada)).toEqual({});
    },
  );
});

onEachPlatform('rule 4, a handler that fails', (open) => {
  it('is answered by the failure of the save when that fails too, and the log has both', async () => {
    const { browser, storage, log } = await open({
      routes: {
        ...BASICS,
        broken: ({ session }) => {
          session.data.theme = 'dark';
          throw new NotFoundException('no such page');
        },
      },
    });
    const ada = browser();
    await ada.post('/do/in');
    storage.fail('save');
    expect(refusal(await ada.get('/do/broken'))).toEqual({ status: 503, code: 'session_store_unavailable' });
    expect(log.sessionWarnings).toEqual([expect.stringContaining('no such page')]);
  });

  it('because `save()` failed is a 503 with Retry-After, and may go on when it catches that', async () => {
    const { browser, storage } = await open({
      routes: {
        ...BASICS,
        save: async ({ session }) => {
          session.data.theme = 'dark';
          await session.save();
        },
        list: ({ session }) => session.list(),
        update: ({ session }) => session.update((data) => void (data.count = 1)),
        catch: async ({ session }) => {
          session.data.theme = 'dark';
          return session.save().catch(() => {
            storage.recover();
            return 'later, then';
          });
        },
      },
    });
    const ada = browser();
    await ada.post('/do/in');
    storage.fail('save', 'list');
    for (const path of ['/do/save', '/do/update', '/do/list', '/raw/save']) {
      const reply = await ada.get(path);
      expect([path, reply.status, reply.headers['retry-after']]).toEqual([path, 503, '5']);
    }
    const reply = await ada.get('/do/catch');
    expect([reply.status, reply.text, reply.headers['retry-after']]).toEqual([200, 'later, then', undefined]);
    expect(await dataOf(ada)).toEqual({ theme: 'dark' });
  });

  it('because of an outage gets Retry-After also when the handler makes a 503 of it with writeHead', async () => {
    const { browser, storage } = await open({
      routes: {
        ...BASICS,
        own: ({ session }, response) =>
          session.list().catch(() => response.writeHead(503, { 'x-own': 'yes' }).end('sorry')),
      },
    });
    const ada = browser();
    await ada.post('/do/in');
    storage.fail('list');
    const { status, text, headers } = await ada.get('/raw/own');
    expect([status, text, headers['x-own'], headers['retry-after']]).toEqual([503, 'sorry', 'yes', '5']);
  });

  it('on data that cannot be stored answers that: 500, with an error in the log, and nothing is saved', async () => {
    const { browser, log } = await open({
      routes: {
        ...BASICS,
        bad: ({ session }) => {
          session.data.theme = 'dark';
          session.data.count = 1n as unknown as number;
        },
        answer: ({ session }, response) => {
          session.data.count = 1n as unknown as number;
          response.end('never');
        },
      },
    });
    const ada = browser();
    await ada.post('/do/set', { theme: 'light' });
    for (const path of ['/do/bad', '/raw/answer'])
      expect(refusal(await ada.get(path))).toEqual({ status: 500, code: 'session_data_invalid' });
    expect(await dataOf(ada)).toEqual({ theme: 'light' });
    expect(log.sessionErrors).toEqual([
      expect.stringMatching(/^GET \/do\/:name: .*`data.count` is a bigint/),
      expect.stringMatching(/^GET \/raw\/:name: .*`data.count` is a bigint/),
    ]);
  });

  it('in a route that does not exist stores nothing and asks storage nothing', async () => {
    const { browser, storage } = await open({ routes, options: { requireAuth: true } });
    const reply = await browser().get('/nowhere');
    expect([reply.status, reply.setCookies, storage.calls, rowsOf(storage)]).toEqual([404, [], [], []]);
  });
});
