import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { sessionMigrations } from 'nest-sessions/migrations';
import { AbstractLogger, Column, type DataSource, Entity, PrimaryColumn } from 'typeorm';
import { SessionEntity } from '../../../../src/backends/typeorm/schema/session.entity.js';
import { TypeOrmSessionBackend } from '../../../../src/backends/typeorm/typeorm-session-backend.js';
import { SessionOptionsError } from '../../../../src/core/session-errors.js';
import { row, store } from '../../../../src/testing/backend-contract/contract-rule.js';
import {
  DATABASE_KINDS,
  type DatabaseKind,
  onEachDatabase,
  openDatabase,
  type TestDatabase,
} from '../../../support/databases.js';
import { OPTIONS } from '../support/open-backend.js';
import { planned } from '../support/planned.js';

@Entity('note')
class Note {
  @PrimaryColumn('int')
  id!: number;

  @Column('varchar', { length: 20 })
  text!: string;
}

const NAMED = { ...OPTIONS, shared: false };
const databases: TestDatabase[] = [];

/** TypeORM tells the console of a migration that failed, whatever `logging` is. */
class SilentLogger extends AbstractLogger {
  protected override writeLog(): void {}
}

async function newDatabase(kind: DatabaseKind): Promise<TestDatabase> {
  const database = await openDatabase(kind);
  databases.push(database);
  return database;
}

afterEach(async () => {
  for (const database of databases.splice(0)) await database.drop();
});

/** All that the database knows of the table. */
async function schemaOf(dataSource: DataSource): Promise<unknown> {
  const { type } = dataSource.options;
  if (type === 'mariadb') {
    const [table]: Array<Record<string, string>> = await dataSource.query('SHOW CREATE TABLE sessions');
    return table?.['Create Table'];
  }
  if (type !== 'postgres')
    return dataSource.query(
      "SELECT type, name, sql FROM sqlite_master WHERE tbl_name = 'sessions' ORDER BY name",
    );
  return {
    columns: await dataSource.query(
      'SELECT column_name, ordinal_position, data_type, character_maximum_length, is_nullable, column_default, ' +
        "collation_name FROM information_schema.columns WHERE table_name = 'sessions' ORDER BY ordinal_position",
    ),
    indexes: await dataSource.query(
      "SELECT indexdef FROM pg_indexes WHERE tablename = 'sessions' ORDER BY indexname",
    ),
    settings: await dataSource.query("SELECT reloptions FROM pg_class WHERE relname = 'sessions'"),
  };
}

onEachDatabase('the migrations of sessions', DATABASE_KINDS, (kind) => {
  /** A database of which they have made the table. */
  const migrated = async (more: object = {}) => {
    const database = await newDatabase(kind);
    const dataSource = await database.open({ migrations: sessionMigrations(), ...more });
    const ran = await dataSource.runMigrations();
    return { database, dataSource, ran };
  };

  it('make the table that init() makes', async () => {
    const { dataSource, ran } = await migrated();
    expect(ran).toHaveLength(3);
    const other = await (await newDatabase(kind)).open();
    await new TypeOrmSessionBackend(other, NAMED).init();
    const schema = await schemaOf(dataSource);
    expect(JSON.stringify(schema)).toContain('absolute_expires_at');
    expect(schema).toEqual(await schemaOf(other));
  });

  it('are all that `createTable: false` needs', async () => {
    const { dataSource } = await migrated();
    const backend = new TypeOrmSessionBackend(dataSource, { ...NAMED, createTable: false });
    await backend.init();
    await store(backend, row('a'));
    expect(await backend.find(['a'])).toEqual([row('a')]);
  });

  it('leave nothing to plan for SessionEntity', async () => {
    const { database } = await migrated();
    expect(await planned(await database.open({ entities: [SessionEntity] }))).toEqual([]);
  });

  it('live with `synchronize: true`, which drops nothing of theirs, with SessionEntity registered and without', async () => {
    const { database, dataSource } = await migrated();
    const backend = new TypeOrmSessionBackend(dataSource, NAMED);
    await store(backend, row('a'));
    const before = await schemaOf(dataSource);
    for (const entities of [[Note, SessionEntity], [Note]]) {
      const app = await database.open({ entities, synchronize: true });
      await app.getRepository(Note).save({ id: 1, text: 'kept' });
      await app.synchronize();
      expect(await schemaOf(dataSource)).toEqual(before);
      expect(await backend.find(['a'])).toEqual([row('a')]);
    }
  });

  it('can be undone, and done again', async () => {
    const { dataSource, database } = await migrated();
    await dataSource.undoLastMigration();
    const runner = dataSource.createQueryRunner();
    const indexed = async () =>
      (await runner.getTable('sessions'))?.indices.map(({ columnNames }) => columnNames.join()).toSorted();
    expect(await indexed()).toEqual(['user_id']);
    await dataSource.undoLastMigration();
    expect(await runner.hasColumn('sessions', 'token_generation')).toBe(false);
    await dataSource.runMigrations();
    expect(await indexed()).toEqual(['key_id', 'user_id']);
    expect(await planned(await database.open({ entities: [SessionEntity] }))).toEqual([]);
    for (let undone = 0; undone < 3; undone++) await dataSource.undoLastMigration();
    expect(await runner.hasTable('sessions')).toBe(false);
    await runner.release();
    expect(await dataSource.runMigrations()).toHaveLength(3);
    expect(await dataSource.runMigrations()).toHaveLength(0);
  });

  it('take over a table that init() has made, with its sessions', async () => {
    const database = await newDatabase(kind);
    const dataSource = await database.open({ migrations: sessionMigrations() });
    const backend = new TypeOrmSessionBackend(dataSource, NAMED);
    await backend.init();
    await store(backend, row('a'));
    expect(await dataSource.runMigrations()).toHaveLength(3);
    expect(await backend.find(['a'])).toEqual([row('a')]);
  });

  it('refuse a table of that name with other columns, and leave it as it is', async () => {
    const database = await newDatabase(kind);
    const logger = new SilentLogger();
    const dataSource = await database.open({ migrations: sessionMigrations(), logger });
    await dataSource.query('CREATE TABLE sessions (id int PRIMARY KEY, json int)');
    await expect(dataSource.runMigrations()).rejects.toThrow(
      /not a table of sessions: missing columns 'user_id'/,
    );
    expect(await dataSource.query('SELECT id, json FROM sessions')).toEqual([]);
  });

  it('stand side by side for tables of several names', async () => {
    const migrations = ['web_sessions', 'admin_sessions'].flatMap((tableName) =>
      sessionMigrations({ tableName }),
    );
    const { dataSource, ran } = await migrated({ migrations });
    expect(ran.map(({ name }) => name.replace(/\d+$/, ''))).toEqual([
      'NestSessionsCreate_web_sessions_',
      'NestSessionsCreate_admin_sessions_',
      'NestSessionsCountTokens_web_sessions_',
      'NestSessionsCountTokens_admin_sessions_',
      'NestSessionsIndexKeys_web_sessions_',
      'NestSessionsIndexKeys_admin_sessions_',
    ]);
    for (const tableName of ['web_sessions', 'admin_sessions'])
      await new TypeOrmSessionBackend(dataSource, { ...NAMED, tableName, createTable: false }).init();
  });
});

onEachDatabase('the table of version 0.1.0', ['sqlite', 'better-sqlite3'], (kind) => {
  const statements = readFileSync(join(import.meta.dirname, '../support/sessions-0.1.0.sql'), 'utf8')
    .split(';\n')
    .filter((statement) => statement.trim() !== '');

  it.each(['init()', 'the migrations'])('is brought up to date by %s, with its sessions', async (way) => {
    const database = await newDatabase(kind);
    const dataSource = await database.open({ migrations: sessionMigrations() });
    for (const statement of statements) await dataSource.query(statement);
    const backend = new TypeOrmSessionBackend(dataSource, { ...NAMED, createTable: way === 'init()' });
    if (way === 'the migrations') await dataSource.runMigrations();
    await backend.init();
    expect(await backend.find(['01J0000000000000000000000A'])).toMatchObject([
      {
        userId: 'ada',
        tokenUsed: true,
        tokenGeneration: 0,
        replacedTokens: '',
        version: 3,
        payload: Buffer.from('sealed by 0.1.0'),
      },
    ]);
    const other = await (await newDatabase(kind)).open();
    await new TypeOrmSessionBackend(other, NAMED).init();
    expect(await schemaOf(dataSource)).toEqual(await schemaOf(other));
    expect(await planned(await database.open({ entities: [SessionEntity] }))).toEqual([]);
  });
});

describe('sessionMigrations', () => {
  it('refuses a table name that the module would refuse', () => {
    expect(() => sessionMigrations({ tableName: 'a b' })).toThrow(SessionOptionsError);
  });
});
