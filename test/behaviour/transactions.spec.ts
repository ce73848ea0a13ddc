import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DataSource } from 'typeorm';
import { someOf } from '../core/support/random-runs.js';
import { onEachPlatform } from '../support/open-app.js';
import { BASICS, dataOf, userOf } from '../support/session-routes.js';

const ROUNDS = someOf(200);

onEachPlatform('rule 13, transactions of the app', (open) => {
  const folder = mkdtempSync(join(tmpdir(), 'nest-sessions-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('that roll back take no session write with them, on TypeORM and SQLite', async () => {
    let dataSource: DataSource | undefined;
    const { app, browser } = await open({
      sqlite: join(folder, 'app.sqlite'),
      routes: {
        ...BASICS,
        transfer: async ({ session }) => {
          await dataSource?.transaction(async (manager) => {
            await manager.query('INSERT INTO notes VALUES (1)');
            await session.authenticate('ada');
            await session.update((data) => void (data.count = 1));
            throw new Error('rolled back');
          });
        },
        notes: () => dataSource?.query('SELECT count(*) AS n FROM notes'),
      },
    });
    dataSource = app.get<DataSource>(DataSource);
    await dataSource.query('CREATE TABLE IF NOT EXISTS notes (id int)');
    const ada = browser();
    expect((await ada.post('/do/transfer')).status).toBe(500);
    expect((await ada.get('/do/notes')).json()).toEqual([{ n: 0 }]);
    expect(await userOf(ada)).toBe('ada');
    expect(await dataOf(ada)).toEqual({ count: 1 });
  });
});

onEachPlatform('rule 13, look-ups that share a round trip', (open) => {
  it('never join one that is under way: no request after an acknowledged logout sees the session', async () => {
    const { browser, storage } = await open({ routes: BASICS });
    const ada = browser();
    await ada.post('/do/in');
    const tab = await ada.copy();
    const held = storage.hold('find', 'after');
    const early = await tab.start('GET', '/do/see');
    await held.reached;
    await ada.post('/do/out');
    expect(await userOf(tab)).toBeNull();
    held.release();
    expect((await early.reply).json()).toMatchObject({ userId: 'ada' });
    expect(await userOf(tab)).toBeNull();
  });

  it(`never show a session that ended before the request began, in ${ROUNDS} rounds of requests around a logout`, async () => {
    const { browser, store } = await open({ routes: BASICS });
    const late: unknown[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const ada = browser();
      await ada.post('/do/in');
      const tab = await ada.copy();
      const around = Array.from({ length: 3 }, () => tab.get('/do/see'));
      await ada.post('/do/out');
      late.push(await userOf(tab));
      await Promise.all(around);
    }
    expect(new Set(late)).toEqual(new Set([null]));
    expect(await store.destroyAll()).toBe(0);
  });

  it('cost fewer finds than there are look-ups in one turn', async () => {
    const { store, storage } = await open({ routes: BASICS });
    const tokens = await Promise.all(Array.from({ length: 20 }, (_, n) => store.create({}, `user${n}`)));
    storage.forget();
    const records = await Promise.all(tokens.map(({ token }) => store.readByToken(token)));
    expect(records.map((record) => record?.userId)).toEqual(tokens.map(({ session }) => session.userId));
    expect(storage.calls).toEqual(['find']);
  });
});
