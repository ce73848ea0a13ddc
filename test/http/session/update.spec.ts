import { onEachPlatform } from '../../support/open-app.js';
import { BASICS, dataOf, door, refusal } from '../../support/session-routes.js';
import type { Routes, TestData } from '../../support/routes.js';

const increment = (data: TestData): number => (data.count = (data.count ?? 0) + 1);

const routes: Routes = { ...BASICS, increment: ({ session }) => session.update(increment) };

onEachPlatform('update', (open) => {
  it('counts 50 parallel requests as 50, each with a number of its own', async () => {
    const { browser } = await open({ routes });
    const ada = browser();
    await ada.post('/do/in');
    const replies = await Promise.all(Array.from({ length: 50 }, () => ada.post('/do/increment')));
    expect(replies.filter(({ status }) => status !== 200)).toEqual([]);
    expect(await dataOf(ada)).toEqual({ count: 50 });
    const numbers = replies.map(({ text }) => Number(text)).toSorted((a, b) => a - b);
    expect(numbers).toEqual(Array.from({ length: 50 }, (_, index) => index + 1));
  });

  it('stores an anonymous session when there was none', async () => {
    const { browser } = await open({ routes });
    const visitor = browser();
    await visitor.post('/do/increment');
    await visitor.post('/do/increment');
    expect(await dataOf(visitor)).toEqual({ count: 2 });
  });

  it('gives `fn` what others have stored and what this request has not saved yet', async () => {
    const [arrived, wait] = [door(), door()];
    const { browser } = await open({
      routes: {
        ...routes,
        slow: async ({ session }) => {
          session.data['mine'] = 'unsaved';
          session.remove('theme');
          arrived.open();
          await wait.opened;
          return { seen: await session.update((data) => ({ ...data })), after: session.data };
        },
      },
    });
    const ada = browser();
    await ada.post('/do/in');
    await ada.post('/do/set', { theme: 'dark' });
    const { reply } = await ada.start('POST', '/do/slow');
    await arrived.opened;
    await ada.post('/do/set', { theirs: 'stored' });
    wait.open();
    const expected = { mine: 'unsaved', theirs: 'stored' };
    expect((await reply).json()).toEqual({ seen: expected, after: expected });
    expect(await dataOf(ada)).toEqual(expected);
  });

  it('is durable when it resolves, and needs no second write when the response leaves', async () => {
    const { browser, store, storage } = await open({
      routes: {
        ...routes,
        check: async ({ session }) => {
          await session.update(increment);
          return { stored: (await store.load(session.id ?? ''))?.data, data: session.data };
        },
      },
    });
    const ada = browser();
    await ada.post('/do/in');
    storage.forget();
    expect((await ada.post('/do/check')).json()).toEqual({ stored: { count: 1 }, data: { count: 1 } });
    expect(storage.calls.filter((call) => call === 'save')).toHaveLength(1);
  });

  it('awaits an asynchronous `fn`, and resolves to what the stored run returned', async () => {
    const { browser } = await open({
      routes: {
        ...routes,
        later: async ({ session }) => {
          const result = await session.update(async (data) => {
            await new Promise(setImmediate);
            data['done'] = true;
            return 'the value';
          });
          return { result };
        },
      },
    });
    const ada = browser();
    expect((await ada.post('/do/later')).json()).toEqual({ result: 'the value' });
    expect(await dataOf(ada)).toEqual({ done: true });
  });

  it('runs `fn` again when another process was faster, on what that one stored', async () => {
    const runs: unknown[] = [];
    const { browser, store } = await open({
      routes: {
        ...routes,
        contended: async ({ session }) => ({
          result: await session.update(async (data) => {
            runs.push({ ...data });
            if (runs.length === 1) {
              const { id } = session;
              const row = store.parts.backend;
              const now = await row.lookUp(id ?? '');
              if (now) {
                const content = store.parts.sealer.open(now);
                const next = store.parts.sealer.seal({ ...content, data: { theirs: 1 } }, now.id, now.userId);
                await row.save({
                  ...now,
                  ...next,
                  expectedVersion: now.version,
                  version: now.version + 1,
                  now: 0,
                });
              }
            }
            data['run'] = runs.length;
            return runs.length;
          }),
        }),
      },
    });
    const ada = browser();
    await ada.post('/do/in');
    expect((await ada.post('/do/contended')).json()).toEqual({ result: 2 });
    expect(runs).toEqual([{}, { theirs: 1 }]);
    expect(await dataOf(ada)).toEqual({ theirs: 1, run: 2 });
  });

  it('stores nothing when `fn` throws, and passes the error on', async () => {
    const { browser } = await open({
      routes: {
        ...routes,
        broken: async ({ session }) => {
          const update = session.update((data) => {
            data['half'] = 'done';
            throw new RangeError('no');
          });
          return { error: await update.catch((error: Error) => error.constructor.name), data: session.data };
        },
      },
    });
    const ada = browser();
    await ada.post('/do/set', { a: '1' });
    expect((await ada.post('/do/broken')).json()).toEqual({ error: 'RangeError', data: { a: '1' } });
    expect(await dataOf(ada)).toEqual({ a: '1' });
  });

  it('is a SessionGoneError, 401, when the session has ended meanwhile, and revives nothing', async () => {
    const { browser, store } = await open({
      routes: {
        ...routes,
        ended: async ({ session }) => {
          await store.delete(session.id ?? '');
          await session.update(increment);
        },
      },
    });
    const ada = browser();
    await ada.post('/do/in');
    const reply = await ada.post('/do/ended');
    expect(refusal(reply)).toEqual({ status: 401, code: 'session_gone' });
    expect(await store.destroyAll()).toBe(0);
  });

  it.each(['update', 'save', 'logout'] as const)(
    'that awaits `%s` of the same session inside `fn` is a 409 after `timeout`, not a request that hangs',
    async (inner) => {
      const { browser } = await open({
        options: { timeout: '1s' },
        routes: {
          ...routes,
          nested: ({ session }) =>
            session.update(async (data) => {
              data['outer'] = true;
              await (inner === 'update' ? session.update(increment) : session[inner]());
            }),
        },
      });
      const ada = browser();
      await ada.post('/do/in');
      expect((await ada.post('/do/set', { a: '1' })).status).toBe(200);
      expect(refusal(await ada.post('/do/nested'))).toEqual({ status: 409, code: 'session_conflict' });
      expect(await dataOf(ada)).toEqual({ a: '1' });
      expect((await ada.post('/do/increment')).text).toBe('1');
    },
  );
});

onEachPlatform('takeOnce', (open) => {
  it('has one winner among 20 parallel requests', async () => {
    const { browser } = await open({
      routes: {
        ...BASICS,
        redeem: async ({ session }) => ({ code: (await session.takeOnce('code')) ?? null }),
      },
    });
    const ada = browser();
    await ada.post('/do/set', { code: 'c0de', other: 'stays' });
    const replies = await Promise.all(Array.from({ length: 20 }, () => ada.post('/do/redeem')));
    const codes = replies.map((reply) => reply.json<{ code: string | null }>().code);
    expect(codes.filter((code) => code !== null)).toEqual(['c0de']);
    expect(await dataOf(ada)).toEqual({ other: 'stays' });
  });

  it('finds nothing where nothing is, and stores nothing', async () => {
    const { browser, storage } = await open({
      routes: {
        redeem: async ({ session }) => ({
          found: [await session.takeOnce('code'), await session.takeOnce('toString')].map(
            (one) => typeof one,
          ),
        }),
      },
    });
    expect((await browser().post('/do/redeem')).json()).toEqual({ found: ['undefined', 'undefined'] });
    expect(storage.calls).toEqual([]);
  });
});
