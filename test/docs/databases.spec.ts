import { randomBytes } from 'node:crypto';
import { type INestApplication, Logger, type Type } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { signIn } from 'nest-sessions/testing';
import { onEachDatabase, openDatabase, type TestDatabase } from '../support/databases.js';
import { shownFile } from './compile.js';
import { openWorkplace, type Workplace } from './run.js';

Logger.overrideLogger(false);
const PAGE = 'docs/databases.md';
const silent = { log: () => undefined, warn: () => undefined, error: () => undefined };
const { SESSION_KEY, DATABASE_URL } = process.env;

onEachDatabase('the modules that the page shows', ['postgres'], (kind) => {
  let database: TestDatabase;
  let place: Workplace;
  let app: INestApplication | undefined;

  beforeEach(async () => {
    database = await openDatabase(kind);
    const options = database.options();
    if (options.type !== 'postgres') throw new Error(`Expected PostgreSQL, got ${options.type}`);
    const { host, port, username, password = '', database: name } = options;
    process.env['DATABASE_URL'] = `postgres://${username}:${String(password)}@${host}:${port}/${name}`;
    process.env['SESSION_KEY'] = randomBytes(32).toString('base64url');
  });
  afterEach(async () => {
    await app?.close();
    app = undefined;
    place.close();
    await database.drop();
    Object.assign(process.env, { SESSION_KEY, DATABASE_URL });
  });

  it.each([
    ['app.module.ts', 'AppModule'],
    ['configured-app.module.ts', 'ConfiguredAppModule'],
    ['sessions.module.ts', 'SessionsModule'],
    ['configured-sessions.module.ts', 'ConfiguredSessionsModule'],
  ])('keep sessions in the database of DATABASE_URL: %s', async (file, name) => {
    place = openWorkplace([shownFile(file, PAGE)]);
    const shown = (await place.run(file)) as Record<string, Type>;
    const testing = await Test.createTestingModule({ imports: [shown[name] as Type] })
      .setLogger(silent)
      .compile();
    app = await testing.createNestApplication().init();
    const { session } = await signIn(app, 'ada');
    const rows: unknown = await (await database.open()).query('SELECT id, user_id FROM sessions');
    expect(rows).toEqual([{ id: session.id, user_id: 'ada' }]);
  });
});
