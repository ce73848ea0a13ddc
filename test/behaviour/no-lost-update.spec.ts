import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type AppSetup, onEachPlatform, type OpenApp } from '../support/open-app.js';
import type { Route } from '../support/routes.js';
import { barrier, BASICS, dataOf, door, refusal } from '../support/session-routes.js';

async function openWith(open: OpenApp, change: Route, setup: AppSetup = {}) {
  const { browser, ...app } = await open({ ...setup, routes: { ...BASICS, change } });
  const ada = browser();
  await ada.post('/do/in');
  return { ...app, ada };
}

onEachPlatform('rule 3, no lost update', (open) => {
  const folder = mkdtempSync(join(tmpdir(), 'nest-sessions-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  let files = 0;

  it.each(['memory', 'TypeORM and SQLite'])(
    'keeps the keys of four parallel requests that each set another one, on %s',
    async (storage) => {
      const meet = barrier(4);
      const sqlite = storage === 'memory' ? undefined : join(folder, `${++files}.sqlite`);
      const { ada } = await openWith(
        open,
        async ({ session, query }) => {
          await meet();
          session.data[query['key'] ?? ''] = query['key'];
        },
        { sqlite },
      );
      const keys = ['one', 'two', 'three', 'four'];
      const replies = await Promise.all(keys.map((key) => ada.get(`/do/change?key=${key}`)));
      expect(replies.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
      expect(await dataOf(ada)).toEqual({ one: 'one', two: 'two', three: 'three', four: 'four' });
    },
  );

  it('keeps what others set when a request removes one key and changes another', async () => {
    const meet = barrier(2);
    const { ada } = await openWith(open, async ({ session, query }) => {
      await meet();
      if (query['who'] === 'first') {
        session.remove('old');
        session.data.count = 1;
      } else {
        session.data.theme = 'dark';
      }
    });
    await ada.post('/do/set', { old: 'x', kept: 'y' });
    await Promise.all([ada.get('/do/change?who=first'), ada.get('/do/change?who=second')]);
    expect(await dataOf(ada)).toEqual({ kept: 'y', count: 1, theme: 'dark' });
  });

  it('lets the last write of one key win: lists need `update`', async () => {
    const meet = barrier(8);
    const { ada } = await openWith(open, async ({ session, query }) => {
      await meet();
      const add = (data: { cart?: string[] }): unknown => (data.cart ??= []).push(query['item'] ?? '');
      if (query['how'] === 'update') await session.update(add);
      else session.data.theme = query['item'] ?? '';
    });
    const items = ['a', 'b', 'c', 'd'];
    await Promise.all([
      ...items.map((item) => ada.get(`/do/change?how=update&item=${item}`)),
      ...items.map((item) => ada.get(`/do/change?how=set&item=${item}`)),
    ]);
    const { cart, theme } = (await dataOf(ada)) as { cart: string[]; theme: string };
    expect(cart.toSorted()).toEqual(items);
    expect(items).toContain(theme);
  });

  it.each(['clear', 'assign'])(
    'replaces all that others stored, also by what was there before: %s',
    async (how) => {
      const [arrived, wait] = [door(), door()];
      const { ada } = await openWith(open, async ({ session }) => {
        if (how === 'clear') session.clear();
        else session.data = { ...session.data };
        arrived.open();
        await wait.opened;
      });
      const before = how === 'clear' ? {} : { kept: 'x' };
      await ada.post('/do/set', before);
      const { reply } = await ada.start('GET', '/do/change');
      await arrived.opened;
      await ada.post('/do/set', { theirs: 'y' });
      wait.open();
      expect((await reply).status).toBe(200);
      expect(await dataOf(ada)).toEqual(before);
    },
  );

  it('shows the request that lost a race what the other one stored, once it has saved', async () => {
    const [arrived, wait] = [door(), door()];
    const { ada } = await openWith(open, async ({ session }) => {
      session.data.count = 1;
      arrived.open();
      await wait.opened;
      await session.save();
      return session.data;
    });
    const { reply } = await ada.start('GET', '/do/change');
    await arrived.opened;
    await ada.post('/do/set', { theme: 'dark' });
    wait.open();
    expect((await reply).json()).toEqual({ count: 1, theme: 'dark' });
  });

  it('is a 409 when others keep changing the session until `timeout`, and nothing is saved', async () => {
    const { ada, storage } = await openWith(
      open,
      ({ session }) => {
        session.data.count = 1;
        return 'never';
      },
      { options: { timeout: '3s' } },
    );
    const { memory, backend } = storage;
    const { around } = backend;
    backend.around = (method, call) => {
      for (const { id, version } of method === 'save' ? memory.stored.values() : [])
        memory.tamper(id, { version: version + 1 });
      return around(method, call);
    };
    expect(refusal(await ada.get('/do/change'))).toEqual({ status: 409, code: 'session_conflict' });
    backend.around = around;
    expect(await dataOf(ada)).toEqual({});
  });
});
