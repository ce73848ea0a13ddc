import {
  type BeforeApplicationShutdown,
  type CanActivate,
  type DynamicModule,
  Global,
  Inject,
  Module,
  type ModuleMetadata,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
  type OnModuleInit,
  type Provider,
  type Type,
} from '@nestjs/common';
import { ApplicationConfig, HttpAdapterHost, LazyModuleLoader, ModulesContainer } from '@nestjs/core';
import { SessionOptionsError, SessionStoreError } from './core/session-errors.js';
import { SessionStore } from './core/session-store.js';
import { withTimeout } from './core/timeout.js';
import { sharedCache } from './http/cached-handlers.js';
import { enterRequests } from './http/enter-requests.js';
import { prepareExpress } from './http/prepare-express.js';
import { lostContext } from './http/platform/nestjs-cls-warning.js';
import { mountInGateways, refuseProtectedMessages } from './http/protected-handlers.js';
import { keepReplies, separateContexts } from './http/platform/graphql-call.js';
import { noteArrivalTimes } from './http/platform/arrival-time.js';
import type { GuardOverrides, RouteAccess } from './http/route-access.js';
import { SessionCookie } from './http/response/session-cookie.js';
import { forgetApp, noteApp } from './http/request/current-session.js';
import { mountSessions } from './http/session.middleware.js';
import { prepareAdapters } from './http/sockets/prepare-adapters.js';
import { guardGraphql, guardGraphqlRoutes } from './http/sockets/prepare-graphql.js';
import type { HttpRuntime } from './http/http-options.js';
import { HTTP_RUNTIME, ROUTE_ACCESS, SessionGuard } from './http/session.guard.js';
import { SessionErrorFilter } from './http/session-error.filter.js';
import { SessionInterceptor } from './http/session.interceptor.js';
import {
  checkStructure,
  type SessionOptions,
  type SessionSettings,
  type SessionStructure,
  splitOptions,
} from './session.options.js';
import { SESSION_EXPORTS, sessionProviders, type SettingsSource } from './session.providers.js';

/**
 * A provider that makes the settings, for `forRootAsync({ useClass })` and `forRootAsync({ useExisting })`.
 *
 * @example
 * ```ts
 * export class SessionSettingsOfApp implements SessionSettingsFactory {
 *   createSessionOptions(): SessionSettings {
 *     return { key: process.env.SESSION_KEY, ttl: '8h' };
 *   }
 * }
 * export const sessions = SessionModule.forRootAsync({ useClass: SessionSettingsOfApp });
 * ```
 */
export interface SessionSettingsFactory {
  /** Called once, when the app starts. */
  createSessionOptions(): SessionSettings | Promise<SessionSettings>;
}

/**
 * The options of `SessionModule.forRootAsync`: exactly one of `useFactory`, `useClass` and `useExisting`, and beside it
 * what decides which providers the module has (`backend`, `clock`, and `dataSource` unless the factory returns it).
 */
export interface SessionAsyncOptions extends SessionStructure, Pick<ModuleMetadata, 'imports'> {
  /** Makes the settings from what `inject` names. */
  readonly useFactory?: (...args: never[]) => SessionSettings | Promise<SessionSettings>;
  /** The providers that `useFactory` gets, in the order of its parameters. */
  readonly inject?: Extract<Provider, { inject?: unknown }>['inject'];
  /** A class that Nest instantiates to make the settings. */
  readonly useClass?: Type<SessionSettingsFactory>;
  /** A provider of `imports` that makes the settings. */
  readonly useExisting?: Type<SessionSettingsFactory>;
}

/**
 * Gives every request a session. It is global: import it once, in the root module. It creates its table, mounts its guard
 * and its interceptor before all others, and schedules the clean-up. Storage that is down does not keep it from starting;
 * `TypeOrmModule`, whose data source it uses unless `dataSource` gives it a pool of its own, does not start without.
 *
 * @example
 * ```ts
 * import { TypeOrmModule } from '@nestjs/typeorm';
 *
 * export const imports = [
 *   TypeOrmModule.forRoot({ type: 'sqlite', database: 'app.sqlite', autoLoadEntities: true }),
 *   SessionModule.forRoot({ key: process.env.SESSION_KEY }),
 * ];
 * ```
 */
@Global()
@Module({})
export class SessionModule
  implements OnModuleInit, OnApplicationBootstrap, BeforeApplicationShutdown, OnApplicationShutdown
{
  readonly #store: SessionStore;
  readonly #app: ApplicationConfig;
  readonly #runtime: HttpRuntime;
  readonly #access: RouteAccess;
  readonly #host: HttpAdapterHost;
  readonly #modules: ModulesContainer;

  constructor(
    @Inject(SessionStore) store: SessionStore,
    @Inject(SessionGuard) guard: CanActivate,
    @Inject(SessionInterceptor) interceptor: SessionInterceptor,
    @Inject(SessionErrorFilter) filter: SessionErrorFilter,
    @Inject(ApplicationConfig) app: ApplicationConfig,
    @Inject(ModulesContainer) modules: ModulesContainer,
    @Inject(LazyModuleLoader) lazily: LazyModuleLoader,
    @Inject(ROUTE_ACCESS) access: RouteAccess,
    @Inject(HTTP_RUNTIME) runtime: HttpRuntime,
    @Inject(HttpAdapterHost) host: HttpAdapterHost,
  ) {
    this.#store = store;
    this.#app = app;
    this.#runtime = runtime;
    this.#access = access;
    this.#host = host;
    this.#modules = modules;
    const count = [...modules.values()].filter((module) => module.metatype === SessionModule).length;
    if (count > 1) {
      throw new SessionOptionsError(
        `Expected one SessionModule in the app, got ${count}. It is global: import SessionModule.forRoot() once, in the ` +
          'root module, and inject SessionStore anywhere',
      );
    }
    // Before gateways and microservices are built, and before guards of main.ts are known: ours go first.
    app.getGlobalGuards().unshift(guard);
    app.getGlobalInterceptors().unshift(interceptor);
    // Filters are asked from the last to the first.
    app.getGlobalFilters().unshift(filter);
    access.overrideGuards(overridesOf(guard, modules));
    const protect = (): void => {
      mountInGateways(modules, guard, interceptor);
      refuseProtectedMessages(modules);
    };
    protect();
    afterEachLoad(lazily, protect);
    prepareExpress(host);
    if (runtime.options.currentSession) enterRequests(host);
    noteApp(this, runtime.options.currentSession);
    keepReplies(host);
    separateContexts(host);
    prepareAdapters(runtime, app);
    guardGraphqlRoutes(runtime, host, modules);
    if (runtime.options.mount === 'middleware') mountSessions(runtime, host);
  }

  /**
   * The module, with settings that are known now.
   *
   * @throws SessionOptionsError for an unknown option; what the others hold is checked when the app starts
   */
  static forRoot(options: SessionOptions): DynamicModule {
    const { structure, settings } = splitOptions(options);
    return moduleOf(structure, [], { make: () => settings, inject: [] });
  }

  /**
   * The module, with settings that are known only when the app starts. `backend` and `clock` are given beside the factory;
   * `dataSource` either there or by the factory, as options or as the name of one of the app's.
   *
   * @throws SessionOptionsError when there is not exactly one of `useFactory`, `useClass` and `useExisting`
   * @example
   * ```ts
   * import { ConfigModule, ConfigService } from '@nestjs/config';
   *
   * export const sessions = SessionModule.forRootAsync({
   *   imports: [ConfigModule],
   *   inject: [ConfigService],
   *   useFactory: (config: ConfigService) => ({
   *     key: config.getOrThrow('SESSION_KEY'),
   *     dataSource: { type: 'postgres', url: config.getOrThrow('DATABASE_URL') },
   *   }),
   * });
   * ```
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
    if (useFactory) return moduleOf(structure, imports, { make: useFactory, inject });
    const factory = useExisting ?? useClass;
    const source = { make: makeSettings, inject: factory ? [factory] : [] };
    return moduleOf(structure, imports, source, useClass ? [useClass] : []);
  }

  /**
   * The name of the session cookie, with its prefix, as the option `cookie` makes it: for a description of the API, a proxy's
   * configuration, or a test.
   *
   * @param options those of the module, or `cookie` alone
   * @throws SessionOptionsError when `cookie` cannot be used
   * @example
   * ```ts
   * SessionModule.cookieName(); // '__Host-sid'
   * SessionModule.cookieName({ cookie: { name: 'shop', secure: false } }); // 'shop'
   * ```
   */
  static cookieName({ cookie }: Pick<SessionOptions, 'cookie'> = {}): string {
    return new SessionCookie(cookie).name;
  }

  /** Storage that is down does not keep the app from starting: requests with a session get 503 until it is back. */
  async onModuleInit(): Promise<void> {
    noteArrivalTimes(this.#store.manager.clock, this.#host);
    const { logger, options } = this.#runtime;
    const warnings = [
      lostContext(this.#app.getGlobalGuards(), options.mount),
      sharedCache(this.#modules, this.#app, options.requireAuth),
    ];
    for (const warning of warnings) if (warning !== null) logger.warn(warning);
    this.#store.manager.live.start();
    try {
      await this.#store.initSchema();
      const { keysInUse, storageHealth } = this.#store.parts;
      keysInUse.watch(); // not waited for: a warning is all that may come of it
      storageHealth.watch();
    } catch (error) {
      if (!(error instanceof SessionStoreError)) throw error; // the store has logged it
    }
  }

  /** By now the drivers of GraphQL have made their servers for sockets, and nobody is served yet. */
  onApplicationBootstrap(): void {
    guardGraphql(this.#runtime, this.#modules, () => this.#access.overridingGuard !== null);
  }

  /**
   * What runs in the background now ends before the app closes its data source, whichever module was imported first.
   * Requests still come in, so the wait is bounded.
   */
  async beforeApplicationShutdown(): Promise<void> {
    const { manager, config } = this.#store;
    await withTimeout(
      () => manager.drain(),
      config.timeout,
      () => undefined,
    );
  }

  async onApplicationShutdown(): Promise<void> {
    forgetApp(this);
    await this.#store.close();
  }
}

function moduleOf(
  structure: SessionStructure,
  imports: ModuleMetadata['imports'],
  source: SettingsSource,
  others: Provider[] = [],
): DynamicModule {
  return {
    module: SessionModule,
    imports,
    providers: [...others, ...sessionProviders(structure, source)],
    exports: SESSION_EXPORTS,
  };
}

const makeSettings = (factory: SessionSettingsFactory) => factory.createSessionOptions();

/** The guards that a test has put in the place of ours. */
function overridesOf(guard: CanActivate, modules: ModulesContainer): GuardOverrides {
  const bound = [...modules.values()].map(({ injectables }) => injectables.get(SessionGuard));
  return {
    globalGuard: guard.constructor === SessionGuard ? null : guard,
    areBoundReplaced: bound.some((wrapper) => wrapper !== undefined && wrapper.metatype !== SessionGuard),
  };
}

/** Modules that are loaded lazily, mostly between the making of an app and its start, may protect handlers too. */
function afterEachLoad(lazily: LazyModuleLoader, protect: () => void): void {
  const load = lazily.load.bind(lazily);
  lazily.load = async (...args) => {
    const loaded = await load(...args);
    protect();
    return loaded;
  };
}
