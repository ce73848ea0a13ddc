import { Injectable, Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import {
  SessionModule,
  type SessionAsyncOptions,
  type SessionSettings,
  type SessionSettingsFactory,
  SessionStore,
} from 'nest-sessions';
import { MemorySessionBackend } from 'nest-sessions/testing';
import { closeApps, KEY, logIn, sqlite, startApp, startupError } from './support/nest-app.js';

/** What `@nestjs/config` gives: values that are known only when the app starts. */
@Injectable()
class ConfigService {
  async get(name: 'SESSION_KEY' | 'SESSION_LIMIT'): Promise<string> {
    await Promise.resolve();
    return { SESSION_KEY: KEY.toString('base64url'), SESSION_LIMIT: '3' }[name];
  }
}

@Module({ providers: [ConfigService], exports: [ConfigService] })
class ConfigModule {}

@Injectable()
class SettingsFactory implements SessionSettingsFactory {
  static made = 0;

  constructor(readonly config: ConfigService) {
    SettingsFactory.made++;
  }

  async createSessionOptions(): Promise<SessionSettings> {
    return { key: await this.config.get('SESSION_KEY'), maxPerUser: 4 };
  }
}

@Module({ imports: [ConfigModule], providers: [SettingsFactory], exports: [SettingsFactory] })
class SettingsModule {}

const backend = MemorySessionBackend;

async function limitOf(options: SessionAsyncOptions): Promise<number | false> {
  const app = await startApp({ imports: [SessionModule.forRootAsync(options)] });
  await logIn(app, 'ada');
  return app.get(SessionStore).config.maxPerUser;
}

beforeEach(() => (SettingsFactory.made = 0));
afterEach(closeApps);

describe('SessionModule.forRootAsync', () => {
  it('takes settings from a factory with what it injects, in order', async () => {
    expect(
      await limitOf({
        imports: [ConfigModule, SettingsModule],
        inject: [ConfigService, SettingsFactory],
        useFactory: async (config: ConfigService, factory: SettingsFactory) => ({
          ...(await factory.createSessionOptions()),
          maxPerUser: Number(await config.get('SESSION_LIMIT')),
        }),
        backend,
      }),
    ).toBe(3);
  });

  it('takes settings from a factory that injects nothing', async () => {
    expect(await limitOf({ useFactory: () => ({ plaintext: true, maxPerUser: 7 }), backend })).toBe(7);
  });

  it('gives an optional dependency that is missing as undefined', async () => {
    const useFactory = (config?: ConfigService) => ({ key: KEY, maxPerUser: config === undefined ? 8 : 9 });
    expect(await limitOf({ inject: [{ token: ConfigService, optional: true }], useFactory, backend })).toBe(
      8,
    );
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

describe('SessionModule.forRootAsync refuses, at startup', () => {
  const failure = (settings: unknown) =>
    startupError({
      imports: [SessionModule.forRootAsync({ useFactory: () => settings as SessionSettings, backend })],
    });

  it.each(['dataSource', 'backend', 'clock'])(
    '`%s` from the factory, and says where it belongs',
    async (name) => {
      expect(await failure({ key: KEY, [name]: MemorySessionBackend })).toBe(
        `SessionOptionsError: \`${name}\`: expected it beside the factory of \`forRootAsync\`, got it in what it returns`,
      );
    },
  );

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
