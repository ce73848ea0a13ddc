import { getDataSourceToken, TypeOrmModule } from '@nestjs/typeorm';
import { SessionModule, type SessionOptions, SessionStore } from 'nest-sessions';
import type { DataSource, DataSourceOptions } from 'typeorm';
import {
  closeApps,
  http,
  KEY,
  logIn,
  sqlite,
  startApp,
  startupError,
  temporaryFolder,
} from './support/nest-app.js';
import { existsSync } from 'node:fs';

const folder = temporaryFolder();

afterEach(closeApps);
afterAll(folder.remove);

function imports(options: Partial<SessionOptions>, ...databases: Array<{ name?: string; database: string }>) {
  const sources = databases.map(({ name, database }) => TypeOrmModule.forRoot({ ...sqlite(database), name }));
  return [...sources, SessionModule.forRoot({ key: KEY, ...options })];
}

const tablesOf = async (source: DataSource): Promise<string[]> =>
  (await source.query<Array<{ name: string }>>("SELECT name FROM sqlite_master WHERE type = 'table'")).map(
    ({ name }) => name,
  );

describe('the `dataSource` option', () => {
  it('is not needed: the default data source gets a file for sessions beside its own', async () => {
    const app = await startApp({ imports: imports({}, { database: folder.path('app.sqlite') }) });
    await logIn(app, 'ada');
    expect(existsSync(folder.path('app.sessions.sqlite'))).toBe(true);
    expect(await tablesOf(app.get<DataSource>(getDataSourceToken()))).toEqual([]);
  });

  it('names a data source that is taken as it is', async () => {
    const named = { name: 'sessions', database: folder.path('named.sqlite') };
    const app = await startApp({
      imports: imports({ dataSource: 'sessions' }, { database: folder.path('main.sqlite') }, named),
    });
    await logIn(app, 'ada');
    expect(await tablesOf(app.get<DataSource>(getDataSourceToken('sessions')))).toEqual(['sessions']);
    expect(existsSync(folder.path('named.sessions.sqlite'))).toBe(false);
    expect(existsSync(folder.path('main.sessions.sqlite'))).toBe(false);
  });

  it('may be the only one of the app, which gets a file for sessions beside its own', async () => {
    const only = { name: 'web', database: folder.path('web.sqlite') };
    const app = await startApp({ imports: imports({ dataSource: 'web' }, only) });
    await logIn(app, 'ada');
    expect(await app.get(SessionStore).listForUser('ada')).toHaveLength(1);
    expect(existsSync(folder.path('web.sessions.sqlite'))).toBe(true);
  });

  it('does not depend on which module is imported first', async () => {
    const modules = imports({}, { database: ':memory:' }).toReversed();
    const app = await startApp({ imports: modules });
    await logIn(app, 'ada');
    expect(await app.get(SessionStore).listForUser('ada')).toHaveLength(1);
  });
});

describe('`tableName` and `createTable`', () => {
  const named = { name: 'sessions', database: ':memory:' };
  const main = { database: ':memory:' };

  it('name the table', async () => {
    const app = await startApp({
      imports: imports({ dataSource: 'sessions', tableName: 'web_sessions' }, main, named),
    });
    expect(await tablesOf(app.get<DataSource>(getDataSourceToken('sessions')))).toEqual(['web_sessions']);
  });

  it('leave the schema to migrations', async () => {
    const error = await startupError({
      imports: imports({ dataSource: 'sessions', createTable: false }, main, named),
    });
    expect(error).toMatch(
      /^SessionOptionsError: The table 'sessions' does not exist, and `createTable` is false/,
    );
  });
});

describe('without the data source', () => {
  it('the app does not start, and the error says what to import', async () => {
    expect(await startupError({ imports: [SessionModule.forRoot({ key: KEY })] })).toBe(
      'SessionOptionsError: Expected a TypeORM data source, got none: import TypeOrmModule.forRoot() in the root ' +
        'module, name another data source in `dataSource` (one that the app uses too will do), or give its options ' +
        'there, or give `backend`. There is none',
    );
  });

  it('that was named, the app does not start, and the error says the name and those there are', async () => {
    const error = await startupError({
      imports: imports(
        { dataSource: 'sesions' },
        { database: ':memory:' },
        { name: 'sessions', database: ':memory:' },
      ),
    });
    expect(error).toBe(
      "SessionOptionsError: `dataSource`: expected the name of a data source, got 'sesions', which no " +
        "TypeOrmModule.forRoot({ name }) defines. There is the default one, 'sessions'",
    );
  });

  it.each(['mssql', 'mongodb', 'cockroachdb'])(
    'of a driver that is not supported, %s, the app does not start',
    async (type) => {
      const dataSource = { type, url: 'x://y/z' } as DataSourceOptions;
      expect(await startupError({ imports: [SessionModule.forRoot({ key: KEY, dataSource })] })).toMatch(
        `\`dataSource\`: expected a TypeORM driver that sessions support ('sqlite', 'better-sqlite3', 'postgres', 'mysql', 'mariadb'), got '${type}'`,
      );
    },
  );

  it.each([7, null, true])('but %p, the app does not start', async (dataSource) => {
    const options = { key: KEY, dataSource } as unknown as SessionOptions;
    expect(() => SessionModule.forRoot(options)).toThrow(
      `\`dataSource\`: expected the name or the options of a TypeORM data source, got ${dataSource}`,
    );
  });

  it.each<[string, object, RegExp]>([
    ['lack the file', { type: 'better-sqlite3' }, /^`dataSource.database`: expected a file, got undefined/],
    [
      'say nothing of where the database is',
      { type: 'postgres', url: process.env['NO_SUCH_VARIABLE'] },
      /^`dataSource.url`: expected a URL, got undefined\. The usual cause is a variable such as process.env.DATABASE_URL/,
    ],
    [
      'cannot be read',
      { type: 'postgres', url: 'postgres://ada:100%@db/app' },
      /^`dataSource`: expected options that TypeORM takes, got: URI malformed$/,
    ],
  ])('whose options %s, the app does not start', async (_, options, message) => {
    const dataSource = options as DataSourceOptions;
    const error = await startupError({ imports: [SessionModule.forRoot({ key: KEY, dataSource })] });
    expect(error.replace('SessionOptionsError: ', '')).toMatch(message);
  });
});

describe('`dataSource` as options', () => {
  it('has a file as it is named, in an app that has no TypeOrmModule, open while the app runs', async () => {
    const database = folder.path('options.sqlite');
    const setup = {
      imports: [SessionModule.forRoot({ key: KEY, dataSource: { type: 'sqlite', database } })],
    };
    const app = await startApp(setup);
    const cookie = await logIn(app, 'ada');
    await app.close();
    const again = await startApp(setup);
    const { body } = await http(again).get('/theme').set('Cookie', cookie);
    expect(body).toEqual({ theme: null, userId: 'ada' });
    expect(existsSync(folder.path('options.sessions.sqlite'))).toBe(false);
  });
});
