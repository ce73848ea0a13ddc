import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onEachPlatform } from '../support/open-app.js';
import type { Routes } from '../support/routes.js';
import { BASICS } from '../support/session-routes.js';

const routes: Routes = {
  ...BASICS,
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
});
