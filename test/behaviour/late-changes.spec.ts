import { ServerResponse } from 'node:http';
import { onEachPlatform } from '../support/open-app.js';
import type { TestSession } from '../support/routes.js';
import { BASICS, dataOf, door, userOf } from '../support/session-routes.js';
import { rowsOf } from '../support/storage.js';

function raise(message: string): never {
  throw new Error(message);
}

onEachPlatform('rule 4, a change after the first byte', (open) => {
  it('is saved, with an error in the log that names the route', async () => {
    const { browser, log } = await open({
      routes: {
        ...BASICS,
        late: ({ session }, response) => {
          response.write('sent, ');
          session.data.theme = 'dark';
          response.end('and saved');
        },
      },
    });
    const ada = browser();
    await ada.post('/do/in');
    expect((await ada.get('/raw/late')).text).toBe('sent, and saved');
    expect(await dataOf(ada)).toEqual({ theme: 'dark' });
    expect(log.sessionErrors).toEqual([
      expect.stringMatching(/^GET \/raw\/:name: the session was changed after the response had begun/),
    ]);
  });

  it('is saved too when the response is long gone, by a promise that nobody awaited', async () => {
    const changed = door();
    const { browser, store, log } = await open({
      routes: {
        ...BASICS,
        forget: ({ session }, response) => {
          response.once('close', () =>
            setImmediate(() => {
              session.data.theme = 'dark';
              session.flash('info', 'sent');
              changed.open();
            }),
          );
        },
      },
    });
    const ada = browser();
    await ada.post('/do/in');
    await ada.get('/do/forget');
    await changed.opened;
    while ((await store.listForUser('ada'))[0]?.data['theme'] !== 'dark') await browser().get('/plain');
    expect(log.sessionErrors).toEqual([
      expect.stringMatching(/^GET \/do\/:name: the session was changed after the response had begun/),
    ]);
  });

  it.each<[what: string, value: unknown]>([
    ['is not JSON', new Map()],
    ['cannot even be looked at', { toJSON: () => raise('of the app') }],
  ])('that %s is an error in the log, and the app goes on', async (_what, value) => {
    const changed = door();
    const { browser, store, log } = await open({
      routes: {
        ...BASICS,
        forget: ({ session }, response) => {
          response.once('close', () =>
            setImmediate(() => {
              session.data['late'] = value;
              changed.open();
            }),
          );
        },
      },
    });
    const ada = browser();
    await ada.post('/do/in');
    await ada.get('/do/forget');
    await changed.opened;
    while (log.sessionErrors.length === 0) await browser().get('/plain');
    expect(log.sessionErrors).toEqual([
      expect.stringMatching(/^GET \/do\/:name: the session was changed .* and could not be saved/),
    ]);
    expect((await store.listForUser('ada')).map(({ data }) => data)).toEqual([{}]);
  });

  it('that storage refuses is an error in the log, and the client keeps what it got', async () => {
    const { browser, storage, log } = await open({
      routes: {
        ...BASICS,
        late: ({ session }, response) => {
          response.write('sent');
          session.data.theme = 'dark';
          response.end();
        },
      },
    });
    const ada = browser();
    await ada.post('/do/in');
    storage.fail('save');
    const reply = await ada.get('/raw/late');
    expect([reply.status, reply.text]).toEqual([200, 'sent']);
    expect(log.sessionErrors.filter((line) => line.startsWith('GET /raw/:name'))).toHaveLength(1);
  });

  it('cannot begin a session, as its cookie would never arrive', async () => {
    const refusals: unknown[] = [];
    const { browser, storage, log } = await open({
      routes: {
        late: async ({ session }, response) => {
          response.write('sent');
          await session.authenticate('ada').catch((error: { code?: string }) => refusals.push(error.code));
          session.data.theme = 'dark';
          response.end();
        },
      },
    });
    const reply = await browser().get('/raw/late');
    expect([reply.status, reply.setCookies]).toEqual([200, []]);
    expect(refusals).toEqual(['session_conflict']);
    expect(rowsOf(storage)).toEqual([]);
    expect(log.sessionErrors).toEqual([expect.stringContaining('could not be saved')]);
  });
});

onEachPlatform('rule 4, what happens while the first byte is held', (open) => {
  it('is before it: a change is saved and a sign-in gets its cookie', async () => {
    const { browser, storage, log } = await open({
      routes: {
        ...BASICS,
        both: async ({ session }, response) => {
          session.data.theme = 'dark';
          response.end('ok');
          await new Promise(setImmediate);
          session.data.count = 1;
          await session.authenticate('ada');
          session.data.cart = ['tea'];
        },
      },
    });
    const ada = browser();
    const held = storage.hold('insert');
    const { reply } = await ada.start('GET', '/raw/both');
    await held.reached;
    await browser().get('/plain');
    held.release();
    expect((await reply).setCookies).toHaveLength(1);
    expect(await userOf(ada)).toBe('ada');
    expect(await dataOf(ada)).toEqual({ theme: 'dark', count: 1, cart: ['tea'] });
    expect(log.sessionErrors).toEqual([]);
  });

  it.each(['/do/forgetful', '/raw/forgetful'])(
    'by %s is awaited, also when the handler forgot to',
    async (path) => {
      const { browser } = await open({
        routes: {
          ...BASICS,
          forgetful: ({ session }, response) => {
            void session.authenticate('ada');
            if (path.startsWith('/raw')) response.end();
          },
        },
      });
      const ada = browser();
      expect((await ada.get(path)).setCookies).toHaveLength(1);
      expect(await userOf(ada)).toBe('ada');
    },
  );

  it('never ends when data differs each time it is looked at, but the response leaves', async () => {
    let n = 0;
    const { browser } = await open({
      routes: {
        restless: ({ session }, response) => {
          session.data['now'] = { toJSON: () => ++n };
          response.end('ok');
        },
      },
    });
    expect((await browser().get('/raw/restless')).text).toBe('ok');
    expect(n).toBeLessThan(100);
  });
});

onEachPlatform('rule 4, a client that hangs up', (open) => {
  it('while the handler runs: what it changes is saved when it is done, and nothing is logged', async () => {
    const [arrived, wait, done] = [door(), door(), door()];
    const { browser, store, log } = await open({
      routes: {
        ...BASICS,
        slow: async ({ session }, response) => {
          session.data.theme = 'half';
          response.once('close', wait.open);
          arrived.open();
          await wait.opened;
          session.data.theme = 'whole';
          setImmediate(done.open);
        },
      },
    });
    const ada = browser();
    await ada.post('/do/in');
    const exchange = await ada.start('GET', '/do/slow');
    await arrived.opened;
    exchange.abort();
    await done.opened;
    await store.manager.drain();
    expect(await dataOf(ada)).toEqual({ theme: 'whole' });
    expect(log.lines).toEqual([]);
  });

  it.each(['/do/change', '/raw/change'])('while the save of %s is held: it is saved once', async (path) => {
    const closed = door();
    const { browser, storage, log } = await open({
      routes: {
        ...BASICS,
        change: ({ session }, response) => {
          session.data.theme = 'dark';
          response.once('close', closed.open);
          if (path.startsWith('/raw')) response.end('ok');
        },
      },
    });
    const ada = browser();
    await ada.post('/do/in');
    storage.forget();
    const held = storage.hold('save');
    const exchange = await ada.start('GET', path);
    await held.reached;
    exchange.abort();
    await closed.opened;
    held.release();
    expect(await dataOf(ada)).toEqual({ theme: 'dark' });
    expect(storage.calls.filter((call) => call === 'save')).toHaveLength(1);
    expect(log.lines).toEqual([]);
  });

  it.each<[string, (session: TestSession) => Promise<unknown>]>([
    ['authenticate', (session) => session.authenticate('bob')],
    ['reauthenticate', (session) => session.reauthenticate()],
    ['rotate', (session) => session.rotate()],
  ])('%s is refused, and ends nothing, when somebody has sent the head past us', async (_, act) => {
    const refusals: unknown[] = [];
    const { browser } = await open({
      routes: {
        ...BASICS,
        past: async ({ session }, response) => {
          ServerResponse.prototype.writeHead.call(response, 200);
          ServerResponse.prototype.flushHeaders.call(response);
          await act(session).catch((error: { code?: unknown }) => refusals.push(error.code));
          response.end('sent');
        },
      },
    });
    const ada = browser();
    await ada.post('/do/in');
    expect((await ada.get('/raw/past')).text).toBe('sent');
    expect(refusals).toEqual(['session_conflict']);
    expect(await userOf(ada)).toBe('ada');
  });
});
