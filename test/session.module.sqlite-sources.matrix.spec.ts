import { Injectable, type MiddlewareConsumer, Module, type NestMiddleware } from '@nestjs/common';
import { getDataSourceToken, InjectDataSource, InjectEntityManager, TypeOrmModule } from '@nestjs/typeorm';
import { existsSync, symlinkSync } from 'node:fs';
import { SessionEntity, SessionModule, type SessionOptions } from 'nest-sessions';
import { sessionMigrations } from 'nest-sessions/migrations';
import {
  Column,
  type DataSource,
  Entity,
  type EntityManager,
  type EntitySubscriberInterface,
  EventSubscriber,
  type MigrationInterface,
  PrimaryColumn,
} from 'typeorm';
import { onEachDatabase } from './support/databases.js';
import {
  closeApps,
  http,
  KEY,
  logIn,
  RecordingLogger,
  startApp,
  temporaryFolder,
} from './support/nest-app.js';

@Entity()
class Note {
  @PrimaryColumn('int')
  id!: number;

  @Column('text')
  text!: string;
}

@EventSubscriber()
class Watcher implements EntitySubscriberInterface {}

class CreateNotes implements MigrationInterface {
  readonly name = 'CreateNotes1700000000000';
  up = async (): Promise<void> => undefined;
  down = async (): Promise<void> => undefined;
}

@Injectable()
class Reports {
  constructor(@InjectDataSource('web') readonly source: DataSource) {}
}

@Injectable()
class Audit implements NestMiddleware {
  constructor(@InjectDataSource('web') readonly source: DataSource) {}

  use(_request: object, _response: object, next: () => void): void {
    next();
  }
}

@Module({})
class AuditModule {
  configure(consumer: MiddlewareConsumer): void {
    consumer.apply(Audit).forRoutes('audited');
  }
}

@Injectable()
class ReportsByProperty {
  @InjectEntityManager('web')
  readonly manager!: EntityManager;
}

onEachDatabase('`dataSource`', ['sqlite', 'better-sqlite3'], (type) => {
  let folder: ReturnType<typeof temporaryFolder>;
  let logger: RecordingLogger;
  beforeEach(() => {
    folder = temporaryFolder();
    logger = new RecordingLogger();
  });
  afterEach(async () => {
    await closeApps();
    folder.remove();
  });

  const source = (name: string | undefined, file = `${name ?? 'app'}.sqlite`, more: object = {}) =>
    TypeOrmModule.forRoot({
      type: type as 'better-sqlite3',
      name,
      database: file === ':memory:' ? file : folder.path(file),
      retryAttempts: 0,
      ...more,
    });
  const sessions = (dataSource: SessionOptions['dataSource']) =>
    SessionModule.forRoot({ key: KEY, dataSource });
  const web = (more: object = {}) => source('web', undefined, more);
  const theApp = () => source(undefined);

  describe.each<[string, string | undefined, () => object, RegExp | null]>([
    [
      "'default'",
      undefined,
      () => ({ imports: [source(undefined, 'web.sqlite'), sessions('default')] }),
      null,
    ],
    ['the only one of the app', 'web', () => ({ imports: [web(), sessions('web')] }), /the only data source/],
    [
      'the only one of the app, made by forRootAsync',
      'web',
      () => ({
        imports: [
          TypeOrmModule.forRootAsync({
            name: 'web',
            useFactory: () => ({ type: type as 'better-sqlite3', database: folder.path('web.sqlite') }),
          }),
          sessions('web'),
        ],
      }),
      /the only data source/,
    ],
    [
      'one with entities',
      'web',
      () => ({ imports: [theApp(), web({ entities: [Note, SessionEntity] }), sessions('web')] }),
      /it has the entity Note/,
    ],
    [
      'one whose entities come from forFeature, in a module that follows',
      'web',
      () => ({
        imports: [
          theApp(),
          sessions('web'),
          web({ autoLoadEntities: true }),
          TypeOrmModule.forFeature([Note], 'web'),
        ],
      }),
      /it has the entity Note/,
    ],
    [
      'one with subscribers',
      'web',
      () => ({ imports: [theApp(), web({ subscribers: [Watcher] }), sessions('web')] }),
      /it has subscribers/,
    ],
    [
      'one with migrations of the app',
      'web',
      () => ({
        imports: [theApp(), web({ migrations: [CreateNotes, ...sessionMigrations()] }), sessions('web')],
      }),
      /it has migrations of the app/,
    ],
    [
      'one that a provider is given',
      'web',
      () => ({ imports: [theApp(), web(), sessions('web')], providers: [Reports] }),
      /it is injected into Reports/,
    ],
    [
      'one whose manager a provider has as a property',
      'web',
      () => ({ imports: [theApp(), web(), sessions('web')], providers: [ReportsByProperty] }),
      /it is injected into ReportsByProperty/,
    ],
    [
      'one that a middleware is given',
      'web',
      () => ({ imports: [theApp(), web(), sessions('web'), AuditModule] }),
      /it is injected into Audit/,
    ],
    [
      'another one on the file of the app',
      undefined,
      () => ({
        imports: [source(undefined, 'web.sqlite'), source('sessions', 'web.sqlite'), sessions('sessions')],
      }),
      /another data source of the app has the same file/,
    ],
    [
      'options that name the file of the app',
      undefined,
      () => ({
        imports: [source(undefined, 'web.sqlite'), sessions({ type, database: folder.path('web.sqlite') })],
      }),
      /`dataSource` is not for sessions alone: another data source of the app has the same file/,
    ],
  ])('%s', (_, name, setup, reason) => {
    it('shares no transaction with the app: it is served during one, and what was acknowledged survives it', async () => {
      const app = await startApp({ ...setup(), logger });
      const dataSource = app.get<DataSource>(getDataSourceToken(name));
      await dataSource.query('CREATE TABLE counter (value int)');
      const cookie = await logIn(app, 'ada');
      const left = await logIn(app, 'ada');
      const seen: unknown[] = [];
      const transaction = dataSource.transaction(async (manager) => {
        await manager.query('INSERT INTO counter VALUES (1)');
        seen.push((await http(app).get('/theme').set('Cookie', cookie)).body);
        seen.push((await http(app).post('/theme').set('Cookie', cookie).send({ theme: 'dark' })).status);
        const bob = await logIn(app, 'bob');
        seen.push((await http(app).get('/theme').set('Cookie', bob)).body);
        seen.push((await http(app).post('/login').set('Cookie', left).send({ user: 'eve' })).status);
        throw new Error('the app changed its mind');
      });
      await expect(transaction).rejects.toThrow('the app changed its mind');
      expect(seen).toEqual([{ theme: null, userId: 'ada' }, 201, { theme: null, userId: 'bob' }, 201]);
      expect((await http(app).get('/theme').set('Cookie', cookie)).body).toEqual({
        theme: 'dark',
        userId: 'ada',
      });
      expect((await http(app).get('/theme').set('Cookie', left)).body).toEqual({ theme: null, userId: null });
      expect(await dataSource.query('SELECT * FROM counter')).toEqual([]);
      expect(existsSync(folder.path('web.sessions.sqlite'))).toBe(true);
    });

    it(reason ? 'is said in one line, with the reason and the file' : 'needs no word', async () => {
      await startApp({ ...setup(), logger });
      const lines = logger.about('not for sessions alone');
      expect(lines).toHaveLength(reason ? 1 : 0);
      for (const line of lines) {
        expect(line).toMatch(reason ?? /nothing/);
        expect(line).toContain(folder.path('web.sessions.sqlite'));
      }
    });
  });

  it('with `autoLoadEntities`, and none that are loaded, is for sessions alone', async () => {
    await startApp({
      imports: [theApp(), source('own', undefined, { autoLoadEntities: true }), sessions('own')],
    });
    expect(existsSync(folder.path('own.sessions.sqlite'))).toBe(false);
  });

  it('whose table the app reads through SessionEntity is for sessions alone', async () => {
    await startApp({
      imports: [
        theApp(),
        source('own', undefined, { autoLoadEntities: true }),
        TypeOrmModule.forFeature([SessionEntity], 'own'),
        sessions('own'),
      ],
    });
    expect(existsSync(folder.path('own.sessions.sqlite'))).toBe(false);
  });

  it('on a file that a symbolic link leads to is the file of the app', async () => {
    symlinkSync(folder.path('app.sqlite'), folder.path('link.sqlite'));
    await startApp({ imports: [theApp(), source('web', 'link.sqlite'), sessions('web')], logger });
    expect(existsSync(folder.path('link.sessions.sqlite'))).toBe(true);
  });

  it('is judged though a provider is a proxy that answers nothing outside a request', async () => {
    const refuse = () => {
      throw new Error('no request');
    };
    const proxy = { provide: 'proxy', useValue: new Proxy({}, { has: refuse }) };
    await startApp({ imports: [theApp(), source('own'), sessions('own')], providers: [proxy], logger });
    expect(existsSync(folder.path('own.sessions.sqlite'))).toBe(false);
  });

  it('in memory that the app uses too has a database in memory of its own', async () => {
    const app = await startApp({ imports: [source('web', ':memory:'), sessions('web')], logger });
    await logIn(app, 'ada');
    const tables = await app.get<DataSource>(getDataSourceToken('web')).query('SELECT * FROM sqlite_master');
    expect(tables).toEqual([]);
    expect(logger.about('in a database in memory of their own')).toHaveLength(1);
  });

  it.each<[string, () => object]>([
    ['nothing of the app', () => ({})],
    ['SessionEntity', () => ({ entities: [SessionEntity] })],
    ['our migrations', () => ({ migrations: sessionMigrations(), migrationsRun: true })],
  ])('beside the one of the app, with %s, is for sessions alone, and taken as it is', async (_, more) => {
    const app = await startApp({ imports: [theApp(), web(more()), sessions('web')], logger });
    const cookie = await logIn(app, 'ada');
    expect((await http(app).get('/theme').set('Cookie', cookie)).body).toEqual({
      theme: null,
      userId: 'ada',
    });
    const tables: Array<{ name: string }> = await app
      .get<DataSource>(getDataSourceToken('web'))
      .query("SELECT name FROM sqlite_master WHERE name = 'sessions'");
    expect(tables).toEqual([{ name: 'sessions' }]);
    expect(existsSync(folder.path('web.sessions.sqlite'))).toBe(false);
    expect(logger.about('for sessions alone')).toEqual([]);
  });
});
