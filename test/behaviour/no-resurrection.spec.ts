import { someOf } from '../core/support/random-runs.js';
import type { Browser } from '../support/browser.js';
import { onEachPlatform, type OpenApp } from '../support/open-app.js';
import type { Routes } from '../support/routes.js';
import { BASICS, door, refusal, userOf } from '../support/session-routes.js';
import { rowsOf } from '../support/storage.js';

const ROUNDS = someOf(50);
const AT_ONCE = 20;

/** An app whose `/do/slow?then=…` waits for the test between loading the session and doing something with it. */
async function openSlow(open: OpenApp) {
  const arrivals = new Map<string, () => void>();
  const waits = new Map<string, Promise<void>>();
  const steps: Routes = {
    read: ({ session }) => ({ user: session.userId }),
    change: ({ session }) => void (session.data.theme = 'dark'),
    clear: ({ session }) => session.clear(),
    flash: ({ session }) => session.flash('info', 'hello'),
    update: ({ session }) => session.update((data) => void (data.count = 1)),
    save: async ({ session }) => {
      session.data.theme = 'dark';
      await session.save();
    },
    reauthenticate: ({ session }) => session.reauthenticate(),
    logout: ({ session }) => session.logout(),
    goodbye: async ({ session }) => {
      await session.logout();
      session.flash('info', 'goodbye');
    },
    goodbyeAll: async ({ session }) => {
      await session.logoutAll();
      session.flash('info', 'goodbye');
    },
    theme: async ({ session }) => {
      await session.logout();
      session.data.theme = 'dark';
    },
    count: async ({ session }) => {
      await session.logout();
      await session.update((data) => void (data.count = 1));
    },
    anew: async ({ session }) => {
      await session.logout();
      await session.authenticate('ada');
    },
    rotate: ({ session }) => session.rotate(),
    in: ({ session }) => session.authenticate('ada'),
    inAsBob: ({ session }) => session.authenticate('bob'),
  };
  const app = await open({
    options: { maxPerUser: false },
    routes: {
      ...BASICS,
      slow: async (call, ...rest) => {
        const name = call.query['wait'] ?? '';
        arrivals.get(name)?.();
        await waits.get(name);
        return steps[call.query['then'] ?? '']?.(call, ...rest);
      },
    },
  });
  let n = 0;
  const startSlow = async (client: Browser, then: string) => {
    const [arrived, wait] = [door(), door()];
    const name = `w${n++}`;
    waits.set(name, wait.opened);
    arrivals.set(name, arrived.open);
    const { reply } = await client.start('GET', `/do/slow?then=${then}&wait=${name}`);
    await arrived.opened;
    return () => {
      wait.open();
      return reply;
    };
  };
  return { ...app, startSlow };
}

onEachPlatform('rule 2, no resurrection', (open) => {
  it(`brings no session back when ${ROUNDS * AT_ONCE} slow requests end after a logout`, async () => {
    const { browser, storage, startSlow } = await openSlow(open);
    const statuses = new Map<number, number>();
    const kinds = ['change', 'update', 'save', 'flash', 'clear'];
    for (let round = 0; round < ROUNDS; round++) {
      await Promise.all(
        Array.from({ length: AT_ONCE }, async (_, n) => {
          const client = browser();
          await client.post(`/do/in?user=u${n}`);
          const finish = await startSlow(client, kinds[n % kinds.length] ?? 'change');
          await client.post('/do/out');
          const { status, setCookies } = await finish();
          expect(setCookies).toEqual([]);
          statuses.set(status, (statuses.get(status) ?? 0) + 1);
        }),
      );
    }
    expect([...statuses]).toEqual([[401, ROUNDS * AT_ONCE]]);
    expect(rowsOf(storage)).toEqual([]);
  });

  it.each(['change', 'clear', 'flash', 'update', 'save', 'reauthenticate'])(
    'answers a straggler that wants to %s with 401, and leaves the cookie of the newer sign-in',
    async (then) => {
      const { browser, storage, startSlow } = await openSlow(open);
      const ada = browser();
      await ada.post('/do/in');
      const finish = await startSlow(ada, then);
      await ada.post('/do/out');
      await ada.post('/do/in?user=grace');
      const cookie = await ada.cookie();
      const reply = await finish();
      expect(refusal(reply)).toEqual({ status: 401, code: 'session_gone' });
      expect(reply.setCookies).toEqual([]);
      expect(await ada.cookie()).toBe(cookie);
      expect(await userOf(ada)).toBe('grace');
      expect(rowsOf(storage)).toHaveLength(1);
    },
  );

  it('answers a straggler that answers by itself with 401 too, and logs nothing: a client caused it', async () => {
    const { browser, store, log } = await open({
      routes: {
        ...BASICS,
        straggle: async ({ session }, response) => {
          await store.destroyAll();
          session.data.theme = 'dark';
          response.writeHead(200, { 'set-cookie': 'app=1' }).end('never');
        },
      },
    });
    const ada = browser();
    await ada.post('/do/in');
    const reply = await ada.get('/raw/straggle');
    expect(refusal(reply)).toEqual({ status: 401, code: 'session_gone' });
    expect(reply.setCookies).toEqual([]);
    expect(log.lines).toEqual([]);
  });

  it.each(['read', 'logout', 'rotate'])(
    'serves a straggler that wants to %s, and leaves the cookie of the newer sign-in',
    async (then) => {
      const { browser, startSlow } = await openSlow(open);
      const ada = browser();
      await ada.post('/do/in');
      const finish = await startSlow(ada, then);
      await ada.post('/do/out');
      await ada.post('/do/in?user=grace');
      const reply = await finish();
      expect([reply.status, reply.setCookies]).toEqual([200, []]);
      expect(await userOf(ada)).toBe('grace');
    },
  );

  it.each(['goodbye', 'goodbyeAll'])(
    'leaves the cookie of the newer sign-in when a straggler signs out with a message: %s',
    async (then) => {
      const { browser, storage, startSlow } = await openSlow(open);
      const ada = browser();
      await ada.post('/do/in');
      const finish = await startSlow(ada, then);
      await ada.post('/do/out');
      await ada.post('/do/in?user=grace');
      const reply = await finish();
      expect([reply.status, reply.setCookies]).toEqual([200, []]);
      expect(await userOf(ada)).toBe('grace');
      expect(rowsOf(storage)).toHaveLength(1);
    },
  );

  it.each(['theme', 'count'])(
    'answers a straggler that signs out and then stores data (%s) with 401, and leaves the newer cookie',
    async (then) => {
      const { browser, storage, startSlow } = await openSlow(open);
      const ada = browser();
      await ada.post('/do/in');
      const finish = await startSlow(ada, then);
      await ada.post('/do/out');
      await ada.post('/do/in?user=grace');
      const reply = await finish();
      expect(refusal(reply)).toEqual({ status: 401, code: 'session_gone' });
      expect(reply.setCookies).toEqual([]);
      expect(await userOf(ada)).toBe('grace');
      expect(rowsOf(storage)).toHaveLength(1);
    },
  );

  it('keeps the message of the request that did sign out, and its data', async () => {
    const { browser, startSlow } = await openSlow(open);
    for (const [then, kept] of [
      ['goodbye', []],
      ['theme', { theme: 'dark' }],
    ] as const) {
      const ada = browser();
      await ada.post('/do/in');
      const finish = await startSlow(ada, then);
      const { setCookies } = await finish();
      expect(setCookies).toHaveLength(1);
      expect(await userOf(ada)).toBe(null);
      if (then === 'theme') expect((await ada.get('/do/data')).json()).toEqual(kept);
    }
  });

  it('refuses a straggler that signs out and in again: what ended its session would be undone', async () => {
    const { browser, storage, startSlow } = await openSlow(open);
    const ada = browser();
    await ada.post('/do/in');
    const finish = await startSlow(ada, 'anew');
    await ada.post('/do/out');
    expect(await finish()).toMatchObject({ status: 401, setCookies: [] });
    expect(await userOf(ada)).toBeNull();
    expect(rowsOf(storage)).toEqual([]);
  });

  it('refuses the sign-in of a straggler, but not as somebody else, which inserts and revives nothing', async () => {
    const { browser, storage, startSlow } = await openSlow(open);
    const ada = browser();
    await ada.post('/do/in');
    const [old] = rowsOf(storage);
    const twin = await ada.copy();
    const finish = await startSlow(ada, 'in');
    const finishOther = await startSlow(twin, 'inAsBob');
    await ada.post('/do/out');
    expect(await finish()).toMatchObject({ status: 401, setCookies: [] });
    expect(rowsOf(storage)).toEqual([]);
    expect((await finishOther()).status).toBe(200);
    expect(await userOf(twin)).toBe('bob');
    expect(rowsOf(storage)).toHaveLength(1);
    expect(rowsOf(storage)[0]?.id).not.toBe(old?.id);
  });

  it('is not undone by the touch of a straggler', async () => {
    const { browser, storage, clock, store, startSlow } = await openSlow(open);
    const ada = browser();
    await ada.post('/do/in');
    const finish = await startSlow(ada, 'read');
    await ada.post('/do/out');
    clock.advance('1h');
    expect((await finish()).status).toBe(200);
    await store.manager.drain();
    expect(storage.calls).toContain('touch');
    expect(rowsOf(storage)).toEqual([]);
  });
});
