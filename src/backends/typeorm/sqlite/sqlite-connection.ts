import type { QueryRunner, Table } from 'typeorm';
import { SessionOptionsError } from '../../../core/session-errors.js';
import { sessionTable, UPGRADE_NOTICE } from '../schema/session-table.js';
import type { BackendHealth } from '../../../core/session-backend.js';
import type { SqlConnection, SqlRunner, TransactionOptions } from '../sql-connection.js';
import type { TypeOrmSessionBackendOptions } from '../typeorm-session-backend-options.js';
import { Deadline, DeadlineError } from '../deadline.js';
import { Mutex } from '../../../core/mutex.js';
import { GroupCommit } from './group-commit.js';
import { BusyBackoff } from './busy-backoff.js';
import { SqliteFailure } from './sqlite-failure.js';
import { SqliteFile } from './sqlite-file.js';
import { SqliteRunner } from './sqlite-runner.js';
import { setPragmas, prepareTable } from './sqlite-setup.js';
import type { SqliteSource } from './sqlite-source.js';
import { type PreparedStatements, preparedStatements } from './prepared-statements.js';
import { sleep } from '../../../core/timers.js';

/**
 * One connection, with one job on it at a time, that looks before each job whether its file is still there, retries
 * while another process holds the lock, and is opened anew after a failure that a new connection may cure.
 */
export class SqliteConnection implements SqlConnection {
  readonly #find: () => SqliteSource;
  readonly #options: TypeOrmSessionBackendOptions;
  readonly #mutex = new Mutex();
  readonly #writes: GroupCommit;
  readonly #backoff = new BusyBackoff();
  #found: Location | null = null;
  #table: Promise<Table> | null = null;
  #runner: QueryRunner | null = null;
  #statements: PreparedStatements | null = null;
  #isTableReady = false;
  #wasReady = false;
  #isModeTold = false;
  #disconnectReason: SqliteFailure | null = null;
  #closing: Promise<void> | null = null;

  /**
   * @param find asked once, when the connection is first needed: it may depend on what the app does with its data sources
   */
  constructor(find: () => SqliteSource, options: TypeOrmSessionBackendOptions) {
    this.#find = find;
    this.#options = options;
    this.#writes = new GroupCommit({
      mutex: this.#mutex,
      use: (work) => this.#useToWrite(work),
      giveUp: (failure) => this.#disconnect(failure),
    });
  }

  get #location(): Location {
    return (this.#found ??= locationOf(this.#find()));
  }

  bus(): null {
    return null;
  }

  async init(): Promise<void> {
    this.#isTableReady = false;
    await this.read(async () => undefined);
  }

  read<T>(work: (sql: SqlRunner) => Promise<T>): Promise<T> {
    return this.#perform((deadline) =>
      this.#mutex.run(() => {
        deadline.check();
        return this.#use((statements) => work(new SqliteRunner(statements, deadline)));
      }),
    );
  }

  write<T>(work: (sql: SqlRunner) => Promise<T>): Promise<T> {
    return this.#perform((deadline) =>
      this.#writes.add({ deadline, work, isAtomic: false, commits: () => true }),
    );
  }

  transaction<T>(work: (sql: SqlRunner) => Promise<T>, options?: TransactionOptions<T>): Promise<T> {
    const commits = options?.commitIf ?? (() => true);
    return this.#perform((deadline) => this.#writes.add({ deadline, work, isAtomic: true, commits }));
  }

  /** The clock of SQLite is that of this machine. */
  async health(): Promise<BackendHealth> {
    return { problems: [], warnings: [], now: null };
  }

  close(): Promise<void> {
    this.#closing ??= this.#mutex.run(async () => {
      this.#runner = null;
      await this.#releaseStatements();
      await this.#found?.source.close();
    });
    return this.#closing;
  }

  /** Makes attempts, one job at a time, until one does not find the file locked, or the time is up. */
  async #perform<T>(attempt: (deadline: Deadline) => Promise<T>): Promise<T> {
    const deadline = new Deadline(this.#options.timeout);
    try {
      return await deadline.limit(this.#attempts(attempt, deadline));
    } catch (error) {
      throw this.#withName(error);
    }
  }

  async #attempts<T>(attempt: (deadline: Deadline) => Promise<T>, deadline: Deadline): Promise<T> {
    for (;;) {
      try {
        return await attempt(deadline);
      } catch (error) {
        if (!(error instanceof SqliteFailure && error.isBusy)) throw error;
        this.#backoff.failed(error);
        deadline.lastFailure = error;
      }
      const pause = this.#backoff.left + Math.random();
      if (deadline.left <= pause) throw deadline.error();
      await sleep(pause);
    }
  }

  async #useToWrite(work: (statements: PreparedStatements) => Promise<void>): Promise<void> {
    this.#backoff.check();
    await this.#use(work);
    this.#backoff.succeeded();
  }

  async #use<T>(work: (statements: PreparedStatements) => Promise<T>): Promise<T> {
    if (this.#closing) throw new SqliteFailure('', 'the backend is closed');
    try {
      return await work(await this.#ready());
    } catch (error) {
      if (error instanceof SqliteFailure && error.endsConnection) await this.#disconnect(error);
      throw error;
    }
  }

  /** The connection, open, on the file that lies there now, with the table in it. */
  async #ready(): Promise<PreparedStatements> {
    const { file, source } = this.#location;
    if (this.#runner && file?.isLost) {
      throw new SqliteFailure('', 'the file has been deleted, moved or replaced since it was opened');
    }
    const runner = this.#runner ?? (await this.#open());
    if (!this.#isTableReady) await this.#prepare(runner);
    const { type } = source.options;
    return (this.#statements ??= preparedStatements(type, await runner.connect(), source.isOurs));
  }

  async #open(): Promise<QueryRunner> {
    const { file, source } = this.#location;
    file?.checkAccess(this.#options.createTable);
    if (file !== null && source.isOurs) this.#create(file);
    try {
      this.#runner = await source.open();
      await setPragmas(this.#runner, file !== null);
    } catch (error) {
      const failure = SqliteFailure.of(error);
      await this.#disconnect(failure);
      throw failure;
    }
    file?.remember();
    return this.#runner;
  }

  #create(file: SqliteFile): void {
    const { isOpenToAll } = file.create();
    if (!isOpenToAll || this.#isModeTold) return;
    this.#isModeTold = true;
    this.#options.logger?.warn(
      `${this.#location.name}: every user of this machine may read or write the file, which holds user ids, times and hashes ` +
        `of tokens. Take that from them: chmod o= '${file.path}'*`,
    );
  }

  async #prepare(runner: QueryRunner): Promise<void> {
    try {
      this.#table ??= sessionTable(this.#location.source.options, this.#options.tableName);
      const found = await prepareTable(runner, await this.#table, this.#options.createTable);
      if (found === 'earlier') this.#options.logger?.warn(`${this.#location.name}: ${UPGRADE_NOTICE}`);
    } catch (error) {
      // At startup it is an option that is wrong; later, somebody has changed the file.
      if (error instanceof SessionOptionsError && !this.#wasReady) throw error;
      throw SqliteFailure.of(error);
    }
    this.#isTableReady = true;
    this.#wasReady = true;
    if (this.#disconnectReason)
      this.#options.logger?.warn(
        `${this.#location.name}: opened again, after: ${this.#disconnectReason.message}`,
      );
    this.#disconnectReason = null;
  }

  /** Gives the connection up, so that the next call opens another. What is in memory would be lost with it. */
  async #disconnect(reason: SqliteFailure): Promise<void> {
    const { file, source, name } = this.#location;
    if (this.#runner === null || file === null) return;
    this.#runner = null;
    this.#isTableReady = false;
    this.#disconnectReason ??= reason;
    try {
      file.forget();
      await this.#releaseStatements();
      await source.disconnect();
    } catch (error) {
      this.#options.logger?.warn(`${name}: could not close a connection: ${SqliteFailure.of(error).message}`);
    }
  }

  async #releaseStatements(): Promise<void> {
    const statements = this.#statements;
    this.#statements = null;
    await statements?.release();
  }

  #withName(error: unknown): unknown {
    if (!(error instanceof SqliteFailure || error instanceof DeadlineError)) return error;
    return new Error(`${this.#location.name}: ${error.message}`, { cause: error.cause ?? error });
  }
}

/** Where the sessions are. */
interface Location {
  readonly source: SqliteSource;
  readonly file: SqliteFile | null;
  readonly name: string;
}

function locationOf(source: SqliteSource): Location {
  const { path } = source;
  return path === null
    ? { source, file: null, name: 'Sessions in memory' }
    : { source, file: new SqliteFile(path), name: `Sessions in '${path}'` };
}
