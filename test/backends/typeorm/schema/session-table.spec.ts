import { DataSource } from 'typeorm';
import { COLUMN_NAMES } from '../../../../src/backends/typeorm/schema/columns.js';
import { SessionEntity } from '../../../../src/backends/typeorm/schema/session.entity.js';
import { SessionOptionsError } from '../../../../src/core/session-errors.js';
import { row, store } from '../../../../src/testing/backend-contract/contract-rule.js';
import { OPTIONS, backendIn, sessionsFile } from '../support/open-backend.js';
import { removeTempFolders, tempFolder } from '../support/temp-folder.js';
import { TypeOrmSessionBackend } from '../../../../src/backends/typeorm/typeorm-session-backend.js';

const open: DataSource[] = [];

/** A data source on a file, closed after the test. */
async function dataSourceOn(database: string, options: object = {}): Promise<DataSource> {
  const dataSource = await new DataSource({ type: 'sqlite', database, ...options }).initialize();
  open.push(dataSource);
  return dataSource;
}

afterEach(async () => {
  await Promise.all(open.splice(0).map((dataSource) => dataSource.destroy()));
  await removeTempFolders();
});

describe('the table that init() creates', () => {
  it('has the columns of SessionEntity, in the order the statements name them, what scans read before the payload', async () => {
    const dataSource = await dataSourceOn(':memory:', { entities: [SessionEntity] });
    const columns = dataSource.getMetadata(SessionEntity).columns.map(({ databaseName }) => databaseName);
    expect(columns).toEqual(COLUMN_NAMES);
    expect(columns.slice(columns.indexOf('payload'))).toEqual([
      'payload',
      'token_generation',
      'replaced_tokens',
    ]);
  });

  it('can stand beside another one in the same file', async () => {
    const folder = await tempFolder();
    const backends = ['sessions', 'admin_sessions', 'Group'].map((tableName) =>
      backendIn(folder, { tableName }),
    );
    for (const backend of backends) await backend.init();
    for (const [index, backend] of backends.entries()) await store(backend, row('a', { version: index }));
    for (const [index, backend] of backends.entries()) {
      expect(await backend.find(['a'])).toEqual([row('a', { version: index })]);
      await backend.close();
    }
    const dataSource = await dataSourceOn(sessionsFile(folder));
    const names = await dataSource.query(`SELECT name FROM sqlite_master WHERE sql LIKE 'CREATE INDEX%'`);
    expect(new Set(names.map(({ name }: { name: string }) => name)).size).toBe(6); // two of each
  });

  it('is not created, nor is its file, when migrations own the schema and no file is there', async () => {
    const folder = await tempFolder();
    const backend = backendIn(folder, { createTable: false });
    await expect(backend.init()).rejects.toThrow('the file does not exist, and `createTable` is false');
    await backend.close();
  });
});

describe('a table of an earlier version', () => {
  it('is refused where migrations own the schema, until they have run', async () => {
    const dataSource = await dataSourceOn(':memory:');
    const named = { ...OPTIONS, shared: false };
    await new TypeOrmSessionBackend(dataSource, named).init();
    for (const column of ['token_generation', 'replaced_tokens'])
      await dataSource.query(`ALTER TABLE sessions DROP COLUMN ${column}`);
    const backend = new TypeOrmSessionBackend(dataSource, { ...named, createTable: false });
    await expect(backend.init()).rejects.toThrow(SessionOptionsError);
    await expect(backend.init()).rejects.toThrow(
      /an earlier version, and `createTable` is false.*sessionMigrations\(\)/,
    );
  });
});

describe('a table of the configured name that is not ours', () => {
  it('is refused, by its missing and unexpected columns, and stays as it is', async () => {
    const dataSource = await dataSourceOn(':memory:');
    await dataSource.query('CREATE TABLE sessions (id TEXT PRIMARY KEY, json TEXT, expiredAt INTEGER)');
    const columns = await dataSource.query('PRAGMA table_info(sessions)');
    const backend = new TypeOrmSessionBackend(dataSource, { ...OPTIONS, shared: false });
    await expect(backend.init()).rejects.toThrow(SessionOptionsError);
    await expect(backend.init()).rejects.toThrow(
      /missing columns 'user_id', 'token_hash'.*; unexpected columns 'json', 'expiredAt'.*`tableName`/,
    );
    expect(await dataSource.query('PRAGMA table_info(sessions)')).toEqual(columns);
  });

  it('is refused when it only lacks or only adds a column', async () => {
    const dataSource = await dataSourceOn(':memory:');
    const backend = new TypeOrmSessionBackend(dataSource, { ...OPTIONS, shared: false });
    await backend.init();
    await dataSource.query('ALTER TABLE sessions ADD COLUMN color TEXT');
    await expect(backend.init()).rejects.toThrow("not a table of sessions: unexpected columns 'color'.");
    await dataSource.query('ALTER TABLE sessions DROP COLUMN color');
    await dataSource.query('ALTER TABLE sessions DROP COLUMN version');
    await expect(backend.init()).rejects.toThrow("not a table of sessions: missing columns 'version'.");
  });
});
