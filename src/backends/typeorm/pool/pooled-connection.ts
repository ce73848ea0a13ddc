import { createHash } from 'node:crypto';
import type { DataSource, Table } from 'typeorm';
import { SessionOptionsError } from '../../../core/session-errors.js';
import { Deadline, DeadlineError } from '../deadline.js';
import { KeyedMutex } from '../mutex.js';
import {
  createSessionTable,
  refuseToCreate,
  sessionTable,
  type TableStatus,
  tableStatus,
  UPGRADED,
  upgradeSessionTable,
} from '../schema/session-table.js';
import type {
  SqlConnection,
  SqlRunner,
  TransactionOptions,
  TypeOrmSessionBackendOptions,
} from '../sql-dialect.js';
import { DatabaseFailure } from './database-failure.js';
import type { LockKey, PoolDialect } from './pool-dialect.js';
import { Failures } from './retry-policy.js';
import { PooledJob } from './pooled-runner.js';
import { nameOf, type PoolSource } from './pool-source.js';
import { sleep } from '../../../core/timers.js';

/** Milliseconds before the next attempt, times the number of attempts so far, give or take half. */
const PAUSE = 4;

/** What one call wants done, however many attempts it takes. */
interface Call<T> {
  readonly deadline: Deadline;
  attempt(job: PooledJob, deadline: Deadline): Promise<T>;
  /** Whether each statement that succeeds has changed something for good. */
  readonly isWrite?: boolean;
  /** Whether it makes the table ready, rather than needs it. */
  readonly isPreparation?: boolean;
  /**
   * Whether a result shows that an attempt whose connection was lost before it was answered had changed nothing. Absent:
   * none does, so that such a call is not tried again.
   */
  readonly isFirst?: (result: T) => boolean;
}

/**
 * A database server: each call takes a connection of its own from the pool, so that it never joins a transaction of
 * the app, and gives it back or, when the time is up while a statement hangs, ends it.
 */
export class PooledConnection implements SqlConnection {
  private readonly name: string;
  private readonly perUser = new KeyedMutex();
  private readonly underWay = new Set<Promise<unknown>>();
  private table: Promise<Table> | null = null;
  private restoring: Promise<void> | null = null;
  private isClosed = false;

  constructor(
    private readonly source: PoolSource,
    private readonly dialect: PoolDialect,
    private readonly options: TypeOrmSessionBackendOptions,
  ) {
    this.name = `Sessions in ${dialect.label} database ${nameOf(source.options)}`;
  }

  async init(): Promise<void> {
    await this.prepare();
  }

  read<T>(work: (sql: SqlRunner) => Promise<T>): Promise<T> {
    return this.perform(null, { attempt: work });
  }

  write<T>(work: (sql: SqlRunner) => Promise<T>, hasHit?: (result: T) => boolean): Promise<T> {
    return this.perform(null, { attempt: work, isWrite: true, isFirst: hasHit });
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

  /** Creates the table if it is absent and may be created, otherwise checks it. Whether it has been created here. */
  private async prepare(): Promise<boolean> {
    this.table ??= sessionTable(this.source.options, this.options.tableName);
    const table = await this.table;
    const look = async (job: PooledJob): Promise<TableStatus> => {
      await job.on((runner) => this.dialect.checkServer(runner));
      return job.on((runner) => tableStatus(runner, table));
    };
    const status = await this.perform(null, { attempt: look, isPreparation: true });
    if (status === 'ready') return false;
    if (!this.options.createTable) refuseToCreate(table, status);
    const create = (job: PooledJob): Promise<boolean> =>
      job.on(async (runner) => {
        const now = await tableStatus(runner, table);
        if (now === 'absent') await createSessionTable(runner, table, this.dialect);
        if (now === 'earlier') {
          await upgradeSessionTable(runner, table);
          this.options.logger?.warn(`${this.name}: ${UPGRADED}`);
        }
        return now === 'absent';
      });
    return this.locked(this.lockOf('table'), create, { isPreparation: true });
  }

  /** The table has gone, or is another one: creates it again, once for all calls that have noticed. */
  private restore(): Promise<void> {
    this.restoring ??= this.recreate().finally(() => (this.restoring = null));
    return this.restoring;
  }

  private async recreate(): Promise<void> {
    try {
      if (!(await this.prepare())) return;
    } catch (error) {
      // At startup it is an option that is wrong; later, somebody has changed the database.
      throw error instanceof SessionOptionsError ? new Error(`${this.name}: ${error.message}`) : error;
    }
    const { logger, tableName } = this.options;
    logger?.warn(`${this.name}: the table '${tableName}' was missing, and has been created again`);
  }

  private locked<T>(
    lock: LockKey | null,
    work: (job: PooledJob) => Promise<T>,
    {
      commitIf = () => true,
      since,
      isPreparation,
    }: Partial<TransactionOptions<T>> & Pick<Call<T>, 'isPreparation'> = {},
  ): Promise<T> {
    const attempt = async (job: PooledJob, deadline: Deadline): Promise<T> => {
      job.isInTransaction = true;
      try {
        await this.dialect.begin(job, lock, deadline.left);
        const result = await work(job);
        const ending = commitIf(result) ? 'COMMIT' : 'ROLLBACK';
        job.isDecisive = ending === 'COMMIT';
        await this.dialect.end(job, ending, lock);
        job.isInTransaction = false;
        return result;
      } catch (error) {
        await this.dialect.end(job, 'ROLLBACK', lock).then(
          () => (job.isInTransaction = false),
          () => undefined, // so the connection will be ended, and the transaction with it
        );
        throw error;
      }
    };
    return this.perform(lock, { attempt, isPreparation }, since);
  }

  /**
   * Makes attempts until one is not refused for others' sake, or the time is up. Those with the same lock wait for each
   * other here, so that they do not do so in all the connections of the pool.
   */
  private async perform<T>(
    lock: LockKey | null,
    what: Omit<Call<T>, 'deadline'>,
    since?: number,
  ): Promise<T> {
    const deadline = new Deadline(this.options.timeout, since);
    deadline.stage = 'others with the same lock have not ended';
    const attempts = () => deadline.bound(this.attempts({ ...what, deadline }));
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

  private async attempts<T>(call: Call<T>): Promise<T> {
    const { deadline } = call;
    const past = new Failures(this.dialect, !call.isPreparation);
    for (let count = 1; ; count++) {
      deadline.check();
      if (this.isClosed) throw new DatabaseFailure('', 'the backend is closed');
      let result: T;
      try {
        result = await this.once(call, await this.source.open());
      } catch (error) {
        if (!(error instanceof DatabaseFailure)) throw error;
        const remedy = past.remedyFor(error, call.isFirst !== undefined);
        if (remedy === 'none') throw error;
        if (remedy === 'restore') await this.restore();
        deadline.waitedFor = error;
        const pause = PAUSE * count * (0.5 + Math.random());
        if (deadline.left <= pause) throw deadline.error();
        await sleep(pause);
        continue;
      }
      if (past.unsure === null || call.isFirst?.(result) === true) return result;
      throw past.unsure; // nobody knows: the attempt before may have done it
    }
  }

  private async once<T>(call: Call<T>, dataSource: DataSource): Promise<T> {
    const { deadline } = call;
    const job = new PooledJob(dataSource, this.dialect, deadline, call.isWrite ?? false);
    try {
      return await deadline.bound(job.connect().then(() => call.attempt(job, deadline)));
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
