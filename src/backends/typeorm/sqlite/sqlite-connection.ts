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
import { Mutex } from '../mutex.js';
import { GroupCommit } from './group-commit.js';
import { LockWait } from './lock-wait.js';
import { SqliteFailure } from './sqlite-failure.js';
import { SqliteFile } from './sqlite-file.js';
import { SqliteJob } from './sqlite-job.js';
import { configure, prepareTable } from './sqlite-setup.js';
import type { SqliteSource } from './sqlite-source.js';
import { type SqliteStatements, statementsOf } from './sqlite-statements.js';
import { sleep } from '../../../core/timers.js';

/**
 * One connection, with one job on it at a time, that looks before each job whether its file is still there, retries
 * while another process holds the lock, and is opened anew after a failure that a new connection may cure.
 */
export class SqliteConnection implements SqlConnection {
  private readonly mutex = new Mutex();
  private readonly writes: GroupCommit;
  private readonly lockWait = new LockWait();
  private readonly file: SqliteFile | null;
  private readonly name: string;
  private table: Promise<Table> | null = null;
  private runner: QueryRunner | null = null;
  private statements: SqliteStatements | null = null;
  private isTableReady = false;
  private wasReady = false;
  private dropped: SqliteFailure | null = null;
  private closing: Promise<void> | null = null;

  constructor(
    private readonly source: SqliteSource,
    private readonly options: TypeOrmSessionBackendOptions,
  ) {
    this.file = source.path === null ? null : new SqliteFile(source.path);
    this.writes = new GroupCommit({
      mutex: this.mutex,
      use: (work) => this.useToWrite(work),
      giveUp: (failure) => this.drop(failure),
    });
    this.name = source.path === null ? 'Sessions in memory' : `Sessions in '${source.path}'`;
  }

  async init(): Promise<void> {
    this.isTableReady = false;
    await this.read(async () => undefined);
  }

  read<T>(work: (sql: SqlRunner) => Promise<T>): Promise<T> {
    return this.perform((deadline) =>
      this.mutex.run(() => {
        deadline.check();
        return this.use((statements) => work(new SqliteJob(statements, deadline)));
      }),
    );
  }

  write<T>(work: (sql: SqlRunner) => Promise<T>): Promise<T> {
    return this.perform((deadline) =>
      this.writes.add({ deadline, work, isAtomic: false, commits: () => true }),
    );
  }

  transaction<T>(work: (sql: SqlRunner) => Promise<T>, options?: TransactionOptions<T>): Promise<T> {
    const commits = options?.commitIf ?? (() => true);
    return this.perform((deadline) => this.writes.add({ deadline, work, isAtomic: true, commits }));
  }

  close(): Promise<void> {
    this.closing ??= this.mutex.run(async () => {
      this.runner = null;
      await this.releaseStatements();
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
        return await attempt(deadline);
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

  private async useToWrite(work: (statements: SqliteStatements) => Promise<void>): Promise<void> {
    this.lockWait.check();
    await this.use(work);
    this.lockWait.succeeded();
  }

  private async use<T>(work: (statements: SqliteStatements) => Promise<T>): Promise<T> {
    if (this.closing) throw new SqliteFailure('', 'the backend is closed');
    try {
      return await work(await this.ready());
    } catch (error) {
      if (error instanceof SqliteFailure && error.endsConnection) await this.drop(error);
      throw error;
    }
  }

  /** The connection, open, on the file that lies there now, with the table in it. */
  private async ready(): Promise<SqliteStatements> {
    if (this.runner && this.file?.isLost) {
      throw new SqliteFailure('', 'the file has been deleted, moved or replaced since it was opened');
    }
    const runner = this.runner ?? (await this.open());
    if (!this.isTableReady) await this.prepare(runner);
    const { type } = this.source.options;
    return (this.statements ??= statementsOf(type, await runner.connect(), this.source.isOurs));
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
      await this.releaseStatements();
      await this.source.drop();
    } catch (error) {
      this.options.logger?.warn(
        `${this.name}: could not close a connection: ${SqliteFailure.of(error).message}`,
      );
    }
  }

  private async releaseStatements(): Promise<void> {
    const { statements } = this;
    this.statements = null;
    await statements?.release();
  }

  private named(error: unknown): unknown {
    if (!(error instanceof SqliteFailure || error instanceof DeadlineError)) return error;
    return new Error(`${this.name}: ${error.message}`, { cause: error.cause ?? error });
  }
}
