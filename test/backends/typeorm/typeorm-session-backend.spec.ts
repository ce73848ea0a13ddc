import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { DataSource, type DataSourceOptions } from 'typeorm';
import { TypeOrmSessionBackend } from '../../../src/backends/typeorm/typeorm-session-backend.js';
import { SessionOptionsError } from '../../../src/core/session-errors.js';
import { NOW, inserting, row, store } from '../../../src/testing/backend-contract/contract-rule.js';
import { FaultyDriver } from './support/faulty-driver.js';
import { OPTIONS, backendIn, sessionsFile } from './support/open-backend.js';
import { removeTempFolders, tempFolder } from './support/temp-folder.js';

afterEach(removeTempFolders);

describe('a TypeOrmSessionBackend', () => {
  it('keeps sessions in a file beside that of the app, and leaves the latter alone', async () => {
    const folder = await tempFolder();
    const backend = backendIn(folder);
    await backend.init();
    await backend.close();
    expect(readdirSync(folder)).toEqual(['app.sessions.sqlite']);
  });

  it('has its rows still after it was closed and opened again', async () => {
    const folder = await tempFolder();
    const first = backendIn(folder);
    await first.init();
    await store(first, row('a'), row('b'));
    await first.close();
    const second = backendIn(folder);
    expect(await second.find(['a', 'x', 'b'])).toEqual([row('a'), null, row('b')]);
    await second.close();
  });

  it('takes nothing over from the app that would act on the sessions', async () => {
    const folder = await tempFolder();
    const first = backendIn(folder);
    await first.init();
    await store(first, row('a'));
    await first.close();
    const dangerous: DataSourceOptions = {
      type: 'sqlite',
      database: join(folder, 'app.sqlite'),
      dropSchema: true,
      synchronize: true,
      migrationsRun: true,
      entityPrefix: 'app_',
      cache: true,
      entities: [join(folder, '*.entity.js')],
      migrations: [join(folder, '*.migration.js')],
      busyErrorRetry: 10,
    };
    const second = new TypeOrmSessionBackend(new DataSource(dangerous), OPTIONS);
    await second.init();
    expect(await second.find(['a'])).toEqual([row('a')]);
    await second.close();
  });

  it('uses a data source that is there for sessions alone as it is, and leaves it open', async () => {
    const folder = await tempFolder();
    const dataSource = new DataSource({ type: 'sqlite', database: join(folder, 'only.sqlite') });
    await dataSource.initialize();
    const backend = new TypeOrmSessionBackend(dataSource, { ...OPTIONS, shared: false });
    await backend.init();
    await store(backend, row('a'));
    await backend.close();
    expect(await dataSource.query('SELECT id FROM sessions')).toEqual([{ id: 'a' }]);
    expect(readdirSync(folder).filter((name) => !/-(wal|shm)$/.test(name))).toEqual(['only.sqlite']);
    await dataSource.destroy();
  });

  it('says that a data source for sessions alone is not open', async () => {
    const dataSource = new DataSource({ type: 'sqlite', database: join(await tempFolder(), 'only.sqlite') });
    const backend = new TypeOrmSessionBackend(dataSource, { ...OPTIONS, shared: false });
    await expect(backend.init()).rejects.toThrow('the data source is not open');
    await dataSource.initialize();
    await backend.init();
    await backend.close();
    await dataSource.destroy();
  });

  it('has a database in memory of its own when the app has one', async () => {
    const app = await new DataSource({ type: 'sqlite', database: ':memory:' }).initialize();
    const backend = new TypeOrmSessionBackend(app, OPTIONS);
    await backend.init();
    await store(backend, row('a'));
    expect(await app.query('SELECT name FROM sqlite_master')).toEqual([]);
    await backend.close();
    await app.destroy();
  });

  it.each(['mssql', 'mongodb', 'cockroachdb', 'sqljs'])(
    'refuses the driver %s, as options, and lists those it supports',
    (type) => {
      const open = () => new TypeOrmSessionBackend({ type } as DataSourceOptions, OPTIONS);
      expect(open).toThrow(SessionOptionsError);
      expect(open).toThrow(`('sqlite', 'better-sqlite3', 'postgres', 'mysql', 'mariadb'), got '${type}'`);
    },
  );

  it('refuses the data source of a driver that it does not support', () => {
    const dataSource = new DataSource({ type: 'cockroachdb', driver: {}, timeTravelQueries: false });
    expect(() => new TypeOrmSessionBackend(dataSource, OPTIONS)).toThrow("'mariadb'), got 'cockroachdb'");
  });

  it.each(['', '1st', 'my table', 'a"b', 'x'.repeat(64), 'sessions;--', 'schema.sessions', 'größe'])(
    'refuses the table name %p',
    async (tableName) => {
      const folder = await tempFolder();
      expect(() => backendIn(folder, { tableName })).toThrow(SessionOptionsError);
      expect(() => backendIn(folder, { tableName })).toThrow('`tableName`: expected letters');
    },
  );

  it('creates no folder, and says which one is missing', async () => {
    const folder = join(await tempFolder(), 'not', 'there');
    const backend = backendIn(folder);
    await expect(backend.init()).rejects.toThrow(
      `Sessions in '${sessionsFile(folder)}': the folder '${folder}' does not exist`,
    );
    await backend.close();
    expect(existsSync(folder)).toBe(false);
  });

  it('rejects every call after close', async () => {
    const backend = backendIn(await tempFolder());
    await backend.init();
    await backend.close();
    await expect(backend.find(['a'])).rejects.toThrow('the backend is closed');
    await expect(backend.insert(inserting(row('a')))).rejects.toThrow('the backend is closed');
  });

  it('ends the calls under way before it closes', async () => {
    const folder = await tempFolder();
    const backend = backendIn(folder);
    await backend.init();
    const inserts = ['a', 'b', 'c'].map((id) => backend.insert(inserting(row(id))));
    await Promise.all(
      [...inserts, backend.close(), backend.close()].map((each) => each.catch(() => undefined)),
    );
    const again = backendIn(folder);
    const stored = (await again.find(['a', 'b', 'c'])).filter((each) => each !== null);
    const told = (await Promise.allSettled(inserts)).filter(({ status }) => status === 'fulfilled');
    expect(stored.length).toBe(told.length);
    await again.close();
  });

  it('has one statement under way at a time, and no other call inside a transaction', async () => {
    const faulty = new FaultyDriver();
    const database = join(await tempFolder(), 'app.sqlite');
    const app = new DataSource({ type: 'sqlite', database, driver: faulty.driver });
    const backend = new TypeOrmSessionBackend(app, OPTIONS);
    await backend.init();
    faulty.statements.length = 0;
    faulty.mostAtOnce = 0;
    await Promise.all(
      Array.from({ length: 50 }, async (_, index) => {
        const insert = backend.insert(inserting(row(`s${index}`), { limit: { max: 3, onLimit: 'evict' } }));
        const reads = [backend.find(['a', 'b', 'c']), backend.keysInUse()];
        await Promise.all([insert, ...reads, backend.delete({ ids: [`s${index - 9}`] })]);
      }),
    );
    expect(faulty.mostAtOnce).toBe(1);
    const transactions = faulty.statements.join('\n').match(/BEGIN IMMEDIATE[^]*?(COMMIT|ROLLBACK)/g) ?? [];
    const steps = faulty.statements.join('\n').match(/SAVEPOINT[^]*?RELEASE/g) ?? [];
    expect(steps.length).toBe(100);
    expect(steps.filter((statements) => statements.includes('SAVEPOINT', 1))).toEqual([]);
    // What waits for the connection is committed together.
    expect(transactions.length).toBeLessThan(10);
    expect(transactions.filter((statements) => /COUNT|json_each/.test(statements))).toEqual([]);
    await backend.close();
  });

  it('takes one statement for changes of one row or several, and one transaction for several of one row', async () => {
    const faulty = new FaultyDriver();
    const database = join(await tempFolder(), 'app.sqlite');
    const app = new DataSource({ type: 'sqlite', database, driver: faulty.driver });
    const backend = new TypeOrmSessionBackend(app, OPTIONS);
    await store(backend, row('a'), row('b'));
    const use = { lastActiveAt: NOW + 1, expiresAt: NOW + 9, now: NOW };
    faulty.statements.length = 0;
    await backend.touch([{ id: 'a', ...use }]);
    expect(faulty.statements.map((sql) => sql.split(' ')[0])).toEqual(['UPDATE']);
    faulty.statements.length = 0;
    await backend.touch([
      { id: 'a', ...use },
      { id: 'b', ...use },
    ]);
    expect(faulty.statements.map((sql) => sql.split(' ')[0])).toEqual(['WITH']);
    faulty.statements.length = 0;
    await backend.touch([
      { id: 'a', ...use },
      { id: 'a', ...use },
    ]);
    expect(faulty.statements.map((sql) => sql.split(' ')[0])).toEqual([
      'BEGIN',
      'UPDATE',
      'UPDATE',
      'COMMIT',
    ]);
    await backend.close();
  });
});
