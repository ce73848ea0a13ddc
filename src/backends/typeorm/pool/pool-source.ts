import type { DataSource, DataSourceOptions } from 'typeorm';
import { LONGEST_TIMER } from '../../../core/duration.js';
import { isDataSource, type SessionDataSource } from '../data-source.js';
import { property } from '../driver-error.js';
import { DatabaseFailure } from './database-failure.js';
import { handleErrorsOf, handleErrorsOfPool } from './connection-errors.js';
import { PoolOpening } from './pool-opening.js';

/*
 * Where the pool of connections to a server comes from: a data source that the app opens, or one of our own.
 */

/** Where the pool of connections comes from. */
export interface PoolSource {
  readonly options: DataSourceOptions;
  /** Whether nobody else uses the pool. */
  readonly isOwn: boolean;
  /** The pool, open; opens it if it is ours to open. A failure is tried again by the next call. */
  open(): Promise<DataSource>;
  /** Ends what `open` made, and nothing else. */
  close(): Promise<void>;
}

/**
 * The pool of a data source, or one of our own where only its options are given.
 *
 * @param timeout milliseconds that a call may take
 * @param discard takes a connection out of the pool, and ends it
 */
export function poolSourceOf(
  dataSource: SessionDataSource,
  timeout: number,
  discard: (connection: unknown) => void,
): PoolSource {
  return isDataSource(dataSource) ? new GivenPool(dataSource) : new OwnPool(dataSource, timeout, discard);
}

/** A data source that somebody else opens and closes: the app's own, or one for sessions alone. */
class GivenPool implements PoolSource {
  readonly options: DataSourceOptions;
  readonly isOwn = false;

  readonly #dataSource: DataSource;

  constructor(dataSource: DataSource) {
    this.#dataSource = dataSource;
    this.options = dataSource.options;
  }

  async open(): Promise<DataSource> {
    if (this.#dataSource.isInitialized) {
      handleErrorsOfPool(this.#dataSource);
      return this.#dataSource;
    }
    throw new DatabaseFailure('', 'the data source is not open: initialize() it first');
  }

  async close(): Promise<void> {}
}

/** A pool of our own, from the options of a data source. */
class OwnPool implements PoolSource {
  readonly options: DataSourceOptions;
  readonly isOwn = true;
  readonly #patience: number;
  readonly #discard: (connection: unknown) => void;
  #opening: PoolOpening | null = null;

  /** @param timeout milliseconds until the attempt to reach the server is given up, unless the options say */
  constructor(given: DataSourceOptions, timeout: number, discard: (connection: unknown) => void) {
    this.options = connectionOptions(given, timeout);
    this.#patience = Math.min(connectTimeoutOf(this.options, timeout) + timeout, LONGEST_TIMER);
    this.#discard = discard;
  }

  open(): Promise<DataSource> {
    return (this.#opening ??= this.#begin()).result;
  }

  async close(): Promise<void> {
    const opening = this.#opening;
    this.#opening = null;
    await opening?.close();
  }

  #begin(): PoolOpening {
    const opening = new PoolOpening(this.options, this.#patience, this.#discard);
    opening.result.catch(() => {
      if (this.#opening === opening) this.#opening = null;
    });
    return opening;
  }
}

/**
 * Milliseconds without a word after which TCP asks whether the server is still there: what lies between forgets silent
 * connections after minutes.
 */
const KEEP_ALIVE = 30_000;

/** Options without all that would act on tables: entities, migrations and what runs them at startup. */
function connectionOptions(given: DataSourceOptions, timeout: number): DataSourceOptions {
  const mute = {
    name: undefined,
    entities: [],
    migrations: [],
    subscribers: [],
    synchronize: false,
    dropSchema: false,
    migrationsRun: false,
    cache: false,
    entityPrefix: undefined,
    namingStrategy: undefined,
    logging: false,
  };
  if (given.type === 'postgres') {
    const extra = { keepAlive: true, keepAliveInitialDelayMillis: KEEP_ALIVE, ...watchedFromTheStart(given) };
    return {
      connectTimeoutMS: timeout,
      ...masterAlone(given, [...ADDRESS, 'ssl']),
      ...mute,
      extra,
      installExtensions: false,
    };
  }
  if (given.type === 'mysql' || given.type === 'mariadb') {
    const extra = { enableKeepAlive: true, keepAliveInitialDelay: KEEP_ALIVE, ...extraOf(given) };
    return { connectTimeout: timeout, ...masterAlone(given, ADDRESS), ...mute, extra };
  }
  throw new TypeError(`Not a database with a pool: ${given.type}`);
}

/**
 * Options without `replication`, that lead to its master: no replica is read, so none has to be up. Nor is there the cluster
 * that TypeORM makes of it on MySQL, which drops a master for good after a few failures to connect.
 *
 * @param ofMaster what TypeORM takes from the master alone, even where the options beside `replication` say it too
 */
function masterAlone<T extends { readonly replication?: { readonly master: object } }>(
  given: T,
  ofMaster: readonly string[],
): T {
  if (given.replication === undefined) return given;
  const unset = Object.fromEntries(ofMaster.map((name) => [name, undefined]));
  return { ...given, ...unset, ...given.replication.master, replication: undefined };
}

/** Where a server is, and who asks. On PostgreSQL each also has its own `ssl`. */
const ADDRESS = ['url', 'host', 'port', 'username', 'password', 'database', 'socketPath'] as const;

/** Milliseconds that a connection may take to be made, by whichever option says the most; at least the timeout of a call. */
function connectTimeoutOf(options: DataSourceOptions, timeout: number): number {
  const extra = extraOf(options);
  const said = [
    property(options, 'connectTimeoutMS'),
    property(options, 'connectTimeout'),
    property(extra, 'connectionTimeoutMillis'),
    property(extra, 'connectTimeout'),
  ];
  return Math.max(timeout, ...said.filter((value) => typeof value === 'number'));
}

/** What the options hand to the driver as it is. */
function extraOf({ extra }: { readonly extra?: unknown }): object {
  return typeof extra === 'object' && extra !== null ? extra : {};
}

/** Options of `pg-pool`, whose `verify` sees each new connection before TypeORM has given the pool out. */
function watchedFromTheStart(given: { readonly extra?: unknown }): object {
  const extra = extraOf(given);
  const verify = property(extra, 'verify');
  return {
    ...extra,
    verify: (connection: unknown, done: (error?: unknown) => void): void => {
      handleErrorsOf(connection);
      if (typeof verify === 'function') verify(connection, done);
      else done();
    },
  };
}

/** The database as a person would name it, without a password. */
export function databaseName(options: DataSourceOptions): string {
  const { url, host, port, database } = addressIn(options);
  if (url !== undefined && URL.canParse(url)) {
    const parsed = new URL(url);
    return `'${decodeURIComponent(parsed.pathname.slice(1))}' at ${parsed.host}`;
  }
  return `'${database ?? ''}' at ${host ?? 'localhost'}${port === undefined ? '' : `:${port}`}`;
}

interface Address {
  readonly url?: string;
  readonly host?: string;
  readonly port?: number;
  readonly database?: string;
}

function addressIn(options: DataSourceOptions): Address {
  if (options.type !== 'postgres' && options.type !== 'mysql' && options.type !== 'mariadb') return {};
  return options.replication?.master ?? options;
}
