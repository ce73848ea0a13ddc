import type { DataSource, QueryResult, QueryRunner } from 'typeorm';
import { SessionOptionsError } from '../../../core/session-errors.js';
import type { Deadline } from '../deadline.js';
import type { SqlRow, SqlRunner, SqlValue } from '../sql-dialect.js';
import { DatabaseFailure } from './database-failure.js';
import type { PoolDialect, PoolSession } from './pool-dialect.js';

/**
 * One connection of the pool for one attempt of a call, never one that the app holds. No statement starts after the
 * deadline, so a transaction that is late is not committed.
 */
export class PooledJob implements SqlRunner, PoolSession {
  /** Whether a transaction is open, or may be: such a connection does not go back to the pool. */
  isInTransaction = false;
  private readonly runner: QueryRunner;
  private connection: unknown = null;
  private underWay = 0;
  private isOver = false;

  constructor(
    private readonly dataSource: DataSource,
    private readonly dialect: PoolDialect,
    private readonly deadline: Deadline,
  ) {
    this.runner = dataSource.createQueryRunner('master');
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
  }

  async all(sql: string, values: readonly SqlValue[]): Promise<readonly SqlRow[]> {
    return (await this.query(sql, values)).records;
  }

  async run(sql: string, values: readonly SqlValue[]): Promise<number> {
    try {
      return (await this.query(sql, values)).affected ?? 0;
    } catch (error) {
      if (error instanceof DatabaseFailure && error.code === this.dialect.taken) return 0;
      throw error;
    }
  }

  async execute(sql: string): Promise<readonly SqlRow[]> {
    return this.on(async (runner) => (await runner.query(sql, undefined, true)).records);
  }

  async conclude(sql: string): Promise<void> {
    await this.deadline.execute(() => this.execute(sql));
  }

  /** TypeORM's own work on the connection. */
  async on<T>(work: (runner: QueryRunner) => Promise<T>): Promise<T> {
    this.deadline.check();
    if (this.isOver) throw new DatabaseFailure('', 'the call has been given up');
    this.underWay++;
    try {
      return await work(this.runner);
    } catch (error) {
      throw error instanceof SessionOptionsError ? error : DatabaseFailure.of(error);
    } finally {
      this.underWay--;
    }
  }

  /** Gives the connection back, or ends it when it is not fit for the next one. */
  async end(): Promise<void> {
    if (this.isOver) return;
    this.isOver = true;
    if (this.connection === null) return; // still to come, or never
    if (this.underWay > 0 || this.isInTransaction) this.dialect.abandon(this.connection, this.dataSource);
    await this.runner.release();
  }

  private query(sql: string, values: readonly SqlValue[]): Promise<QueryResult> {
    const bound = values.map((value) => this.dialect.bind(value));
    return this.on((runner) => runner.query(this.dialect.statement(sql), bound, true));
  }
}
