import { join } from 'node:path';
import { Column, DataSource, Entity, PrimaryColumn, type EntityMetadata } from 'typeorm';
import { COLUMNS } from '../../../src/backends/typeorm/session-row-mapping.js';
import { SessionEntity } from '../../../src/backends/typeorm/session.entity.js';
import { SessionOptionsError } from '../../../src/core/session-errors.js';
import { row, store } from '../../../src/testing/backend-contract/contract-rule.js';
import { OPTIONS, backendIn, sessionsFile } from './support/open-backend.js';
import { removeTempFolders, tempFolder } from './support/temp-folder.js';
import { TypeOrmSessionBackend } from '../../../src/backends/typeorm/typeorm-session-backend.js';

@Entity('note')
class Note {
  @PrimaryColumn('integer')
  id!: number;

  @Column('text')
  text!: string;
}

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

/** What TypeORM would do to the database to make it fit the entities. */
async function planned(dataSource: DataSource): Promise<string[]> {
  const { upQueries } = await dataSource.driver.createSchemaBuilder().log();
  return upQueries.map(({ query }) => query);
}

const setSynchronize = (metadata: EntityMetadata, synchronize: boolean) =>
  Object.assign(metadata, { synchronize });

describe('the table that init() creates', () => {
  it('is the one that SessionEntity describes: TypeORM plans no change', async () => {
    const folder = await tempFolder();
    const backend = backendIn(folder);
    await backend.init();
    await backend.close();
    const dataSource = await dataSourceOn(sessionsFile(folder), { entities: [SessionEntity] });
    setSynchronize(dataSource.getMetadata(SessionEntity), true);
    expect(await planned(dataSource)).toEqual([]);
  });

  it('would be planned, were it not there', async () => {
    const dataSource = await dataSourceOn(':memory:', { entities: [SessionEntity] });
    expect(await planned(dataSource)).toEqual([]);
    setSynchronize(dataSource.getMetadata(SessionEntity), true);
    expect(await planned(dataSource)).toEqual([
      expect.stringMatching(/^CREATE TABLE "sessions"/),
      expect.stringMatching(/^CREATE INDEX/),
    ]);
  });

  it('survives an app that synchronizes, with SessionEntity registered and without', async () => {
    const database = join(await tempFolder(), 'app.sqlite');
    for (const entities of [[Note, SessionEntity], [Note]]) {
      const sessions = await dataSourceOn(database);
      const backend = new TypeOrmSessionBackend(sessions, { ...OPTIONS, shared: false });
      await backend.init();
      await backend.delete('all');
      await store(backend, row('a'));
      const schema = () =>
        sessions.query(`SELECT sql FROM sqlite_master WHERE tbl_name = 'sessions' ORDER BY name`);
      const before = await schema();
      const app = await dataSourceOn(database, { entities, synchronize: true });
      await app.synchronize();
      expect(await schema()).toEqual(before);
      expect(await backend.find(['a'])).toEqual([row('a')]);
    }
  });

  it('has the columns of SessionEntity, in the order the statements name them, the payload last', async () => {
    const dataSource = await dataSourceOn(':memory:', { entities: [SessionEntity] });
    const columns = dataSource.getMetadata(SessionEntity).columns.map(({ databaseName }) => databaseName);
    expect(columns).toEqual([...COLUMNS]);
    expect(columns.at(-1)).toBe('payload');
  });

  it('can be read through SessionEntity', async () => {
    const folder = await tempFolder();
    const backend = backendIn(folder);
    await store(backend, row('a', { tokenUsed: true }));
    await backend.close();
    const dataSource = await dataSourceOn(sessionsFile(folder), { entities: [SessionEntity] });
    const found = await dataSource.getRepository(SessionEntity).findOneByOrFail({ id: 'a' });
    expect(found).toMatchObject(row('a', { tokenUsed: true }));
  });

  it('has an index besides the primary key on nothing that changes', async () => {
    const folder = await tempFolder();
    const backend = backendIn(folder);
    await backend.init();
    await backend.close();
    const dataSource = await dataSourceOn(sessionsFile(folder));
    const table = await dataSource.createQueryRunner().getTable('sessions');
    expect(table?.indices.map(({ columnNames }) => columnNames)).toEqual([['user_id']]);
    expect(table?.primaryColumns.map(({ name }) => name)).toEqual(['id']);
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
    expect(new Set(names.map(({ name }: { name: string }) => name)).size).toBe(3);
  });

  it('is not created when migrations own the schema', async () => {
    const folder = await tempFolder();
    const dataSource = await dataSourceOn(join(folder, 'only.sqlite'));
    const backend = new TypeOrmSessionBackend(dataSource, { ...OPTIONS, shared: false, createTable: false });
    await expect(backend.init()).rejects.toThrow(SessionOptionsError);
    await expect(backend.init()).rejects.toThrow("'sessions' does not exist, and `createTable` is false");
    expect(await dataSource.query('SELECT name FROM sqlite_master')).toEqual([]);
    const owner = new TypeOrmSessionBackend(dataSource, { ...OPTIONS, shared: false });
    await owner.init();
    await backend.init();
    await store(backend, row('a'));
  });

  it('is not created, nor is its file, when migrations own the schema and no file is there', async () => {
    const folder = await tempFolder();
    const backend = backendIn(folder, { createTable: false });
    await expect(backend.init()).rejects.toThrow('the file does not exist, and `createTable` is false');
    await backend.close();
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
