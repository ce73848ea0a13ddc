import pg from 'pg';
import { TypeOrmSessionBackend } from '../../../../src/backends/typeorm/typeorm-session-backend.js';
import { row, store } from '../../../../src/testing/backend-contract/contract-rule.js';
import { describeSessionBackend } from '../../../../src/testing/describe-session-backend.js';
import { onEachDatabase, openDatabase, type TestDatabase } from '../../../support/databases.js';
import { OPTIONS } from '../support/open-backend.js';

/** What is used of a connection of `better-sqlite3`. */
interface Connection {
  defaultSafeIntegers(isOn: boolean): void;
  pragma(pragma: string): unknown;
}

onEachDatabase('a driver that makes every integer a BigInt', ['better-sqlite3'], (kind) => {
  const prepareDatabase = (connection: Connection) => connection.defaultSafeIntegers(true);
  let databases: TestDatabase[] = [];
  const open = async () => {
    const database = await openDatabase(kind);
    databases.push(database);
    return database;
  };
  afterEach(async () => {
    await Promise.all(databases.map((database) => database.drop()));
    databases = [];
  });

  describeSessionBackend('a file beside the app', async () => {
    const app = await (await open()).open({ prepareDatabase });
    return [new TypeOrmSessionBackend(app, OPTIONS), new TypeOrmSessionBackend(app, OPTIONS)];
  });

  describeSessionBackend('a data source for sessions alone', async () => {
    const backend = new TypeOrmSessionBackend(await (await open()).open({ prepareDatabase }), {
      ...OPTIONS,
      shared: false,
    });
    return [backend, backend];
  });

  describeSessionBackend('options', async () => {
    const options = { ...(await open()).options(), prepareDatabase } as never;
    return [new TypeOrmSessionBackend(options, OPTIONS), new TypeOrmSessionBackend(options, OPTIONS)];
  });

  it('is left to the app as it was', async () => {
    const app = await (await open()).open({ prepareDatabase });
    const backend = new TypeOrmSessionBackend(app, { ...OPTIONS, shared: false });
    await store(backend, row('a'));
    expect(await app.query('SELECT version FROM sessions')).toEqual([{ version: 1n }]);
    await backend.close();
  });
});

onEachDatabase('a connection that the app has prepared otherwise', ['better-sqlite3'], (kind) => {
  it.each(['journal_mode = DELETE', 'synchronous = OFF', 'foreign_keys = ON', 'case_sensitive_like = ON'])(
    'by `PRAGMA %s` is made fit for sessions',
    async (pragma) => {
      const database = await openDatabase(kind);
      const prepareDatabase = (connection: Connection) => connection.pragma(pragma);
      const app = await database.open({ prepareDatabase });
      const backend = new TypeOrmSessionBackend(app, OPTIONS);
      await store(backend, row('a'), row('b', { tokenUsed: true, userId: null }));
      expect(await backend.find(['b', 'a'])).toEqual([row('b', { tokenUsed: true, userId: null }), row('a')]);
      await backend.close();
      await database.drop();
    },
  );
});

/** OIDs of PostgreSQL's types. */
const OIDS = { bool: 16, bytea: 17, int8: 20 };

onEachDatabase('type parsers that the app has set for the whole process', ['postgres'], (kind) => {
  const asStored = (value: string) => value;

  describe.each([
    ['int8 to BigInt', 'int8', BigInt],
    ['int8 to a number', 'int8', Number],
    ['booleans as they come', 'bool', asStored],
    ['bytes as they come', 'bytea', asStored],
  ] as const)('%s', (_, type, parser) => {
    let database: TestDatabase;
    let tables = 0;
    const before = pg.types.getTypeParser(OIDS[type]);
    beforeAll(async () => {
      database = await openDatabase(kind);
      pg.types.setTypeParser(OIDS[type], parser);
    });
    afterAll(async () => {
      pg.types.setTypeParser(OIDS[type], before);
      await database.drop();
    });

    it('are in force', async () => {
      const value = { int8: '7::int8', bool: 'false', bytea: `'\\x00'::bytea` }[type];
      const [{ got }] = await (await database.open()).query(`SELECT ${value} AS got`);
      expect(got).toEqual(parser({ int8: '7', bool: 'f', bytea: '\\x00' }[type]));
    });

    describeSessionBackend('the pool', () => {
      const table = { ...OPTIONS, tableName: `s${++tables}` };
      const openOne = () => new TypeOrmSessionBackend(database.options(), table);
      return [openOne(), openOne()];
    });
  });
});

onEachDatabase('settings of the driver', ['mariadb'], (kind) => {
  /** What `mysql2` tells of a value. */
  interface Field {
    readonly type: string;
    readonly length: number;
    string(): string | null;
  }

  describe.each([
    ['`bigNumberStrings`', { supportBigNumbers: true, bigNumberStrings: true }],
    ['no `supportBigNumbers`', { supportBigNumbers: false, bigNumberStrings: false }],
    ['`dateStrings`', { dateStrings: true }],
    [
      '`typeCast` that keeps numbers as text',
      {
        extra: {
          typeCast: (field: Field, next: () => unknown) =>
            field.type === 'TINY' || field.type === 'LONGLONG' ? field.string() : next(),
        },
      },
    ],
    [
      '`typeCast` that makes booleans',
      {
        extra: {
          typeCast: (field: Field, next: () => unknown) =>
            field.type === 'TINY' && field.length === 1 ? field.string() === '1' : next(),
        },
      },
    ],
  ])('%s', (_, settings) => {
    let database: TestDatabase;
    let tables = 0;
    beforeAll(async () => {
      database = await openDatabase(kind);
    });
    afterAll(() => database.drop());

    describeSessionBackend('the pool', () => {
      const options = { ...database.options(), ...settings } as never;
      const table = { ...OPTIONS, tableName: `s${++tables}` };
      return [new TypeOrmSessionBackend(options, table), new TypeOrmSessionBackend(options, table)];
    });
  });
});
