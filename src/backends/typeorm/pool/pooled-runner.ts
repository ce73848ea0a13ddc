import type { DataSource, QueryRunner } from 'typeorm';
import { SessionOptionsError } from '../../../core/session-errors.js';
import type { Deadline } from '../deadline.js';
import type { SqlRow, SqlRunner, SqlValue } from '../sql-dialect.js';
import { DatabaseFailure } from './database-failure.js';
import { isLost, outlive } from './connection-errors.js';
import { StatementLog } from './query-logger.js';
import type { PoolDialect, PoolResult, PoolSession } from './pool-dialect.js';

/**
 * One connection of the pool for one attempt of a call, never one that the app holds. No statement starts after the
 * deadline, so a transaction that is late is not committed.
 */
export class PooledJob implements SqlRunner, PoolSession {
  /** Whether a transaction is open, or may be: such a connection does not go back to the pool. */
  isInTransaction = false;
  private readonly runner: QueryRunner;
  private readonly log: StatementLog;
  private connection: unknown = null;
  private underWay = 0;
  private isSpoilt = false;
  private isOver = false;

  constructor(
    private readonly dataSource: DataSource,
    private readonly dialect: PoolDialect,
    private readonly deadline: Deadline,
    /** Whether a statement that succeeds has changed something for good. */
    public isDecisive: boolean,
  ) {
    this.runner = dataSource.createQueryRunner('master');
    this.log = new StatementLog(dataSource, this.runner);
  }

  /** Waits for a connection. One that comes after `end()` goes straight back. */
  async connect(): Promise<void> {
    this.deadline.stage = 'no connection of the pool became free';
    const connection: unknown = await this.runner.connect().catch((error: unknown) => {
      throw DatabaseFailure.of(error);
    });
    this.deadline.stage = 'the statement under way has not ended';
    if (this.isOver) await this.runner.release();
    else this.connection = connection;
    outlive(connection);
  }

  async all(sql: string, values: readonly SqlValue[]): Promise<readonly SqlRow[]> {
    return (await this.query(sql, values)).records;
  }

  async run(sql: string, values: readonly SqlValue[]): Promise<number> {
    try {
      return (await this.query(sql, values)).affected;
    } catch (error) {
      if (error instanceof DatabaseFailure && error.code === this.dialect.taken) return 0;
      throw error;
    }
  }

  async execute(sql: string): Promise<readonly SqlRow[]> {
    return (await this.send(sql, [])).records;
  }

  async conclude(sql: string): Promise<void> {
    await this.deadline.execute(() => this.execute(sql));
  }

  spoil(): void {
    this.isSpoilt = true;
  }

  /** TypeORM's own work on the connection, which may go to the app's log. */
  on<T>(work: (runner: QueryRunner) => Promise<T>): Promise<T> {
    return this.use(() => work(this.runner));
  }

  /** Gives the connection back, or ends it when it is not fit for the next one. */
  async end(): Promise<void> {
    if (this.isOver) return;
    this.isOver = true;
    const { connection } = this;
    if (connection === null) return; // still to come, or never
    if (this.underWay > 0 || this.isInTransaction || this.isSpoilt) this.dialect.discard(connection);
    if (this.underWay > 0) this.dialect.interrupt(connection, this.dataSource);
    await this.runner.release();
  }

  private query(sql: string, values: readonly SqlValue[]): Promise<PoolResult> {
    const bound = values.map((value) => this.dialect.bind(value));
    return this.send(this.dialect.statement(sql), bound);
  }

  private send(sql: string, bound: readonly unknown[]): Promise<PoolResult> {
    return this.use(() => this.log.watch(sql, bound, () => this.dialect.query(this.connection, sql, bound)));
  }

  private async use<T>(work: () => Promise<T>): Promise<T> {
    this.deadline.check();
    if (this.isOver) throw new DatabaseFailure('', 'the call has been given up');
    this.underWay++;
    try {
      return await work();
    } catch (error) {
      if (error instanceof SessionOptionsError) throw error;
      const failure = DatabaseFailure.of(error, this.isDecisive);
      if (isLost(failure, this.dialect.lost)) this.spoil();
      throw failure;
    } finally {
      this.underWay--;
    }
  }
}
