import { Injectable, Module } from '@nestjs/common';
import { ConfigModule, ConfigService } from '@nestjs/config';
import { getDataSourceToken, TypeOrmModule } from '@nestjs/typeorm';
import { existsSync } from 'node:fs';
import type { DataSource } from 'typeorm';
import {
  SessionModule,
  type SessionAsyncOptions,
  type SessionSettings,
  type SessionSettingsFactory,
  SessionStore,
} from 'nest-sessions';
import { MemorySessionBackend } from 'nest-sessions/testing';
import {
  closeApps,
  http,
  KEY,
  logIn,
  PLATFORMS,
  sqlite,
  startApp,
  startupError,
  temporaryFolder,
} from './support/nest-app.js';

const folder = temporaryFolder();

/** What the environment of the app says. */
const ENVIRONMENT = {
  SESSION_KEY: KEY.toString('base64url'),
  SESSION_LIMIT: '3',
  SESSION_FILE: folder.path('of-config.sqlite'),
};
const configModule = () => ConfigModule.forRoot({ ignoreEnvFile: true, load: [() => ENVIRONMENT] });

@Injectable()
class SettingsFactory implements SessionSettingsFactory {
  static made = 0;

  constructor(readonly config: ConfigService) {
    SettingsFactory.made++;
  }

  async createSessionOptions(): Promise<SessionSettings> {
    await Promise.resolve();
    return { key: this.config.getOrThrow('SESSION_KEY'), maxPerUser: 4 };
  }
}

@Module({ imports: [ConfigModule], providers: [SettingsFactory], exports: [SettingsFactory] })
class SettingsModule {}

const backend = MemorySessionBackend;

async function limitOf(options: SessionAsyncOptions): Promise<number | false> {
  const app = await startApp({ imports: [configModule(), SessionModule.forRootAsync(options)] });
  await logIn(app, 'ada');
  return app.get(SessionStore).config.maxPerUser;
}

/** A data source that takes its time: the app goes on with other modules meanwhile. */
const later = <T extends { readonly name: string }>(options: T) => ({
  name: options.name,
  useFactory: async () => {
    await new Promise((resolve) => setImmediate(resolve));
    return options;
  },
});

beforeEach(() => (SettingsFactory.made = 0));
afterEach(closeApps);
afterAll(folder.remove);

describe('SessionModule.forRootAsync', () => {
  it('takes settings from a factory with what it injects, in order', async () => {
    expect(
      await limitOf({
        imports: [ConfigModule, SettingsModule],
        inject: [ConfigService, SettingsFactory],
        useFactory: async (values: ConfigService, factory: SettingsFactory) => ({
          ...(await factory.createSessionOptions()),
          maxPerUser: Number(values.getOrThrow('SESSION_LIMIT')),
        }),
        backend,
      }),
    ).toBe(3);
  });

  it('takes settings from a factory that injects nothing', async () => {
    expect(await limitOf({ useFactory: () => ({ plaintext: true, maxPerUser: 7 }), backend })).toBe(7);
  });

  it('gives an optional dependency that is missing as undefined', async () => {
    const useFactory = (missing?: string) => ({ key: KEY, maxPerUser: missing === undefined ? 8 : 9 });
    expect(await limitOf({ inject: [{ token: 'MISSING', optional: true }], useFactory, backend })).toBe(8);
  });

  it('takes settings from a class that it makes itself', async () => {
    expect(await limitOf({ imports: [ConfigModule], useClass: SettingsFactory, backend })).toBe(4);
    expect(SettingsFactory.made).toBe(1);
  });

  it('takes settings from an instance that another module has made', async () => {
    expect(await limitOf({ imports: [SettingsModule], useExisting: SettingsFactory, backend })).toBe(4);
    expect(SettingsFactory.made).toBe(1);
  });

  it('works on the data source of the app, and with structure beside the factory', async () => {
    const app = await startApp({
      imports: [
        TypeOrmModule.forRoot(sqlite()),
        TypeOrmModule.forRoot({ ...sqlite(), name: 'sessions' }),
        SessionModule.forRootAsync({ useFactory: () => ({ key: KEY }), dataSource: 'sessions' }),
      ],
    });
    await logIn(app, 'ada');
    expect(await app.get(SessionStore).listForUser('ada')).toHaveLength(1);
  });
});

describe('`dataSource` from the factory of SessionModule.forRootAsync', () => {
  const withSource = (dataSource: (values: ConfigService) => SessionSettings['dataSource']) =>
    SessionModule.forRootAsync({
      imports: [ConfigModule],
      inject: [ConfigService],
      useFactory: (values: ConfigService) => ({
        key: values.getOrThrow('SESSION_KEY'),
        dataSource: dataSource(values),
      }),
    });
  const tablesOf = (source: DataSource) =>
    source.query<unknown[]>("SELECT name FROM sqlite_master WHERE type = 'table'");

  it.each(PLATFORMS)('as options is opened with what ConfigService says, on %s', async (platform) => {
    const setup = {
      platform,
      imports: [
        configModule(),
        withSource((values) => ({ type: 'sqlite', database: values.getOrThrow<string>('SESSION_FILE') })),
      ],
    };
    const app = await startApp(setup);
    const cookie = await logIn(app, 'ada');
    await app.close();
    expect(existsSync(ENVIRONMENT.SESSION_FILE)).toBe(true);
    const again = await startApp(setup);
    expect((await http(again).get('/theme').set('Cookie', cookie)).body).toMatchObject({ userId: 'ada' });
  });

  it('as options leaves the data source of the app alone', async () => {
    const app = await startApp({
      imports: [
        configModule(),
        TypeOrmModule.forRoot(sqlite(folder.path('app.sqlite'))),
        withSource(() => ({ type: 'sqlite', database: folder.path('apart.sqlite') })),
      ],
    });
    await logIn(app, 'ada');
    expect(existsSync(folder.path('apart.sqlite'))).toBe(true);
    expect(existsSync(folder.path('app.sessions.sqlite'))).toBe(false);
    expect(await tablesOf(app.get<DataSource>(getDataSourceToken()))).toEqual([]);
  });

  it.each(['before', 'behind'])(
    'as a name is that data source, whose module is imported %s',
    async (place) => {
      const [main, named] = [sqlite(), { ...sqlite(folder.path(`${place}.sqlite`)), name: 'sessions' }];
      const sources = [TypeOrmModule.forRoot(main), TypeOrmModule.forRootAsync(later(named))];
      const sessions = withSource(() => 'sessions');
      const app = await startApp({
        imports: [configModule(), ...(place === 'before' ? [...sources, sessions] : [sessions, ...sources])],
      });
      await logIn(app, 'ada');
      expect(await tablesOf(app.get<DataSource>(getDataSourceToken('sessions')))).toEqual([
        { name: 'sessions' },
      ]);
    },
  );

  it('as `default` and as nothing is the data source of the app, with a file beside its own', async () => {
    for (const dataSource of ['default', undefined]) {
      const file = folder.path(`${dataSource}.sqlite`);
      const app = await startApp({
        imports: [configModule(), TypeOrmModule.forRoot(sqlite(file)), withSource(() => dataSource)],
      });
      await logIn(app, 'ada');
      expect(existsSync(folder.path(`${dataSource}.sessions.sqlite`))).toBe(true);
    }
  });

  it('as a name that no data source has, does not start the app, and says which there are', async () => {
    expect(
      await startupError({
        imports: [configModule(), TypeOrmModule.forRoot(sqlite()), withSource(() => 'sesions')],
      }),
    ).toBe(
      "SessionOptionsError: `dataSource`: expected the name of a data source, got 'sesions', which no " +
        'TypeOrmModule.forRoot({ name }) defines. There is the default one',
    );
  });

  it('as a name whose data source cannot be made, does not start the app, and says why', async () => {
    const useFactory = () => Promise.reject(new Error('the vault is sealed'));
    const named = TypeOrmModule.forRootAsync({ name: 'sessions', useFactory });
    expect(await startupError({ imports: [configModule(), withSource(() => 'sessions'), named] })).toBe(
      'Error: the vault is sealed',
    );
  });

  it('whose variable is not set, does not start the app, and is named', async () => {
    const error = await startupError({
      imports: [
        configModule(),
        withSource((values) => ({ type: 'postgres', url: values.get<string>('DATABASE_URL') })),
      ],
    });
    expect(error).toMatch(/^SessionOptionsError: `dataSource.url`: expected a URL, got undefined\. /);
  });

  it('beside one that stands beside the factory, does not start the app', async () => {
    const sessions = SessionModule.forRootAsync({
      useFactory: () => ({ key: KEY, dataSource: 'sessions' }),
      dataSource: 'sessions',
    });
    expect(await startupError({ imports: [sessions] })).toBe(
      'SessionOptionsError: `dataSource`: expected it beside the factory of `forRootAsync` or in what it returns, ' +
        'got both. Remove one of them',
    );
  });

  it('that is neither a name nor options, does not start the app', async () => {
    expect(await startupError({ imports: [configModule(), withSource(() => 7 as never)] })).toBe(
      'SessionOptionsError: `dataSource`: expected the name or the options of a TypeORM data source, got 7',
    );
  });

  it('is not used beside `backend`', async () => {
    const app = await startApp({
      imports: [
        SessionModule.forRootAsync({
          useFactory: () => ({ key: KEY, dataSource: { type: 'postgres', url: undefined } }),
          backend,
        }),
      ],
    });
    await logIn(app, 'ada');
    expect(await app.get(SessionStore).listForUser('ada')).toHaveLength(1);
  });
});

describe('SessionModule.forRootAsync refuses, at startup', () => {
  const failure = (settings: unknown) =>
    startupError({
      imports: [SessionModule.forRootAsync({ useFactory: () => settings as SessionSettings, backend })],
    });

  it.each(['backend', 'clock'])('`%s` from the factory, and says where it belongs', async (name) => {
    expect(await failure({ key: KEY, [name]: MemorySessionBackend })).toBe(
      `SessionOptionsError: \`${name}\`: expected it beside the factory of \`forRootAsync\`, as an instance, a class or ` +
        'a provider, which may have a factory of its own, got it in what it returns',
    );
  });

  it('settings that are no object', async () => {
    expect(await failure(undefined)).toBe(
      'SessionOptionsError: `options`: expected an object, got undefined',
    );
    expect(await failure('key')).toBe("SessionOptionsError: `options`: expected an object, got 'key'");
  });

  it('an unknown setting', async () => {
    expect(await failure({ key: KEY, maxPerUsr: 3 })).toMatch(
      /^SessionOptionsError: Unknown option: .*got 'maxPerUsr'/,
    );
  });

  it('a factory that fails, with its own error', async () => {
    const useFactory = () => Promise.reject(new Error('the vault is sealed'));
    expect(await startupError({ imports: [SessionModule.forRootAsync({ useFactory, backend })] })).toBe(
      'Error: the vault is sealed',
    );
  });
});

describe('SessionModule.forRootAsync refuses, at once', () => {
  it.each<[string, SessionAsyncOptions, RegExp]>([
    [
      'no source of settings',
      { backend },
      /expected one of `useFactory`, `useClass` and `useExisting`, got 0/,
    ],
    [
      'two of them',
      { useClass: SettingsFactory, useFactory: () => ({ key: KEY }) },
      /expected one of `useFactory`, `useClass` and `useExisting`, got 2/,
    ],
    [
      'an unknown option',
      { useClass: SettingsFactory, bakend: backend } as object,
      /Unknown option: .*got 'bakend'/,
    ],
  ])('%s', (_what, options, message) => {
    expect(() => SessionModule.forRootAsync(options)).toThrow(message);
  });

  it('a setting beside the factory, and says that the factory returns it', () => {
    const options = { useFactory: () => ({ key: KEY }), ttl: '1h' } as SessionAsyncOptions;
    expect(() => SessionModule.forRootAsync(options)).toThrow(
      '`ttl`: expected it in what the factory of `forRootAsync` returns, got it beside it',
    );
  });
});
