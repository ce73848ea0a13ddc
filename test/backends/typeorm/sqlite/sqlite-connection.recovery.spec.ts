import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { DataSource } from 'typeorm';
import { TypeOrmSessionBackend } from '../../../../src/backends/typeorm/typeorm-session-backend.js';
import {
  MINUTE,
  NOW,
  inserting,
  row,
  store,
  deleteActive,
} from '../../../../src/testing/backend-contract/contract-rule.js';
import { OPTIONS, backendIn, otherFile, sessionsFile } from '../support/open-backend.js';
import { removeTempFolders, tempFolder } from '../support/temp-folder.js';

afterEach(removeTempFolders);

const LOST = 'the file has been deleted, moved or replaced since it was opened';

/** A backend with row `a`, its file, and what it has warned of. */
async function running(options = {}) {
  const folder = await tempFolder();
  const warnings: string[] = [];
  const logger = { warn: (message: string) => void warnings.push(message), error: () => {} };
  const backend = backendIn(folder, { logger, ...options });
  await store(backend, row('a'));
  return { folder, file: sessionsFile(folder), backend, warnings };
}

describe('the file of sessions, while the app runs,', () => {
  it('deleted: the next call is refused, the one after finds a new table', async () => {
    const { file, backend, warnings } = await running();
    rmSync(file);
    await expect(backend.find(['a'])).rejects.toThrow(`Sessions in '${file}': ${LOST}`);
    expect(await backend.find(['a'])).toEqual([null]);
    await store(backend, row('b'));
    expect(warnings).toEqual([`Sessions in '${file}': opened again, after: ${LOST}`]);
    await backend.close();
    const again = backendIn(join(file, '..'));
    expect(await again.find(['a', 'b'])).toEqual([null, row('b')]);
    await again.close();
  });

  it.each([
    'insert',
    'save',
    'touch',
    'changeToken',
    'delete',
    'list',
    'walk',
    'prune',
    'keysInUse',
  ] as const)('deleted: %s acknowledges nothing that would go to a file nobody can see', async (method) => {
    const { file, backend } = await running();
    rmSync(file);
    const change = { id: 'a', now: NOW, lastActiveAt: NOW, expiresAt: NOW + MINUTE };
    const calls = {
      insert: () => backend.insert(inserting(row('b'))),
      save: () =>
        backend.save([{ ...change, expectedVersion: 1, version: 2, keyId: 'k', payload: Buffer.from('p') }]),
      touch: () => backend.touch([change]),
      changeToken: () => backend.changeToken({ id: 'a', now: NOW, expected: row('a'), next: row('b') }),
      delete: () => backend.delete({ userId: 'ada' }),
      list: () => backend.list({ userId: 'ada', now: NOW, orderBy: 'createdAt', limit: null }),
      walk: () =>
        backend.walk({
          now: NOW,
          cursor: null,
          batchSize: 9,
          limit: 9,
          activeSince: null,
          authenticated: null,
        }),
      prune: () => backend.prune({ now: NOW, cursor: null, batchSize: 9 }),
      keysInUse: () => backend.keysInUse(),
    };
    await expect(calls[method]()).rejects.toThrow(LOST);
    await backend.close();
  });

  it('deleted with its log: recovers as well', async () => {
    const { file, backend } = await running();
    for (const name of [file, `${file}-wal`, `${file}-shm`]) rmSync(name);
    await expect(backend.insert(inserting(row('b')))).rejects.toThrow(LOST);
    await store(backend, row('b'));
    await backend.close();
  });

  it('moved away and back: is used again, with all its rows', async () => {
    const made = await running();
    await made.backend.close();
    const { folder, file } = made;
    const backend = backendIn(folder, { createTable: false });
    await store(backend, row('b'));
    mkdirSync(join(folder, 'away'));
    for (const suffix of ['', '-wal', '-shm']) renameSync(file + suffix, join(folder, `away/file${suffix}`));
    await expect(backend.find(['a'])).rejects.toThrow(LOST);
    await expect(backend.find(['a'])).rejects.toThrow('the file does not exist, and `createTable` is false');
    expect(existsSync(file)).toBe(false);
    for (const suffix of ['', '-wal', '-shm']) renameSync(join(folder, `away/file${suffix}`), file + suffix);
    expect(await backend.find(['a', 'b'])).toEqual([row('a'), row('b')]);
    await backend.close();
  });

  it('replaced by a backup: the backup is used, and the log of the old file is not replayed into it', async () => {
    const { file, backend } = await running();
    const backup = await otherFile('backup');
    for (let index = 0; index < 50; index++) await store(backend, row(`later-${index}`));
    expect((await stat(`${file}-wal`)).size).toBeGreaterThan(100_000);
    renameSync(backup, file);
    await expect(backend.find(['a'])).rejects.toThrow(LOST);
    expect(await backend.find(['backup', 'a', 'later-49'])).toEqual([row('backup'), null, null]);
    expect(await deleteActive(backend)).toBe(1);
    await backend.close();
  });

  it('replaced by something else: calls are refused until a good file is there', async () => {
    const { folder, file, backend } = await running();
    const good = await otherFile('good');
    const other = await new DataSource({
      type: 'sqlite',
      database: join(folder, 'other.sqlite'),
    }).initialize();
    await other.query('CREATE TABLE sessions (id TEXT PRIMARY KEY, data TEXT)');
    await other.destroy();
    renameSync(join(folder, 'other.sqlite'), file);
    await expect(backend.find(['good'])).rejects.toThrow(LOST);
    await expect(backend.find(['good'])).rejects.toThrow("unexpected columns 'data'");
    renameSync(good, file);
    expect(await backend.find(['good'])).toEqual([row('good')]);
    await backend.close();
  });

  it('gone with its folder: calls are refused, and nothing is created, until the folder is back', async () => {
    const { folder, file, backend } = await running();
    renameSync(folder, `${folder}-away`);
    await expect(backend.find(['a'])).rejects.toThrow(LOST);
    await expect(backend.find(['a'])).rejects.toThrow(`the folder '${folder}' does not exist`);
    expect(existsSync(folder)).toBe(false);
    renameSync(`${folder}-away`, folder);
    expect(await backend.find(['a'])).toEqual([row('a')]);
    expect(existsSync(file)).toBe(true);
    await backend.close();
  });

  it('of a data source for sessions alone, deleted: the connection is renewed, without its options at work', async () => {
    const file = join(await tempFolder(), 'only.sqlite');
    const dataSource = await new DataSource({
      type: 'sqlite',
      database: file,
      dropSchema: true,
    }).initialize();
    const backend = new TypeOrmSessionBackend(dataSource, { ...OPTIONS, shared: false });
    await store(backend, row('a'));
    const backup = await otherFile('backup');
    renameSync(backup, file);
    await expect(backend.find(['a'])).rejects.toThrow(LOST);
    expect(await backend.find(['backup'])).toEqual([row('backup')]);
    expect(await dataSource.query('SELECT id FROM sessions')).toEqual([{ id: 'backup' }]);
    await backend.close();
    await dataSource.destroy();
  });
});
