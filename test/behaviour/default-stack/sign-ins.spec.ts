import { getDataSourceToken } from '@nestjs/typeorm';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DataSource } from 'typeorm';
import { onEachPlatform } from '../../support/open-app.js';
import type { Routes } from '../../support/routes.js';

let folder = '';
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'nest-sessions-'))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const routes: Routes = {
  login: async ({ session, body }) => {
    await session.authenticate(String(body['user']), { data: { secret: 'the cart of a customer' } });
    return session.id;
  },
  devices: async ({ session }) => (await session.list()).map(({ id }) => id),
};

/** What is readable in the files of the session database. */
function readable(): string {
  const files = readdirSync(folder).filter((name) => name.startsWith('app.sessions.sqlite'));
  expect(files).toContain('app.sessions.sqlite');
  return files.map((name) => readFileSync(join(folder, name), 'latin1')).join('\n');
}

onEachPlatform('a sign-in on the default stack', (open) => {
  const openOnFile = (maxPerUser = 5) =>
    open({ routes, sqlite: join(folder, 'app.sqlite'), options: { maxPerUser } });

  it('leaves neither token, nor data, nor address, nor user agent readable in the database file', async () => {
    const { browser } = await openOnFile();
    const ada = browser();
    const agent = 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0';
    await ada.post('/do/login', { user: 'ada' }, { 'user-agent': agent });
    const token = (await ada.cookie()) ?? '';
    expect(token).toHaveLength(119);
    const text = readable();
    expect(text).toContain(token.slice(0, 26));
    for (const secret of [token, token.slice(26), token.slice(26, 69), token.slice(69)]) {
      expect(text).not.toContain(secret);
    }
    for (const secret of ['customer', 'secret', '127.0.0.1', 'Firefox', 'Mozilla', 'Linux']) {
      expect(text).not.toContain(secret);
    }
  });

  it('keeps the latest 5 of 200 concurrent ones with `maxPerUser: 5`', async () => {
    const { browser, store } = await openOnFile(5);
    const replies = await Promise.all(
      Array.from({ length: 200 }, () => browser().post('/do/login', { user: 'ada' })),
    );
    expect(replies.filter(({ status }) => status !== 200)).toEqual([]);
    const ids = replies.map(({ text }) => text.replaceAll('"', ''));
    const latest = ids.toSorted().slice(-5);
    expect((await store.listForUser('ada')).map(({ id }) => id).toSorted()).toEqual(latest);
  });

  it('succeeds 50 times beside 50 consecutive read-then-write transactions of the app, as do they', async () => {
    const { app, browser, store } = await openOnFile(50);
    const data = app.get<DataSource>(getDataSourceToken());
    await data.query('CREATE TABLE counter (value INTEGER)');
    await data.query('INSERT INTO counter VALUES (0)');
    const transactions = async (): Promise<void> => {
      for (let i = 0; i < 50; i++) {
        await data.transaction(async (manager) => {
          const [row] = await manager.query<{ value: number }[]>('SELECT value FROM counter');
          await manager.query('UPDATE counter SET value = ?', [(row?.value ?? 0) + 1]);
        });
      }
    };
    const signIns = Array.from({ length: 50 }, () => browser().post('/do/login', { user: 'ada' }));
    const [, ...replies] = await Promise.all([transactions(), ...signIns]);
    expect(replies.filter(({ status }) => status !== 200)).toEqual([]);
    expect(await data.query('SELECT value FROM counter')).toEqual([{ value: 50 }]);
    expect(await store.listForUser('ada')).toHaveLength(50);
  });

  it('stays when a transaction of the app, begun before it, rolls back', async () => {
    const { app, browser } = await openOnFile();
    const data = app.get<DataSource>(getDataSourceToken());
    await data.query('CREATE TABLE note (text VARCHAR)');
    const ada = browser();
    const rolledBack = data.transaction(async (manager) => {
      await manager.query("INSERT INTO note VALUES ('gone')");
      expect((await ada.post('/do/login', { user: 'ada' })).status).toBe(200);
      throw new Error('the app changed its mind');
    });
    await expect(rolledBack).rejects.toThrow('the app changed its mind');
    expect(await data.query('SELECT * FROM note')).toEqual([]);
    expect((await ada.get('/do/devices')).json()).toHaveLength(1);
  });
});
