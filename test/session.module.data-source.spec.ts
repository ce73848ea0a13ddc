import { getDataSourceToken, TypeOrmModule } from '@nestjs/typeorm';
import { SessionModule, type SessionOptions, SessionStore } from 'nest-sessions';
import type { DataSource } from 'typeorm';
import {
  closeApps,
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

  it('may be the only one of the app', async () => {
    const app = await startApp({
      imports: imports({ dataSource: 'sessions' }, { name: 'sessions', database: ':memory:' }),
    });
    await logIn(app, 'ada');
    expect(await app.get(SessionStore).listForUser('ada')).toHaveLength(1);
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

  it('name the table', async () => {
    const app = await startApp({
      imports: imports({ dataSource: 'sessions', tableName: 'web_sessions' }, named),
    });
    expect(await tablesOf(app.get<DataSource>(getDataSourceToken('sessions')))).toEqual(['web_sessions']);
  });

  it('leave the schema to migrations', async () => {
    const error = await startupError({
      imports: imports({ dataSource: 'sessions', createTable: false }, named),
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
        'module, or give `backend`',
    );
  });

  it('that was named, the app does not start, and the error says the name', async () => {
    const error = await startupError({
      imports: imports({ dataSource: 'sesions' }, { database: ':memory:' }),
    });
    expect(error).toBe(
      "SessionOptionsError: `dataSource`: expected the name of a data source, got 'sesions', which no " +
        'TypeOrmModule.forRoot({ name }) defines',
    );
  });
});
