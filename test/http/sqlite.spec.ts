import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onEachPlatform } from './support/open-app.js';
import type { Routes } from './support/routes.js';
import { BASICS, dataOf, refusal, userOf } from './support/session-routes.js';

const routes: Routes = {
  ...BASICS,
  increment: ({ session }) => session.update((data) => (data.count = (data.count ?? 0) + 1)),
  redeem: async ({ session }) => ({ code: (await session.takeOnce('code')) ?? null }),
  others: ({ session }) => session.logoutOthers(),
  flash: ({ session }) => session.flash('info', 'saved'),
  flashes: ({ session }) => session.flashes(),
  answer: ({ session }, response) => {
    session.data.theme = 'raw';
    response.end('answered');
  },
};

onEachPlatform('on TypeORM and a SQLite file', (open) => {
  const folder = mkdtempSync(join(tmpdir(), 'nest-sessions-'));
  let files = 0;
  const newFile = (): string => join(folder, `${++files}.sqlite`);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('a browser goes all the way: data, sign-in, messages, another device, sign-out', async () => {
    const { browser } = await open({ sqlite: newFile(), routes });
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
    const sqlite = newFile();
    const first = await open({ sqlite, routes });
    const ada = first.browser();
    await ada.post('/do/in');
    await ada.post('/do/set', { theme: 'dark' });
    await first.app.close();
    const second = await open({ sqlite, routes });
    const again = second.browser();
    again.jar = ada.jar;
    expect(await userOf(again)).toBe('ada');
    expect(await dataOf(again)).toEqual({ theme: 'dark' });
  });

  it('50 parallel updates are 50, and one of 20 takes what can be taken once', async () => {
    const { browser } = await open({ sqlite: newFile(), routes });
    const ada = browser();
    await ada.post('/do/in');
    await ada.post('/do/set', { code: 'c0de' });
    await Promise.all(Array.from({ length: 50 }, () => ada.post('/do/increment')));
    const replies = await Promise.all(Array.from({ length: 20 }, () => ada.post('/do/redeem')));
    expect(replies.map(({ text }) => text).filter((text) => text.includes('c0de'))).toHaveLength(1);
    expect(await dataOf(ada)).toEqual({ count: 50 });
  });

  it('what was acknowledged is in the file, and nothing of it can be read there', async () => {
    const sqlite = newFile();
    const { browser } = await open({ sqlite, routes });
    const ada = browser();
    const agent = 'Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0';
    await ada.post('/do/in', {}, { 'user-agent': agent });
    await ada.post('/do/set', { secret: 'the secret of ada' });
    await ada.get('/raw/answer');
    const token = (await ada.cookie()) ?? 'no cookie';
    const beside = sqlite.replace('.sqlite', '.sessions.sqlite');
    const bytes = [beside, `${beside}-wal`]
      .filter((file) => existsSync(file))
      .map((file) => readFileSync(file, 'latin1'))
      .join();
    expect(bytes).toContain(token.slice(0, 26));
    for (const hidden of [token.slice(26), 'the secret', 'Firefox', '127.0.0.1', 'theme'])
      expect(bytes).not.toContain(hidden);
  });

  it('a database that is gone is a 503 that keeps the cookie', async () => {
    const { browser, store } = await open({ sqlite: newFile(), routes, options: { timeout: '300ms' } });
    const ada = browser();
    await ada.post('/do/in');
    await store.engine.backend.close();
    const reply = await ada.get('/do/see');
    expect(refusal(reply)).toEqual({ status: 503, code: 'session_store_unavailable' });
    expect([reply.headers['retry-after'], reply.setCookies]).toEqual(['5', []]);
    expect((await browser().get('/do/see')).status).toBe(200);
  });
});
