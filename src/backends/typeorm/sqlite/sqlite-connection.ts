import { setTimeout as sleep } from 'node:timers/promises';
import type { QueryRunner, Table } from 'typeorm';
import { SessionOptionsError } from '../../../core/session-errors.js';
import { sessionTable } from '../session-table.js';
import type {
  SqlConnection,
  SqlRunner,
  TransactionOptions,
  TypeOrmSessionBackendOptions,
} from '../sql-dialect.js';
import { Deadline, DeadlineError } from '../deadline.js';
import { LockWait } from './lock-wait.js';
import { Mutex } from '../mutex.js';
import { SqliteFailure } from './sqlite-failure.js';
import { SqliteFile } from './sqlite-file.js';
import { SqliteJob } from './sqlite-job.js';
import { configure, prepareTable } from './sqlite-setup.js';
import type { SqliteSource } from './sqlite-source.js';

/**
 * One connection, with one job on it at a time, that looks before each job whether its file is still there, retries
 * while another process holds the lock, and is opened anew after a failure that a new connection may cure.
 */
export class SqliteConnection implements SqlConnection {
  private readonly mutex = new Mutex();
  private readonly lockWait = new LockWait();
  private readonly file: SqliteFile | null;
  private readonly name: string;
  private table: Promise<Table> | null = null;
  private runner: QueryRunner | null = null;
  private isTableReady = false;
  private wasReady = false;
  private dropped: SqliteFailure | null = null;
  private closing: Promise<void> | null = null;

  constructor(
    private readonly source: SqliteSource,
    private readonly options: TypeOrmSessionBackendOptions,
  ) {
    this.file = source.path === null ? null : new SqliteFile(source.path);
    this.name = source.path === null ? 'Sessions in memory' : `Sessions in '${source.path}'`;
  }

  async init(): Promise<void> {
    this.isTableReady = false;
    await this.read(async () => undefined);
  }

  read<T>(work: (sql: SqlRunner) => Promise<T>): Promise<T> {
    return this.perform((deadline) => this.attempt(work, deadline));
  }

  write<T>(work: (sql: SqlRunner) => Promise<T>): Promise<T> {
    return this.perform((deadline) => this.attemptToWrite(work, deadline));
  }

  /** BEGIN IMMEDIATE: a lock that cannot be had is noticed here, before anything is done. */
  transaction<T>(work: (sql: SqlRunner) => Promise<T>, options?: TransactionOptions<T>): Promise<T> {
    return this.perform((deadline) =>
      this.attemptToWrite(async (job) => {
        await job.execute('BEGIN IMMEDIATE');
        try {
          const result = await work(job);
          await job.execute(options && !options.commitIf(result) ? 'ROLLBACK' : 'COMMIT');
          return result;
        } catch (error) {
          if (!(await job.rollBack())) await this.drop(SqliteFailure.of(error));
          throw error;
        }
      }, deadline),
    );
  }

  close(): Promise<void> {
    this.closing ??= this.mutex.run(async () => {
      this.runner = null;
      await this.source.close();
    });
    return this.closing;
  }

  /** Makes attempts, one job at a time, until one does not find the file locked, or the time is up. */
  private async perform<T>(attempt: (deadline: Deadline) => Promise<T>): Promise<T> {
    const deadline = new Deadline(this.options.timeout);
    try {
      return await deadline.bound(this.attempts(attempt, deadline));
    } catch (error) {
      throw this.named(error);
    }
  }

  private async attempts<T>(attempt: (deadline: Deadline) => Promise<T>, deadline: Deadline): Promise<T> {
    for (;;) {
      try {
        return await this.mutex.run(() => attempt(deadline));
      } catch (error) {
        if (!(error instanceof SqliteFailure && error.isBusy)) throw error;
        this.lockWait.failed(error);
        deadline.waitedFor = error;
      }
      const pause = this.lockWait.left + Math.random();
      if (deadline.left <= pause) throw deadline.error();
      await sleep(pause);
    }
  }

  private async attemptToWrite<T>(work: (job: SqliteJob) => Promise<T>, deadline: Deadline): Promise<T> {
    this.lockWait.check();
    const result = await this.attempt(work, deadline);
    this.lockWait.succeeded();
    return result;
  }

  private async attempt<T>(work: (job: SqliteJob) => Promise<T>, deadline: Deadline): Promise<T> {
    if (this.closing) throw new SqliteFailure('', 'the backend is closed');
    deadline.check();
    try {
      return await work(new SqliteJob(await this.ready(), deadline));
    } catch (error) {
      if (error instanceof SqliteFailure && error.endsConnection) await this.drop(error);
      throw error;
    }
  }

  /** The connection, open, on the file that lies there now, with the table in it. */
  private async ready(): Promise<QueryRunner> {
    if (this.runner && this.file?.isLost) {
      throw new SqliteFailure('', 'the file has been deleted, moved or replaced since it was opened');
    }
    const runner = this.runner ?? (await this.open());
    if (!this.isTableReady) await this.prepare(runner);
    return runner;
  }

  private async open(): Promise<QueryRunner> {
    this.file?.checkPlace(this.options.createTable);
    try {
      this.runner = await this.source.open();
      await configure(this.runner, this.file !== null);
    } catch (error) {
      const failure = SqliteFailure.of(error);
      await this.drop(failure);
      throw failure;
    }
    this.file?.remember();
    return this.runner;
  }

  private async prepare(runner: QueryRunner): Promise<void> {
    try {
      this.table ??= sessionTable(this.source.options, this.options.tableName);
      await prepareTable(runner, await this.table, this.options.createTable);
    } catch (error) {
      // At startup it is an option that is wrong; later, somebody has changed the file.
      if (error instanceof SessionOptionsError && !this.wasReady) throw error;
      throw SqliteFailure.of(error);
    }
    this.isTableReady = true;
    this.wasReady = true;
    if (this.dropped) this.options.logger?.warn(`${this.name}: opened again, after: ${this.dropped.message}`);
    this.dropped = null;
  }

  /** Gives the connection up, so that the next call opens another. What is in memory would be lost with it. */
  private async drop(reason: SqliteFailure): Promise<void> {
    if (this.runner === null || this.file === null) return;
    this.runner = null;
    this.isTableReady = false;
    this.dropped ??= reason;
    try {
      this.file.forget();
      await this.source.drop();
    } catch (error) {
      this.options.logger?.warn(
        `${this.name}: could not close a connection: ${SqliteFailure.of(error).message}`,
      );
    }
  }

  private named(error: unknown): unknown {
    if (!(error instanceof SqliteFailure || error instanceof DeadlineError)) return error;
    return new Error(`${this.name}: ${error.message}`, { cause: error.cause ?? error });
  }
}
