import { join } from 'node:path';
import sqlite3 from 'sqlite3';
import { DataSource } from 'typeorm';
import { TypeOrmSessionBackend } from '../../../../src/backends/typeorm/typeorm-session-backend.js';
import { NOW, inserting, row, store } from '../../../../src/testing/backend-contract/contract-rule.js';
import { Child, stopChildren } from '../support/child.js';
import { OPTIONS, backendIn, sessionsFile } from '../support/open-backend.js';
import { removeTempFolders, tempFolder } from '../support/temp-folder.js';

afterEach(stopChildren);
afterEach(removeTempFolders);

/** An app with a table of its own, open. */
async function openApp(folder: string): Promise<DataSource> {
  const app = await new DataSource({ type: 'sqlite', database: join(folder, 'app.sqlite') }).initialize();
  await app.query('CREATE TABLE counter (id INTEGER PRIMARY KEY, value INTEGER NOT NULL)');
  await app.query('INSERT INTO counter VALUES (1, 0)');
  return app;
}

describe('sessions beside a busy app', () => {
  it('50 sign-ins beside 50 consecutive read-then-write transactions all succeed, and so do the transactions', async () => {
    const app = await openApp(await tempFolder());
    const backend = new TypeOrmSessionBackend(app, OPTIONS);
    await backend.init();
    const increments = async () => {
      for (let turn = 0; turn < 50; turn++) {
        await app.transaction(async (manager) => {
          const [counter] = await manager.query('SELECT value FROM counter WHERE id = 1');
          await new Promise((resolve) => setImmediate(resolve));
          await manager.query('UPDATE counter SET value = ? WHERE id = 1', [counter.value + 1]);
        });
      }
    };
    const signIns = Array.from({ length: 50 }, (_, index) => backend.insert(inserting(row(`s${index}`))));
    const [results] = await Promise.all([Promise.all(signIns), increments()]);
    expect(results.map(({ status }) => status)).toEqual(Array.from({ length: 50 }, () => 'inserted'));
    expect(await app.query('SELECT value FROM counter')).toEqual([{ value: 50 }]);
    await backend.close();
    await app.destroy();
  });

  it('an app transaction that rolls back takes no session write with it', async () => {
    const app = await openApp(await tempFolder());
    const backend = new TypeOrmSessionBackend(app, OPTIONS);
    await store(backend, row('a'));
    const failing = app.transaction(async (manager) => {
      await manager.query('UPDATE counter SET value = 9 WHERE id = 1');
      await store(backend, row('b'));
      await backend.delete({ ids: ['a'] });
      throw new Error('the app changed its mind');
    });
    await expect(failing).rejects.toThrow('the app changed its mind');
    expect(await app.query('SELECT value FROM counter')).toEqual([{ value: 0 }]);
    expect(await backend.find(['a', 'b'])).toEqual([null, row('b')]);
    await backend.close();
    await app.destroy();
  });
});

describe('sessions of several processes', () => {
  it('two that sign one user in at once never leave more than the limit', async () => {
    const folder = await tempFolder();
    const children = [Child.start(), Child.start()];
    const app = join(folder, 'app.sqlite');
    await Promise.all(children.map((child) => child.call('open', app, OPTIONS)));
    await Promise.all(children.map((child) => child.call('init')));
    const backend = backendIn(folder);
    const seen: number[] = [];
    const watch = { isOver: false };
    const watching = (async () => {
      while (!watch.isOver) {
        const request = { userId: 'ada', now: Date.now(), orderBy: 'createdAt', limit: null } as const;
        seen.push((await backend.list(request)).length);
      }
    })();
    const signIns = children.map((child, index) => child.call('insertMany', `p${index}-`, 100, 5));
    await Promise.all(signIns).finally(() => (watch.isOver = true));
    await watching;
    expect(Math.max(...seen)).toBe(5);
    expect(await backend.delete({ userId: 'ada' })).toHaveLength(5);
    await backend.close();
  });

  it('several that start at once all find the table', async () => {
    const folder = await tempFolder();
    const children = Array.from({ length: 3 }, () => Child.start());
    await Promise.all(children.map((child) => child.call('open', join(folder, 'app.sqlite'), OPTIONS)));
    await Promise.all(children.map((child) => child.call('init')));
    const ids = children.map((_, index) => `from-${index}`);
    await Promise.all(children.map((child, index) => child.call('insert', ids[index] ?? '')));
    const found = await Promise.all(
      children.map((child, index) => child.call('find', ids.at(index - 1) ?? '')),
    );
    expect(new Set(found)).toEqual(new Set(ids));
  });

  it('one that is killed has lost nothing that was acknowledged', async () => {
    const folder = await tempFolder();
    const child = Child.start();
    await child.call('open', join(folder, 'app.sqlite'), OPTIONS);
    const signIns = child.call('insertMany', 's', 100_000, 1_000_000).catch(() => undefined);
    await child.hasAcknowledged(50);
    await child.kill();
    await signIns;
    const backend = backendIn(folder);
    const stored = await backend.find(child.acknowledged);
    expect(stored.filter((each) => each === null)).toEqual([]);
    await backend.close();
  });
});

describe('what makes a commit durable', () => {
  it('is in force: a write-ahead log, synchronous=FULL, and a short wait inside SQLite', async () => {
    const opened: sqlite3.Database[] = [];
    class Database extends sqlite3.Database {
      constructor(file: string, callback?: (error: Error | null) => void) {
        super(file, callback);
        opened.push(this);
      }
    }
    const folder = await tempFolder();
    const module = { ...sqlite3, Database, verbose: () => module };
    const app = new DataSource({ type: 'sqlite', database: join(folder, 'app.sqlite'), driver: module });
    const backend = new TypeOrmSessionBackend(app, OPTIONS);
    await backend.init();
    const pragma = (name: string) =>
      new Promise((resolve) => {
        opened[0]?.get(`PRAGMA ${name}`, (_error, result) => resolve(result));
      });
    expect(await pragma('journal_mode')).toEqual({ journal_mode: 'wal' });
    expect(await pragma('synchronous')).toEqual({ synchronous: 2 });
    expect(await pragma('busy_timeout')).toEqual({ timeout: 20 });
    await backend.close();
    expect(opened).toHaveLength(1);
  });

  it('is set on a data source for sessions alone as well', async () => {
    const database = join(await tempFolder(), 'only.sqlite');
    const dataSource = await new DataSource({ type: 'sqlite', database, busyTimeout: 9_000 }).initialize();
    await dataSource.query('PRAGMA synchronous = OFF');
    const backend = new TypeOrmSessionBackend(dataSource, { ...OPTIONS, shared: false });
    await backend.init();
    expect(await dataSource.query('PRAGMA journal_mode')).toEqual([{ journal_mode: 'wal' }]);
    expect(await dataSource.query('PRAGMA synchronous')).toEqual([{ synchronous: 2 }]);
    expect(await dataSource.query('PRAGMA busy_timeout')).toEqual([{ timeout: 20 }]);
    await backend.close();
    await dataSource.destroy();
  });

  it('leaves no log behind after close: everything is in the one file', async () => {
    const folder = await tempFolder();
    const backend = backendIn(folder);
    await store(backend, row('a', { lastActiveAt: NOW }));
    await backend.close();
    const database = new sqlite3.Database(sessionsFile(folder));
    const count = await new Promise((resolve) => {
      database.get('SELECT COUNT(*) AS total FROM sessions', (_error, result) => resolve(result));
    });
    expect(count).toEqual({ total: 1 });
    await new Promise((resolve) => database.close(resolve));
  });
});
