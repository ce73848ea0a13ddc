import type { QueryResult, QueryRunner } from 'typeorm';
import type { SqlRow, SqlRunner, SqlValue } from '../sql-dialect.js';
import type { Deadline } from '../deadline.js';
import { SqliteFailure } from './sqlite-failure.js';

/** The statements of one call. None starts after the deadline, so a transaction that is late is not committed. */
export class SqliteJob implements SqlRunner {
  constructor(
    private readonly runner: QueryRunner,
    private readonly deadline: Deadline,
  ) {}

  async all(sql: string, values: readonly SqlValue[]): Promise<readonly SqlRow[]> {
    return (await this.query(sql, values)).records;
  }

  async run(sql: string, values: readonly SqlValue[]): Promise<number> {
    return (await this.query(sql, values)).affected ?? 0;
  }

  /** A statement without values or result. */
  async execute(sql: string): Promise<void> {
    await this.query(sql, []);
  }

  /** Rolls back, after the deadline too. `false`: nobody knows whether a transaction is still open. */
  async rollBack(): Promise<boolean> {
    try {
      await this.runner.query('ROLLBACK');
      return true;
    } catch (error) {
      return SqliteFailure.of(error).isRolledBack;
    }
  }

  private async query(sql: string, values: readonly SqlValue[]): Promise<QueryResult> {
    return this.deadline.execute(() =>
      this.runner.query(sql, values.map(bound), true).catch((error: unknown) => {
        throw SqliteFailure.of(error);
      }),
    );
  }
}

/** better-sqlite3 takes no booleans. */
function bound(value: SqlValue): Exclude<SqlValue, boolean> {
  return typeof value === 'boolean' ? Number(value) : value;
}
