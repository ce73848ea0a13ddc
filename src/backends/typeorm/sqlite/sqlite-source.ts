import { DataSource, type DataSourceOptions, type QueryRunner } from 'typeorm';
import { isDataSource, optionsOf, type SessionDataSource } from '../data-source.js';
import { databasePath, sessionsPath } from './sqlite-path.js';

/*
 * Where the connection to SQLite comes from: a data source that the app opens, or one of our own.
 */

/** Where the connection for sessions comes from. */
export interface SqliteSource {
  /** Absolute path of the file. `null`: in memory. */
  readonly path: string | null;
  /** Just enough to name the driver, for reading metadata. */
  readonly options: DataSourceOptions;
  /** Whether nobody else closes the connection. */
  readonly isOurs: boolean;
  /** Opens the connection, or opens it again. */
  open(): Promise<QueryRunner>;
  /** Closes a connection that is of no use any more, so that `open` makes a new one. */
  disconnect(): Promise<void>;
  /** Ends what `open` made, and nothing else. */
  close(): Promise<void>;
}

/**
 * Where sessions go: on options, to their file; on a data source for sessions alone, to that; beside what the app uses
 * too, to a file of their own, so that they never take part in the app's transactions nor lock its file.
 */
export function sourceOf(given: SessionDataSource, isShared: boolean): SqliteSource {
  const options = optionsOf(given);
  if (isShared) return new OwnSource(options, sessionsPath(options));
  return isDataSource(given) ? new GivenSource(given) : new OwnSource(options, databasePath(options));
}

/**
 * A data source of our own. Only what the driver needs is taken over from the options given: `dropSchema`,
 * `synchronize`, `migrationsRun` and the like would act on the sessions.
 */
export class OwnSource implements SqliteSource {
  readonly isOurs = true;
  readonly options: DataSourceOptions;
  #dataSource: DataSource | null = null;

  /** @param given options whose driver is used; of them, nothing that would act on tables */
  constructor(
    given: DataSourceOptions,
    readonly path: string | null,
  ) {
    this.options = driverOptions(given, path ?? ':memory:');
  }

  async open(): Promise<QueryRunner> {
    this.#dataSource = await new DataSource(this.options).initialize();
    return this.#dataSource.createQueryRunner();
  }

  async disconnect(): Promise<void> {
    const dataSource = this.#dataSource;
    this.#dataSource = null;
    await dataSource?.destroy();
  }

  close(): Promise<void> {
    return this.disconnect();
  }
}

/** A data source that is there for sessions alone. Whoever opened it closes it; we only renew a lost connection. */
export class GivenSource implements SqliteSource {
  readonly isOurs = false;
  readonly path: string | null;
  readonly options: DataSourceOptions;
  #isDisconnected = false;
  readonly #dataSource: DataSource;

  constructor(dataSource: DataSource) {
    this.#dataSource = dataSource;
    this.path = databasePath(dataSource.options);
    this.options = driverOptions(dataSource.options, ':memory:');
  }

  async open(): Promise<QueryRunner> {
    const dataSource = this.#dataSource;
    if (!dataSource.isInitialized) throw new Error('the data source is not open: initialize() it first');
    if (this.#isDisconnected) {
      // Not initialize(): it would run the data source's migrations, or its `dropSchema`, once more.
      await dataSource.driver.connect();
      await dataSource.driver.afterConnect();
      this.#isDisconnected = false;
    }
    return dataSource.createQueryRunner();
  }

  async disconnect(): Promise<void> {
    this.#isDisconnected = true;
    await this.#dataSource.driver.disconnect();
  }

  async close(): Promise<void> {}
}

/** Of the options of a data source, what opening another database with the same driver takes. */
function driverOptions(options: DataSourceOptions, database: string): DataSourceOptions {
  if (options.type === 'better-sqlite3') {
    const { type, driver, key, nativeBinding, prepareDatabase } = options;
    return { type, driver, key, nativeBinding, prepareDatabase, database, logging: false };
  }
  if (options.type !== 'sqlite') throw new TypeError(`Not a driver for SQLite: ${options.type}`);
  const { type, driver, key } = options;
  return { type, driver, key, database, logging: false };
}
