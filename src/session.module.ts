import {
  type BeforeApplicationShutdown,
  type DynamicModule,
  Global,
  Inject,
  Module,
  type ModuleMetadata,
  type NestModule,
  type OnApplicationShutdown,
  type OnModuleInit,
  type Provider,
  type Type,
} from '@nestjs/common';
import { ApplicationConfig, HttpAdapterHost, ModulesContainer } from '@nestjs/core';
import { setTimeout as delay } from 'node:timers/promises';
import { SessionOptionsError, SessionStoreError } from './core/session-errors.js';
import { SessionStore } from './core/session-store.js';
import { noteArrivals } from './http/request-arrival.js';
import { mountSessions } from './http/session-mount.js';
import type { HttpRuntime } from './http/session-runtime.js';
import { HTTP_RUNTIME, SessionGuard } from './http/session.guard.js';
import { SessionErrorFilter } from './http/session-error.filter.js';
import { SessionInterceptor } from './http/session.interceptor.js';
import {
  checkStructure,
  type SessionOptions,
  type SessionSettings,
  type SessionStructure,
  splitOptions,
} from './session.options.js';
import { SESSION_EXPORTS, SESSION_SETTINGS, sessionProviders } from './session.providers.js';

/** Makes the settings of `forRootAsync({ useClass })` and `forRootAsync({ useExisting })`. */
export interface SessionSettingsFactory {
  createSessionOptions(): SessionSettings | Promise<SessionSettings>;
}

/** Options of `SessionModule.forRootAsync`: structure beside one of `useFactory`, `useClass` and `useExisting`. */
export interface SessionAsyncOptions extends SessionStructure, Pick<ModuleMetadata, 'imports'> {
  readonly useFactory?: (...args: never[]) => SessionSettings | Promise<SessionSettings>;
  /** What `useFactory` gets. */
  readonly inject?: Extract<Provider, { inject?: unknown }>['inject'];
  readonly useClass?: Type<SessionSettingsFactory>;
  readonly useExisting?: Type<SessionSettingsFactory>;
}

/**
 * Gives every request a session. Global: import it once, in the root module. It creates its table, mounts guard and
 * interceptor before all others, and schedules the clean-up.
 */
@Global()
@Module({})
export class SessionModule
  implements NestModule, OnModuleInit, BeforeApplicationShutdown, OnApplicationShutdown
{
  constructor(
    @Inject(SessionStore) private readonly store: SessionStore,
    @Inject(SessionGuard) private readonly guard: SessionGuard,
    @Inject(SessionInterceptor) private readonly interceptor: SessionInterceptor,
    @Inject(SessionErrorFilter) private readonly filter: SessionErrorFilter,
    @Inject(ApplicationConfig) private readonly app: ApplicationConfig,
    @Inject(ModulesContainer) modules: ModulesContainer,
    @Inject(HTTP_RUNTIME) runtime: HttpRuntime,
    @Inject(HttpAdapterHost) private readonly host: HttpAdapterHost,
  ) {
    const count = [...modules.values()].filter((module) => module.metatype === SessionModule).length;
    if (count > 1) {
      throw new SessionOptionsError(
        `Expected one SessionModule in the app, got ${count}. It is global: import SessionModule.forRoot() once, in the ` +
          'root module, and inject SessionStore anywhere',
      );
    }
    if (runtime.options.mount === 'middleware') mountSessions(runtime, host);
  }

  /** @throws SessionOptionsError for an unknown option; other options are checked when the app starts */
  static forRoot(options: SessionOptions): DynamicModule {
    const { structure, settings } = splitOptions(options);
    return this.define(structure, [], [{ provide: SESSION_SETTINGS, useValue: settings }]);
  }

  /**
   * As `forRoot`, with settings that are known only when the app starts. `dataSource`, `backend` and `clock` stand
   * beside the factory.
   *
   * @throws SessionOptionsError when there is not exactly one of `useFactory`, `useClass` and `useExisting`
   */
  static forRootAsync(options: SessionAsyncOptions): DynamicModule {
    const { imports = [], useFactory, inject = [], useClass, useExisting, ...rest } = options;
    const structure = checkStructure(rest);
    const given = [useFactory, useClass, useExisting].filter((one) => one !== undefined).length;
    if (given !== 1) {
      throw new SessionOptionsError(
        `forRootAsync: expected one of \`useFactory\`, \`useClass\` and \`useExisting\`, got ${given}`,
      );
    }
    if (useFactory)
      return this.define(structure, imports, [{ provide: SESSION_SETTINGS, useFactory, inject }]);
    const factory = useExisting ?? useClass;
    return this.define(structure, imports, [
      ...(useClass ? [useClass] : []),
      {
        provide: SESSION_SETTINGS,
        useFactory: (settings: SessionSettingsFactory) => settings.createSessionOptions(),
        inject: factory ? [factory] : [],
      },
    ]);
  }

  private static define(
    structure: SessionStructure,
    imports: ModuleMetadata['imports'],
    settings: Provider[],
  ): DynamicModule {
    return {
      module: SessionModule,
      imports,
      providers: [...settings, ...sessionProviders(structure)],
      exports: SESSION_EXPORTS,
    };
  }

  /** The earliest moment at which guards of main.ts are known, and the last before routes are made: ours go first. */
  configure(): void {
    this.app.getGlobalGuards().unshift(this.guard);
    this.app.getGlobalInterceptors().unshift(this.interceptor);
    // Filters are asked from the last to the first.
    this.app.getGlobalFilters().unshift(this.filter);
  }

  /** Storage that is down does not keep the app from starting: requests with a session get 503 until it is back. */
  async onModuleInit(): Promise<void> {
    noteArrivals(this.store.engine.clock, this.host);
    try {
      await this.store.initSchema();
    } catch (error) {
      if (!(error instanceof SessionStoreError)) throw error; // the store has logged it
    }
  }

  /**
   * What runs in the background now ends before the app closes its data source, whichever module was imported first.
   * Requests still come in, so the wait is bounded.
   */
  async beforeApplicationShutdown(): Promise<void> {
    const { engine, config } = this.store;
    await Promise.race([engine.settled(), delay(config.timeout, undefined, { ref: false })]);
  }

  async onApplicationShutdown(): Promise<void> {
    await this.store.close();
  }
}
