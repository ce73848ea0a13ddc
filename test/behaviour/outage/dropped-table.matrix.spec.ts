import { TypeOrmModule, type TypeOrmModuleOptions } from '@nestjs/typeorm';
import { SessionModule } from 'nest-sessions';
import { DataSource } from 'typeorm';
import { onEachDatabase, openDatabase, SERVER_KINDS, type TestDatabase } from '../../support/databases.js';
import { closeApps, http, KEY, logIn, RecordingLogger, startApp } from '../../support/nest-app.js';

onEachDatabase('an app whose tests clear the database before each of them', SERVER_KINDS, (kind) => {
  let database: TestDatabase;

  beforeEach(async () => {
    database = await openDatabase(kind);
  });
  afterEach(async () => {
    await closeApps();
    await database.drop();
  });

  it.each([
    ['synchronize(true)', (dataSource: DataSource) => dataSource.synchronize(true)],
    ['dropDatabase()', (dataSource: DataSource) => dataSource.dropDatabase()],
  ])(
    'with `%s`: nobody is signed in afterwards, everybody can sign in, and nothing is 503',
    async (_name, clear) => {
      const logger = new RecordingLogger();
      const options = { ...database.options(), retryAttempts: 0 } as TypeOrmModuleOptions;
      const app = await startApp({
        logger,
        imports: [TypeOrmModule.forRoot(options), SessionModule.forRoot({ key: KEY })],
      });
      for (let round = 0; round < 3; round++) {
        const cookie = await logIn(app, 'ada');
        const before = await http(app).get('/theme').set('Cookie', cookie).expect(200);
        expect(before.body).toEqual({ theme: null, userId: 'ada' });
        await clear(app.get(DataSource));
        const after = await Promise.all(
          Array.from({ length: 5 }, () => http(app).get('/theme').set('Cookie', cookie)),
        );
        expect(after.map(({ status, body }) => [status, body])).toEqual(
          after.map(() => [200, { theme: null, userId: null }]),
        );
      }
      expect(logger.about('Session storage fails')).toEqual([]);
      expect(logger.about("the table 'sessions' was missing")).toHaveLength(3);
    },
  );
});
