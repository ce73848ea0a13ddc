import { createHash } from 'node:crypto';
import type { DataSource, Table } from 'typeorm';
import { Deadline, DeadlineError } from '../deadline.js';
import { KeyedMutex } from '../mutex.js';
import {
  createSessionTable,
  refuseToCreate,
  sessionTable,
  tableStatus,
  upgradeSessionTable,
} from '../session-table.js';
import type {
  SqlConnection,
  SqlRunner,
  TransactionOptions,
  TypeOrmSessionBackendOptions,
} from '../sql-dialect.js';
import { DatabaseFailure } from './database-failure.js';
import type { LockKey, PoolDialect } from './pool-dialect.js';
import { PooledJob } from './pooled-job.js';
import { nameOf, type PoolSource } from './pool-source.js';
import { sleep } from '../../../core/timers.js';

/** Milliseconds before the next attempt, times the number of attempts so far, give or take half. */
const PAUSE = 4;

/**
 * A database server: each call takes a connection of its own from the pool, so that it never joins a transaction of
 * the app, and gives it back or, when the time is up while a statement hangs, ends it.
 */
export class PooledConnection implements SqlConnection {
  private readonly name: string;
  private readonly perUser = new KeyedMutex();
  private readonly underWay = new Set<Promise<unknown>>();
  private table: Promise<Table> | null = null;
  private isClosed = false;

  constructor(
    private readonly source: PoolSource,
    private readonly dialect: PoolDialect,
    private readonly options: TypeOrmSessionBackendOptions,
  ) {
    this.name = `Sessions in ${dialect.label} database ${nameOf(source.options)}`;
  }

  async init(): Promise<void> {
    this.table ??= sessionTable(this.source.options, this.options.tableName);
    const table = await this.table;
    const status = await this.perform(null, async (job) => {
      await job.on((runner) => this.dialect.checkServer(runner));
      return job.on((runner) => tableStatus(runner, table));
    });
    if (status === 'ready') return;
    if (!this.options.createTable) refuseToCreate(table, status);
    await this.locked(this.lockOf('table'), (job) =>
      job.on(async (runner) => {
        const now = await tableStatus(runner, table);
        if (now === 'absent') await createSessionTable(runner, table, this.dialect);
        if (now === 'earlier') await upgradeSessionTable(runner, table);
      }),
    );
  }

  read<T>(work: (sql: SqlRunner) => Promise<T>): Promise<T> {
    return this.perform(null, work);
  }

  write<T>(work: (sql: SqlRunner) => Promise<T>): Promise<T> {
    return this.perform(null, work);
  }

  transaction<T>(work: (sql: SqlRunner) => Promise<T>, options?: TransactionOptions<T>): Promise<T> {
    const userId = options?.userId ?? null;
    return this.locked(userId === null ? null : this.lockOf(`user ${userId}`), work, options);
  }

  async close(): Promise<void> {
    this.isClosed = true;
    await Promise.allSettled(this.underWay);
    await this.source.close();
  }

  private locked<T>(
    lock: LockKey | null,
    work: (job: PooledJob) => Promise<T>,
    { commitIf = () => true, since }: Partial<TransactionOptions<T>> = {},
  ): Promise<T> {
    return this.perform(
      lock,
      async (job, deadline) => {
        job.isInTransaction = true;
        try {
          await this.dialect.begin(job, lock, deadline.left);
          const result = await work(job);
          await this.dialect.end(job, commitIf(result) ? 'COMMIT' : 'ROLLBACK', lock);
          job.isInTransaction = false;
          return result;
        } catch (error) {
          await this.dialect.end(job, 'ROLLBACK', lock).then(
            () => (job.isInTransaction = false),
            () => undefined, // so the connection will be ended, and the transaction with it
          );
          throw error;
        }
      },
      since,
    );
  }

  /**
   * Makes attempts until one is not refused for others' sake, or the time is up. Those with the same lock wait for each
   * other here, so that they do not do so in all the connections of the pool.
   */
  private async perform<T>(
    lock: LockKey | null,
    attempt: (job: PooledJob, deadline: Deadline) => Promise<T>,
    since?: number,
  ): Promise<T> {
    const deadline = new Deadline(this.options.timeout, since);
    deadline.stage = 'others with the same lock have not ended';
    const attempts = () => deadline.bound(this.attempts(attempt, deadline));
    const call = lock === null ? attempts() : this.perUser.run(lock.toString('base64'), attempts);
    this.underWay.add(call);
    try {
      return await deadline.bound(call);
    } catch (error) {
      throw this.named(error);
    } finally {
      this.underWay.delete(call);
    }
  }

  private async attempts<T>(
    attempt: (job: PooledJob, deadline: Deadline) => Promise<T>,
    deadline: Deadline,
  ): Promise<T> {
    for (let count = 1; ; count++) {
      deadline.check();
      if (this.isClosed) throw new DatabaseFailure('', 'the backend is closed');
      try {
        return await this.once(attempt, await this.source.open(), deadline);
      } catch (error) {
        if (!(error instanceof DatabaseFailure && this.dialect.retried.includes(error.code))) throw error;
        deadline.waitedFor = error;
      }
      const pause = PAUSE * count * (0.5 + Math.random());
      if (deadline.left <= pause) throw deadline.error();
      await sleep(pause);
    }
  }

  private async once<T>(
    attempt: (job: PooledJob, deadline: Deadline) => Promise<T>,
    dataSource: DataSource,
    deadline: Deadline,
  ): Promise<T> {
    const job = new PooledJob(dataSource, this.dialect, deadline);
    try {
      return await deadline.bound(job.connect().then(() => attempt(job, deadline)));
    } finally {
      await job.end();
    }
  }

  private lockOf(what: string): LockKey {
    return createHash('sha256').update(`nest-sessions\0${this.options.tableName}\0${what}`).digest();
  }

  private named(error: unknown): unknown {
    if (!(error instanceof DatabaseFailure || error instanceof DeadlineError)) return error;
    return new Error(`${this.name}: ${error.message}`, { cause: error });
  }
}
