import { type INestApplication, Module, type ModuleMetadata } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { TypeOrmModule, type TypeOrmModuleOptions } from '@nestjs/typeorm';
import type { AddressInfo } from 'node:net';
import { basename } from 'node:path';
import { SessionModule, type SessionOptions, SessionStore } from 'nest-sessions';
import { ManualClock } from 'nest-sessions/testing';
import { SHARE } from '../core/support/random-runs.js';
import { type RecordedEvent, recordEvents } from '../core/support/open-store.js';
import { isReachable } from './databases.js';
import { Browser } from './browser.js';
import { RecordingLog } from './recording-log.js';
import { RouteController, type Routes, ROUTES } from './routes.js';
import { DATABASE, TestStorage } from './storage.js';

/** See jest-projects.js. */
declare const TYPEORM_MAJOR: 0 | 1;

export const PLATFORMS = ['express', 'fastify'] as const;
export type Platform = (typeof PLATFORMS)[number];

/** 32 bytes, never used outside tests. */
export const KEY = Buffer.alloc(32, 'key of the http tests');
export const START = Date.UTC(2030, 0, 1, 12);

/** What an app of a test is made of beside the defaults. */
export interface AppSetup extends Pick<ModuleMetadata, 'imports' | 'controllers' | 'providers'> {
  readonly options?: Omit<SessionOptions, 'backend' | 'clock'>;
  /** Modules that are imported before SessionModule. */
  readonly before?: ModuleMetadata['imports'];
  /** Handlers by name: see `Routes`. */
  readonly routes?: Routes;
  /** Storage of another app, to start on what it left. */
  readonly storage?: TestStorage;
  readonly clock?: ManualClock;
  /** TypeORM on this SQLite file instead of memory. */
  readonly sqlite?: string;
  /** TypeORM on this database instead of memory. */
  readonly database?: TypeOrmModuleOptions;
  /** Whether the platform believes what a proxy in front says. */
  readonly trustProxy?: boolean;
  /** What main.ts does between creating the app and listening. */
  readonly prepare?: (app: INestApplication) => void;
}

/** A running app. Time stands still in it. */
export interface TestApp {
  readonly app: INestApplication;
  readonly port: number;
  readonly clock: ManualClock;
  readonly storage: TestStorage;
  readonly store: SessionStore;
  readonly events: readonly RecordedEvent[];
  readonly log: RecordingLog;
  /** A browser without cookies. */
  readonly browser: () => Browser;
}

@Module({})
class RootModule {}

export type OpenApp = (setup?: AppSetup) => Promise<TestApp>;

/** TypeORM 1 has no other driver for SQLite. */
const onSqlite = (database: string): TypeOrmModuleOptions => ({
  type: TYPEORM_MAJOR === 0 ? 'sqlite' : 'better-sqlite3',
  database,
});

export async function openApp(platform: Platform, setup: AppSetup = {}): Promise<TestApp> {
  const { clock = new ManualClock(START), storage = await TestStorage.open(), sqlite, routes = {} } = setup;
  const log = new RecordingLog();
  const given = { key: KEY, clock, cleanup: false as const, timeout: '60s', ...setup.options };
  const typeorm = setup.database ?? (sqlite === undefined ? null : onSqlite(sqlite));
  const sessions =
    typeorm === null
      ? [SessionModule.forRoot({ ...given, backend: storage.backend })]
      : [
          TypeOrmModule.forRoot({ ...typeorm, autoLoadEntities: true, retryAttempts: 0 }),
          SessionModule.forRoot(given),
        ];
  const root = {
    module: RootModule,
    imports: [...(setup.before ?? []), ...sessions, ...(setup.imports ?? [])],
    controllers: [...(setup.controllers ?? []), RouteController],
    providers: [...(setup.providers ?? []), { provide: ROUTES, useValue: routes }],
  };
  const { trustProxy = false } = setup;
  const adapter = platform === 'express' ? new ExpressAdapter() : new FastifyAdapter({ trustProxy });
  if (adapter instanceof ExpressAdapter) adapter.set('trust proxy', trustProxy);
  const app = await NestFactory.create(root, adapter, {
    logger: log,
    abortOnError: false,
    forceCloseConnections: true,
  });
  setup.prepare?.(app);
  await app.listen(0, '127.0.0.1');
  const { port } = app.getHttpServer().address() as AddressInfo;
  const store = app.get(SessionStore);
  storage.forget();
  const browser = (): Browser => new Browser(port);
  return { app, port, clock, storage, store, events: recordEvents(store), log, browser };
}

/**
 * On a database one platform does: which one makes no difference to it. TypeORM 0.3 has the one, TypeORM 1 the other. In
 * `npm test` each spec file has one of the two, by its name; with `RUNS=1` it has both.
 */
function platformsHere(): readonly Platform[] {
  if (DATABASE !== null) return TYPEORM_MAJOR === 0 ? ['express'] : ['fastify'];
  if (SHARE >= 1) return PLATFORMS;
  const { testPath = '' } = expect.getState();
  return [basename(testPath).length % 2 === 0 ? 'express' : 'fastify'];
}

/** The same tests on Express and on Fastify. Apps that they open are closed after each. */
export function onEachPlatform(title: string, body: (open: OpenApp, platform: Platform) => void): void {
  const isSkipped = DATABASE !== null && !isReachable(DATABASE);
  (isSkipped ? describe.skip : describe).each(platformsHere())(`${title}, on %s`, (platform) => {
    const apps: INestApplication[] = [];
    afterEach(async () => {
      for (const app of apps.splice(0)) await app.close();
    });
    body(async (setup) => {
      const opened = await openApp(platform, setup);
      apps.push(opened.app);
      return opened;
    }, platform);
  });
}
