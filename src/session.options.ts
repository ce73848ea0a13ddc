import type { ClassProvider, ExistingProvider, FactoryProvider, Type, ValueProvider } from '@nestjs/common';
import type { DataSourceOptions } from 'typeorm';
import type { Clock } from './core/clock.js';
import type { SessionBackend } from './core/session-backend.js';
import { SessionOptionsError } from './core/session-errors.js';
import {
  resolveStoreOptions,
  type ResolvedStoreOptions,
  type SessionStoreOptions,
  STORE_OPTION_NAMES,
} from './core/session-options.js';
import { expected, refuseUnknown, requireObject } from './core/option-checks.js';
import {
  HTTP_OPTION_NAMES,
  type ResolvedHttpOptions,
  resolveHttpOptions,
  type SessionHttpOptions,
} from './http/http-options.js';
import { type CleanupOptions, resolveCleanup } from './ops/cleanup-options.js';

/*
 * The options of `SessionModule`, and what they become when they have been checked.
 */

/**
 * Something that the app provides: an instance, a class that Nest instantiates, or a provider without its token
 * (`useClass`, `useValue`, `useFactory` with `inject`, `useExisting`).
 */
export type Replaceable<T> =
  | T
  | Type<T>
  | Omit<ClassProvider<T>, 'provide'>
  | Omit<ValueProvider<T>, 'provide'>
  | Omit<FactoryProvider<T>, 'provide'>
  | Omit<ExistingProvider<T>, 'provide'>;

/**
 * The options that decide which providers the module has. In `forRootAsync` they are given beside the factory, because Nest
 * needs them before it calls one; `dataSource` may also be in what the factory returns.
 */
export interface SessionStructure {
  /**
   * The TypeORM data source that sessions are stored in: the name of one of the app's, or options of one that is opened
   * and closed with the app. The latter is a pool of its own, which is advised in production, and the way in for apps
   * without `TypeOrmModule`. What such options say of entities, migrations, `synchronize`, `dropSchema` and the like is
   * left aside.
   *
   * On SQLite, a data source that the app uses too gets a file for sessions beside its own; one that is there for
   * sessions alone is taken as it is.
   *
   * Options whose `url`, `host` or `database` is there but `undefined`, `null` or empty stop the app at startup, because a
   * variable that is not set would otherwise mean another database; leave a key out for the driver's own default. With
   * `backend` it is not used.
   *
   * In `forRootAsync` it is given beside the factory, or returned by it, where its address comes from ConfigService.
   *
   * @default the app's default data source
   * @example
   * ```ts
   * export const sessions = SessionModule.forRoot({
   *   key: process.env.SESSION_KEY,
   *   dataSource: { type: 'postgres', url: process.env.DATABASE_URL, extra: { max: 5 } }, // connections of its own
   * });
   * ```
   */
  readonly dataSource?: string | DataSourceOptions;
  /**
   * Another storage in place of TypeORM, such as Redis, or one of your own: an instance, a class or a provider.
   * `describeSessionBackend()` of `nest-sessions/testing` tells whether one keeps the contract.
   *
   * @default TypeORM, on `dataSource`
   * @example
   * ```ts
   * export const sessions = SessionModule.forRoot({
   *   key: process.env.SESSION_KEY,
   *   backend: { useFactory: () => new RedisSessionBackend({ url: process.env.REDIS_URL }) },
   * });
   * ```
   */
  readonly backend?: Replaceable<SessionBackend>;
  /**
   * Where the present comes from: an instance, a class or a provider. Tests may also override the provider `Clock`.
   *
   * @default the clock of the machine
   * @example
   * ```ts
   * const clock = new ManualClock(Date.now());
   * export const sessions = SessionModule.forRoot({ plaintext: true, clock });
   * clock.advance('24h'); // in a test: everybody is signed out
   * ```
   */
  readonly clock?: Replaceable<Clock>;
}

/**
 * The options that may be known only when the app starts: those of the store, those of HTTP, the data source, the clean-up
 * and the table. It is what a factory of `forRootAsync` returns.
 */
export interface SessionSettings
  extends Omit<SessionStoreOptions, 'clock'>, SessionHttpOptions, Pick<SessionStructure, 'dataSource'> {
  /**
   * The job that deletes expired sessions; `false`: there is none, and rows stay until something else deletes them.
   * Expired sessions are not served in either case.
   *
   * @default { cron: '0 * * * *', batchSize: 1000 }
   * @example
   * ```ts
   * export const sessions = SessionModule.forRoot({
   *   key: process.env.SESSION_KEY,
   *   cleanup: { cron: '30 3 * * *', batchSize: 500 }, // at half past three, in the time zone of the process
   * });
   * ```
   */
  readonly cleanup?: CleanupOptions | false;
  /** The table: letters, digits and underscores, no digit first, at most 63 characters. @default 'sessions' */
  readonly tableName?: string;
  /**
   * Whether the table is created at startup if it is absent, and gets the columns that one of an earlier version lacks.
   * `false`: it is only checked, because migrations own the schema (`sessionMigrations()` of `nest-sessions/migrations`).
   *
   * @default true
   * @example
   * ```ts
   * import { TypeOrmModule } from '@nestjs/typeorm';
   *
   * export const imports = [
   *   TypeOrmModule.forRoot({ type: 'postgres', migrations: [...sessionMigrations()], migrationsRun: true }),
   *   SessionModule.forRoot({ key: process.env.SESSION_KEY, createTable: false }),
   * ];
   * ```
   */
  readonly createTable?: boolean;
  /**
   * Whether PostgreSQL prepares statements on sessions by name, so that it parses and plans each of them once for a
   * connection. Behind PgBouncer in transaction mode that takes 1.21 or later with `max_prepared_statements`, which is
   * noticed: statements then go without names, and the log says so. On other databases it makes no difference.
   *
   * @default `true` where `dataSource` is given options, `false` on a data source of the app
   * @see https://www.pgbouncer.org/config.html max_prepared_statements
   */
  readonly preparedStatements?: boolean;
}

/**
 * The options of `SessionModule.forRoot`. One of `key` and `plaintext` is required; everything else has a default. What
 * is unknown or cannot be used stops the app at startup, with "expected …, got …" and never a key.
 *
 * @example
 * ```ts
 * const options: SessionOptions = {
 *   key: process.env.SESSION_KEY,
 *   ttl: '1h', // idle
 *   absoluteTtl: '24h',
 *   maxPerUser: 5,
 *   requireAuth: true,
 * };
 * export const sessions = SessionModule.forRoot(options);
 * ```
 */
export interface SessionOptions extends SessionSettings, SessionStructure {}

/** What `resolveOptions` makes of them. */
export interface ResolvedOptions {
  readonly store: ResolvedStoreOptions;
  readonly http: ResolvedHttpOptions;
  readonly cleanup: Required<CleanupOptions> | false;
  readonly table: {
    readonly tableName: string;
    readonly createTable: boolean;
    readonly preparedStatements?: boolean;
  };
  /** A function, because the options of a data source hold a password, and Nest keeps what its providers are. */
  readonly dataSource: () => SessionStructure['dataSource'];
}

const STRUCTURE_NAMES = [
  'dataSource',
  'backend',
  'clock',
] as const satisfies readonly (keyof SessionStructure)[];
const SETTING_NAMES = [
  ...STORE_OPTION_NAMES.filter((name) => name !== 'clock'),
  ...HTTP_OPTION_NAMES,
  'cleanup',
  'tableName',
  'createTable',
  'preparedStatements',
] as const satisfies readonly (keyof SessionSettings)[];
/** Structure that a factory cannot make: each may be a provider, with a factory of its own. */
const BESIDE_NAMES = STRUCTURE_NAMES.filter((name) => name !== 'dataSource');

/**
 * Checks all options once, and fills in defaults.
 *
 * @param structure what was given beside the factory
 * @throws SessionOptionsError "expected …, got …"
 */
export function resolveOptions(
  settings: SessionSettings,
  clock: Clock,
  structure: SessionStructure = {},
): ResolvedOptions {
  requireObject('options', 'an object', settings);
  refuseMisplaced(
    settings,
    BESIDE_NAMES,
    'beside the factory of `forRootAsync`, as an instance, a class or a provider, which may have a factory of its own',
    'in what it returns',
  );
  refuseUnknown('option', settings, [...SETTING_NAMES, 'dataSource']);
  const { dataSource, cleanup, tableName = 'sessions', createTable = true, preparedStatements } = settings;
  checkDataSource(dataSource);
  if (dataSource !== undefined && structure.dataSource !== undefined)
    throw new SessionOptionsError(
      '`dataSource`: expected it beside the factory of `forRootAsync` or in what it returns, got both. Remove one of them',
    );
  if (typeof tableName !== 'string' || tableName === '')
    throw expected('tableName', 'the name of a table', tableName);
  if (typeof createTable !== 'boolean') throw expected('createTable', 'true or false', createTable);
  if (preparedStatements !== undefined && typeof preparedStatements !== 'boolean')
    throw expected('preparedStatements', 'true or false', preparedStatements);
  return {
    store: resolveStoreOptions({ ...pick(settings, STORE_OPTION_NAMES), clock }),
    http: resolveHttpOptions(pick(settings, HTTP_OPTION_NAMES)),
    cleanup: resolveCleanup(cleanup),
    table: { tableName, createTable, preparedStatements },
    dataSource: () => structure.dataSource ?? dataSource,
  };
}

/**
 * What the module is made of, and the rest.
 *
 * @throws SessionOptionsError
 */
export function splitOptions(options: SessionOptions): {
  structure: SessionStructure;
  settings: SessionSettings;
} {
  requireObject('options', 'an object', options);
  refuseUnknown('option', options, [...SETTING_NAMES, ...STRUCTURE_NAMES]);
  const { dataSource, backend, clock, ...settings } = options;
  return { structure: checkStructure({ dataSource, backend, clock }), settings };
}

/**
 * What is given beside the factory of `forRootAsync`.
 *
 * @throws SessionOptionsError
 */
export function checkStructure(structure: SessionStructure): SessionStructure {
  refuseMisplaced(structure, SETTING_NAMES, 'in what the factory of `forRootAsync` returns', 'beside it');
  refuseUnknown('option', structure, STRUCTURE_NAMES);
  const { dataSource, backend, clock } = structure;
  checkDataSource(dataSource);
  for (const [name, given] of Object.entries({ backend, clock })) {
    const isReplaceable = typeof given === 'function' || (typeof given === 'object' && given !== null);
    if (given !== undefined && !isReplaceable)
      throw expected(name, 'an instance, a class or a provider', given);
  }
  return structure;
}

function checkDataSource(given: SessionStructure['dataSource']): void {
  const isNameOrOptions = typeof given === 'string' || (typeof given === 'object' && given !== null);
  if (given !== undefined && !isNameOrOptions)
    throw expected('dataSource', 'the name or the options of a TypeORM data source', given);
}

function refuseMisplaced(options: object, names: readonly string[], place: string, got: string): void {
  const misplaced = Object.keys(options).find((name) => names.includes(name));
  if (misplaced === undefined) return;
  throw new SessionOptionsError(`\`${misplaced}\`: expected it ${place}, got it ${got}`);
}

function pick<T extends object, K extends string>(source: T, names: readonly K[]): Pick<T, K & keyof T> {
  const known: readonly string[] = names;
  return Object.fromEntries(Object.entries(source).filter(([name]) => known.includes(name))) as Pick<
    T,
    K & keyof T
  >;
}
