import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { someOf } from '../../core/support/random-runs.js';
import { onEachPlatform } from '../../support/open-app.js';

const ROUNDS = someOf(500);

let folder = '';
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'nest-sessions-'))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

onEachPlatform('parallel requests on the default stack', (open) => {
  it('save four keys when each of four sets another', async () => {
    const { browser } = await open({
      sqlite: join(folder, 'app.sqlite'),
      routes: {
        login: ({ session }) => session.authenticate('ada'),
        set: ({ session, body }) => void (session.data[String(body['key'])] = true),
        data: ({ session }) => session.data,
      },
    });
    const ada = browser();
    await ada.post('/do/login');
    await Promise.all(['a', 'b', 'c', 'd'].map((key) => ada.post('/do/set', { key })));
    expect((await ada.get('/do/data')).json()).toEqual({ a: true, b: true, c: true, d: true });
  });

  it(`bring no session back in ${ROUNDS} logouts during a slow request`, async () => {
    let letGo = (): void => undefined;
    let arrived = (): void => undefined;
    const { browser, store } = await open({
      sqlite: join(folder, 'app.sqlite'),
      options: { maxPerUser: false },
      routes: {
        login: ({ session }) => session.authenticate('ada'),
        logout: ({ session }) => session.logout(),
        slow: async ({ session }) => {
          session.data['changed'] = true;
          const held = new Promise<void>((resolve) => (letGo = resolve));
          arrived();
          await held;
        },
      },
    });
    let served = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const ada = browser();
      await ada.post('/do/login');
      const reached = new Promise<void>((resolve) => (arrived = resolve));
      const { reply } = await ada.start('POST', '/do/slow');
      await reached;
      const loggingOut = ada.post('/do/logout');
      if (round % 2 === 0) letGo();
      expect((await loggingOut).status).toBe(200);
      letGo();
      const straggler = await reply;
      expect(straggler.setCookies).toEqual([]);
      if (straggler.status === 200) served++;
      else expect(straggler.status).toBe(401);
    }
    expect(served).toBeLessThan(ROUNDS);
    expect(await store.listForUser('ada')).toEqual([]);
    expect(await store.destroyAll()).toBe(0);
  });
});
