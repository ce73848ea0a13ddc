import { DataSource, type DataSourceOptions, type QueryRunner } from 'typeorm';
import { databaseFile, sessionsFileBeside } from './sqlite-path.js';

/** Where the connection for sessions comes from. */
export interface SqliteSource {
  /** Absolute path of the file. `null`: in memory. */
  readonly path: string | null;
  /** Just enough to name the driver, for reading metadata. */
  readonly options: DataSourceOptions;
  /** Opens the connection, or opens it again. */
  open(): Promise<QueryRunner>;
  /** Closes a connection that is of no use any more, so that `open` makes a new one. */
  drop(): Promise<void>;
  /** Ends what `open` made, and nothing else. */
  close(): Promise<void>;
}

/**
 * A data source of our own, with a file beside the app's, so that sessions never take part in the app's transactions
 * nor lock its file. Only what the driver needs is taken over from the app's options: `dropSchema`, `synchronize`,
 * `migrationsRun` and the like would act on the sessions.
 */
export class OwnSource implements SqliteSource {
  readonly path: string | null;
  readonly options: DataSourceOptions;
  private dataSource: DataSource | null = null;

  constructor(app: DataSource) {
    const file = fileOf(app.options);
    this.path = file === null ? null : sessionsFileBeside(file);
    this.options = driverOptions(app.options, this.path ?? ':memory:');
  }

  async open(): Promise<QueryRunner> {
    this.dataSource = await new DataSource(this.options).initialize();
    return this.dataSource.createQueryRunner();
  }

  async drop(): Promise<void> {
    const { dataSource } = this;
    this.dataSource = null;
    await dataSource?.destroy();
  }

  close(): Promise<void> {
    return this.drop();
  }
}

/** A data source that is there for sessions alone. Whoever opened it closes it; we only renew a lost connection. */
export class NamedSource implements SqliteSource {
  readonly path: string | null;
  readonly options: DataSourceOptions;
  private isDropped = false;

  constructor(private readonly dataSource: DataSource) {
    this.path = fileOf(dataSource.options);
    this.options = driverOptions(dataSource.options, ':memory:');
  }

  async open(): Promise<QueryRunner> {
    const { dataSource } = this;
    if (!dataSource.isInitialized) throw new Error('the data source is not open: initialize() it first');
    if (this.isDropped) {
      // Not initialize(): it would run the data source's migrations, or its `dropSchema`, once more.
      await dataSource.driver.connect();
      await dataSource.driver.afterConnect();
      this.isDropped = false;
    }
    return dataSource.createQueryRunner();
  }

  async drop(): Promise<void> {
    this.isDropped = true;
    await this.dataSource.driver.disconnect();
  }

  async close(): Promise<void> {}
}

function fileOf(options: DataSourceOptions): string | null {
  return databaseFile(String(options.database), options.type === 'sqlite' ? options.flags : undefined);
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
