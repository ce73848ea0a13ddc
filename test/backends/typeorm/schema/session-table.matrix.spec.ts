import { DataSource, type DataSourceOptions } from 'typeorm';
import { SessionEntity } from '../../../../src/backends/typeorm/schema/session.entity.js';
import { TypeOrmSessionBackend } from '../../../../src/backends/typeorm/typeorm-session-backend.js';
import { SessionOptionsError } from '../../../../src/core/session-errors.js';
import { row, store, deleteActive } from '../../../../src/testing/backend-contract/contract-rule.js';
import {
  DATABASE_KINDS,
  onEachDatabase,
  openDatabase,
  type TestDatabase,
} from '../../../support/databases.js';
import { RecordingLogger } from '../../../core/support/open-store.js';
import { OPTIONS } from '../support/open-backend.js';
import { planned } from '../support/planned.js';

const NAMED = { ...OPTIONS, shared: false };

onEachDatabase('the table of sessions', DATABASE_KINDS, (kind) => {
  let database: TestDatabase;
  let sessions: DataSource;
  let backend: TypeOrmSessionBackend;

  beforeEach(async () => {
    database = await openDatabase(kind);
    sessions = await database.open();
    backend = new TypeOrmSessionBackend(sessions, NAMED);
  });
  afterEach(async () => {
    await backend.close();
    await database.drop();
  });

  it('is the one that SessionEntity describes: TypeORM plans no change', async () => {
    await backend.init();
    expect(await planned(await database.open({ entities: [SessionEntity] }))).toEqual([]);
  });

  it('would be planned, were it not there', async () => {
    const plan = await planned(await database.open({ entities: [SessionEntity] }));
    expect(plan.join('\n')).toMatch(/CREATE TABLE \S*sessions/);
  });

  it('survives an app that synchronizes, with SessionEntity registered and without', async () => {
    await backend.init();
    await store(backend, row('a'));
    for (const entities of [[SessionEntity], []]) {
      const app = await database.open({ entities, synchronize: true });
      await app.synchronize();
      expect(await backend.find(['a'])).toEqual([row('a')]);
      expect(await planned(await database.open({ entities: [SessionEntity] }))).toEqual([]);
    }
  });

  it('can be read and searched through SessionEntity', async () => {
    await backend.init();
    const stored = row('a', { tokenUsed: true, userId: 'Zoë' });
    await store(backend, stored, row('b'));
    const repository = (await database.open({ entities: [SessionEntity] })).getRepository(SessionEntity);
    expect(await repository.findOneByOrFail({ userId: 'Zoë' })).toMatchObject(stored);
    expect(await repository.countBy({ id: 'A' })).toBe(0);
  });

  it('is made once by many that start at once, in one process and with pools of their own', async () => {
    const others = Array.from({ length: 4 }, () => new TypeOrmSessionBackend(database.options(), NAMED));
    await Promise.all([backend, ...others, backend].map((each) => each.init()));
    await store(backend, row('a'));
    for (const other of others) {
      expect(await other.find(['a'])).toEqual([row('a')]);
      await other.close();
    }
  });

  async function dropKeyIndex(): Promise<void> {
    const runner = sessions.createQueryRunner();
    const table = await runner.getTable('sessions');
    const index = table?.indices.find(({ columnNames }) => columnNames.join() === 'key_id');
    if (table && index) await runner.dropIndex(table, index);
    await runner.release();
  }

  it('has indexes besides the primary key on nothing that a touch or a save with the same key changes', async () => {
    await backend.init();
    const runner = sessions.createQueryRunner();
    const table = await runner.getTable('sessions');
    await runner.release();
    const indexed = table?.indices.map(({ columnNames }) => columnNames.join()).toSorted();
    expect(indexed).toEqual(['key_id', 'user_id']);
    expect(table?.primaryColumns.map(({ name }) => name)).toEqual(['id']);
  });

  it('is not created when migrations own the schema', async () => {
    const other = new TypeOrmSessionBackend(sessions, { ...NAMED, createTable: false });
    await expect(other.init()).rejects.toThrow(SessionOptionsError);
    await expect(other.init()).rejects.toThrow("'sessions' does not exist, and `createTable` is false");
    await backend.init();
    await other.init();
  });

  it('of other columns is refused, by name, and stays as it is', async () => {
    await sessions.query('CREATE TABLE sessions (id int PRIMARY KEY, json int, user_id int)');
    await sessions.query('INSERT INTO sessions VALUES (1, 2, 3)');
    await expect(backend.init()).rejects.toThrow(SessionOptionsError);
    await expect(backend.init()).rejects.toThrow(/missing columns 'token_hash', .*unexpected columns 'json'/);
    expect(await sessions.query('SELECT * FROM sessions')).toEqual([{ id: 1, json: 2, user_id: 3 }]);
  });

  it('of an earlier version gets the columns and the index of this one, and keeps its rows; the log says so', async () => {
    await backend.init();
    await store(backend, row('a'));
    await dropKeyIndex();
    for (const column of ['token_generation', 'replaced_tokens'])
      await sessions.query(`ALTER TABLE sessions DROP COLUMN ${column}`);
    const logger = new RecordingLogger();
    const others = [1, 2].map(() => new TypeOrmSessionBackend(database.options(), { ...NAMED, logger }));
    await Promise.all(others.map((each) => each.init()));
    for (const other of others) {
      expect(await other.find(['a'])).toEqual([row('a', { tokenGeneration: 0, replacedTokens: '' })]);
      await other.close();
    }
    expect(logger.warnings.filter((line) => line.includes('one of an earlier version'))).toHaveLength(1);
    expect(await planned(await database.open({ entities: [SessionEntity] }))).toEqual([]);
  });

  it('without the index on the id of the key gets it, and keeps its rows', async () => {
    await backend.init();
    await store(backend, row('a'));
    await dropKeyIndex();
    const refusing = new TypeOrmSessionBackend(database.options(), { ...NAMED, createTable: false });
    await expect(refusing.init()).rejects.toThrow('Run the latest of `sessionMigrations()` first');
    await refusing.close();
    const other = new TypeOrmSessionBackend(database.options(), NAMED);
    await other.init();
    expect(await other.find(['a'])).toEqual([row('a')]);
    await other.close();
    expect(await planned(await database.open({ entities: [SessionEntity] }))).toEqual([]);
  });

  it('stands beside others of the same database, which do not meet', async () => {
    const names = ['sessions', 'admin_sessions', 'Order'];
    const backends = names.map((tableName) => new TypeOrmSessionBackend(sessions, { ...NAMED, tableName }));
    for (const each of backends) await each.init();
    for (const [version, each] of backends.entries()) await store(each, row('a', { version }));
    for (const one of backends.slice(0, 1)) await deleteActive(one);
    expect(await backends[0]?.find(['a'])).toEqual([null]);
    expect(await backends[1]?.find(['a'])).toEqual([row('a', { version: 1 })]);
    expect(await backends[2]?.find(['a'])).toEqual([row('a', { version: 2 })]);
  });

  it('keeps a payload of a megabyte', async () => {
    await backend.init();
    const payload = Buffer.alloc(1_048_576, 'sealed');
    await store(backend, row('a', { payload }));
    expect((await backend.find(['a']))[0]?.payload.equals(payload)).toBe(true);
  });
});

onEachDatabase(
  'the table of sessions of an earlier version that somebody else owns',
  ['postgres'],
  (kind) => {
    it('is told of by name, with what to do', async () => {
      const database = await openDatabase(kind);
      const admin = await database.open();
      const owner = new TypeOrmSessionBackend(admin, NAMED);
      await owner.init();
      await admin.query('ALTER TABLE sessions DROP COLUMN token_generation');
      const role = `sessions_guest_${process.pid}`;
      await admin.query(`CREATE ROLE ${role} LOGIN; GRANT ALL ON sessions TO ${role}`);
      const guest = new TypeOrmSessionBackend(
        { ...database.options(), username: role } as DataSourceOptions,
        NAMED,
      );
      await expect(guest.init()).rejects.toThrow(
        /'sessions' is one of an earlier version, and could not be brought up to date: .*owner.*sessionMigrations\(\)/,
      );
      await guest.close();
      await admin.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`);
      await database.drop();
    });
  },
);

onEachDatabase('the table of sessions in a schema that the data source names', ['postgres'], (kind) => {
  it('is made, found and used there', async () => {
    const database = await openDatabase(kind);
    const admin = await database.open();
    await admin.query('CREATE SCHEMA web');
    const backend = new TypeOrmSessionBackend(
      { ...database.options(), schema: 'web' } as DataSourceOptions,
      NAMED,
    );
    await backend.init();
    await backend.init();
    await store(backend, row('a'));
    expect(await admin.query('SELECT id FROM web.sessions')).toEqual([{ id: 'a' }]);
    expect(await backend.find(['a'])).toEqual([row('a')]);
    expect(await planned(await database.open({ entities: [SessionEntity], schema: 'web' }))).toEqual([]);
    await backend.close();
    await database.drop();
  });
});
