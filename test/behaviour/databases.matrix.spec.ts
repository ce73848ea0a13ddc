import { DataSource } from 'typeorm';
import { DATABASE_KINDS, onEachDatabase, openDatabase, type TestDatabase } from '../support/databases.js';
import { onEachPlatform } from '../support/open-app.js';
import type { Routes } from '../support/routes.js';
import { BASICS, dataOf, refusal, userOf } from '../support/session-routes.js';

const routes: Routes = {
  ...BASICS,
  increment: ({ session }) => session.update((data) => (data.count = (data.count ?? 0) + 1)),
  redeem: async ({ session }) => ({ code: (await session.takeOnce('code')) ?? null }),
  others: ({ session }) => session.logoutOthers(),
  flash: ({ session }) => session.flash('info', 'saved'),
  flashes: ({ session }) => session.flashes(),
};

onEachDatabase('an app with TypeORM', DATABASE_KINDS, (kind) => {
  onEachPlatform('as it comes', (open) => {
    let database: TestDatabase;

    beforeEach(async () => {
      database = await openDatabase(kind);
    });
    afterEach(() => database.drop());

    it('a browser goes all the way: data, sign-in, messages, another device, sign-out', async () => {
      const { browser } = await open({ database: database.options(), routes });
      const [ada, phone] = [browser(), browser()];
      await ada.post('/do/set', { cart: ['tea'] });
      await ada.post('/do/in');
      await ada.post('/do/flash');
      await phone.post('/do/in');
      expect((await ada.get('/do/flashes')).json()).toEqual([{ kind: 'info', text: 'saved' }]);
      expect((await ada.get('/do/flashes')).json()).toEqual([]);
      expect((await ada.get('/do/list')).json()).toHaveLength(2);
      expect((await ada.post('/do/others')).text).toBe('1');
      expect(await userOf(phone)).toBeNull();
      expect(await dataOf(ada)).toEqual({ cart: ['tea'] });
      await ada.post('/do/out');
      expect(await userOf(ada)).toBeNull();
    });

    it('everybody stays signed in over a restart', async () => {
      const first = await open({ database: database.options(), routes });
      const ada = first.browser();
      await ada.post('/do/in');
      await ada.post('/do/set', { theme: 'dark' });
      await first.app.close();
      const second = await open({ database: database.options(), routes });
      const again = second.browser();
      again.jar = ada.jar;
      expect(await userOf(again)).toBe('ada');
      expect(await dataOf(again)).toEqual({ theme: 'dark' });
    });

    it('50 parallel updates are 50, and one of 20 takes what can be taken once', async () => {
      const { browser } = await open({ database: database.options(), routes });
      const ada = browser();
      await ada.post('/do/in');
      await ada.post('/do/set', { code: 'c0de' });
      await Promise.all(Array.from({ length: 50 }, () => ada.post('/do/increment')));
      const replies = await Promise.all(Array.from({ length: 20 }, () => ada.post('/do/redeem')));
      expect(replies.map(({ text }) => text).filter((text) => text.includes('c0de'))).toHaveLength(1);
      expect(await dataOf(ada)).toEqual({ count: 50 });
    });

    it('a database that is gone is a 503 that keeps the cookie', async () => {
      const { browser, store } = await open({
        database: database.options(),
        routes,
        options: { timeout: '3s' },
      });
      const ada = browser();
      await ada.post('/do/in');
      await store.parts.backend.close();
      const reply = await ada.get('/do/see');
      expect(refusal(reply)).toEqual({ status: 503, code: 'session_store_unavailable' });
      expect([reply.headers['retry-after'], reply.setCookies]).toEqual(['5', []]);
      expect((await browser().get('/do/see')).status).toBe(200);
    });

    it('20 browsers that sign one user in at once are as many as the limit afterwards', async () => {
      const { browser } = await open({ database: database.options(), routes, options: { maxPerUser: 3 } });
      const browsers = Array.from({ length: 20 }, () => browser());
      const replies = await Promise.all(browsers.map((each) => each.post('/do/in')));
      expect(replies.filter(({ status }) => status !== 200)).toEqual([]);
      const users = await Promise.all(browsers.map(userOf));
      expect(users.filter((user) => user === 'ada')).toHaveLength(3);
    });

    it('a transaction of the app that rolls back takes no session write with it', async () => {
      let app: DataSource | undefined;
      const opened = await open({
        database: database.options(),
        routes: {
          ...BASICS,
          transfer: async ({ session }) => {
            await app?.transaction(async (manager) => {
              await manager.query('INSERT INTO notes VALUES (1)');
              await session.authenticate('ada');
              await session.update((data) => void (data.count = 1));
              throw new Error('rolled back');
            });
          },
        },
      });
      app = opened.app.get<DataSource>(DataSource);
      await app.query('CREATE TABLE notes (id int)');
      const ada = opened.browser();
      expect((await ada.post('/do/transfer')).status).toBe(500);
      expect(await app.query('SELECT id FROM notes')).toEqual([]);
      expect(await userOf(ada)).toBe('ada');
      expect(await dataOf(ada)).toEqual({ count: 1 });
    });
  });
});
