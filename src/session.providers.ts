import { Logger, type Provider, type Type } from '@nestjs/common';
import { ModuleRef, ModulesContainer } from '@nestjs/core';
import { getDataSourceToken } from '@nestjs/typeorm';
import type { DataSource } from 'typeorm';
import { TypeOrmSessionBackend } from './backends/typeorm/typeorm-session-backend.js';
import { Clock, SystemClock } from './core/clock.js';
import { SessionBackend } from './core/session-backend.js';
import { SessionEvents } from './core/session-events.js';
import { expected } from './core/option-checks.js';
import { SessionStore } from './core/session-store.js';
import { RouteAccess } from './http/route-access.js';
import type { HttpRuntime } from './http/http-options.js';
import { HTTP_RUNTIME, ROUTE_ACCESS, SessionGuard } from './http/session.guard.js';
import { SessionErrorFilter } from './http/session-error.filter.js';
import { SessionInterceptor } from './http/session.interceptor.js';
import { SessionCleanup } from './ops/session-cleanup.js';
import { SessionHealthIndicator } from './ops/session.health.js';
import { dataSourceNamed, isSharedWithApp, noDataSource } from './session.data-source.js';
import {
  type Replaceable,
  resolveOptions,
  type ResolvedOptions,
  type SessionSettings,
  type SessionStructure,
} from './session.options.js';

/*
 * The providers of `SessionModule`.
 */

/** Injection token of the options in force. */
export const RESOLVED_OPTIONS = Symbol('nest-sessions options');

/** What apps may inject. */
export const SESSION_EXPORTS = [
  SessionStore,
  SessionEvents,
  SessionCleanup,
  SessionHealthIndicator,
  Clock,
  HTTP_RUNTIME,
  ROUTE_ACCESS,
];

/** Where the settings of an app come from. */
export interface SettingsSource {
  readonly make: (...given: never[]) => SessionSettings | Promise<SessionSettings>;
  /** What `make` gets. */
  readonly inject: Extract<Provider, { inject?: unknown }>['inject'];
}

/** Everything the module is made of, given where its settings come from. */
export function sessionProviders(
  structure: SessionStructure,
  { make, inject = [] }: SettingsSource,
): Provider[] {
  const { clock, backend, dataSource } = structure;
  const logger = new Logger('Sessions');
  return [
    replaceable(Clock, clock) ?? { provide: Clock, useClass: SystemClock },
    replaceable(SessionBackend, backend) ?? typeOrmBackend(dataSource, logger),
    {
      provide: RESOLVED_OPTIONS,
      // What the app gave holds the key, which nothing that Nest keeps should: it is resolved where it is made.
      useFactory: async (now: Clock, ...given: never[]) =>
        resolveOptions(await make(...given), now, structure),
      inject: [Clock, ...inject],
    },
    {
      provide: SessionStore,
      useFactory: (storage: SessionBackend | undefined, { store }: ResolvedOptions) => {
        if (typeof storage?.init !== 'function')
          throw expected('backend', 'a SessionBackend with a method init()', storage);
        for (const warning of store.warnings) logger.warn(warning);
        return new SessionStore(storage, store, logger);
      },
      inject: [SessionBackend, RESOLVED_OPTIONS],
    },
    { provide: SessionEvents, useFactory: (store: SessionStore) => store.events, inject: [SessionStore] },
    {
      provide: HTTP_RUNTIME,
      useFactory: (store: SessionStore, { http }: ResolvedOptions): HttpRuntime => ({
        sessions: store.manager,
        options: http,
        logger,
      }),
      inject: [SessionStore, RESOLVED_OPTIONS],
    },
    {
      provide: ROUTE_ACCESS,
      useFactory: (runtime: HttpRuntime) => new RouteAccess(runtime),
      inject: [HTTP_RUNTIME],
    },
    SessionGuard,
    SessionInterceptor,
    SessionErrorFilter,
    {
      provide: SessionCleanup,
      useFactory: (store: SessionStore, { cleanup }: ResolvedOptions, modules: ModuleRef) =>
        new SessionCleanup(store, cleanup, modules),
      inject: [SessionStore, RESOLVED_OPTIONS, ModuleRef],
    },
    {
      provide: SessionHealthIndicator,
      useFactory: (store: SessionStore, cleanup: SessionCleanup) =>
        new SessionHealthIndicator(store, cleanup),
      inject: [SessionStore, SessionCleanup],
    },
  ];
}

/** @param beside the data source as far as it is known without the factory's settings */
function typeOrmBackend(beside: SessionStructure['dataSource'], logger: Logger): Provider {
  const isKnown = typeof beside === 'object';
  return {
    provide: SessionBackend,
    useFactory: async (
      { table, store, ...options }: ResolvedOptions,
      modules: ModulesContainer,
      app: ModuleRef,
      injected: DataSource | undefined,
    ) => {
      const given = options.dataSource();
      const isLate = typeof given === 'string' && given !== beside;
      const named = isLate ? await dataSourceNamed(given, app) : injected;
      const source = typeof given === 'object' ? given : named;
      if (source === undefined) throw noDataSource(typeof given === 'string' ? given : undefined, modules);
      const { timeout } = store.config;
      const shared = () => isSharedWithApp(given, source, modules, logger);
      return new TypeOrmSessionBackend(source, { ...table, timeout, shared, logger });
    },
    inject: [
      RESOLVED_OPTIONS,
      ModulesContainer,
      ModuleRef,
      ...(isKnown ? [] : [{ token: getDataSourceToken(beside) as Type<DataSource>, optional: true }]),
    ],
  };
}

/** A provider of `token` from whatever the app gave; `null` when it gave nothing. */
function replaceable<T extends object>(
  token: abstract new (...args: never[]) => T,
  given: Replaceable<T> | undefined,
): Provider | null {
  if (given === undefined) return null;
  if (typeof given === 'function') return { provide: token, useClass: given };
  const isProvider = ['useClass', 'useValue', 'useFactory', 'useExisting'].some((key) => key in given);
  return (isProvider ? { ...given, provide: token } : { provide: token, useValue: given }) as Provider;
}
