import type { SqlRow, SqlRunner, SqlValue } from '../sql-dialect.js';
import type { Deadline } from '../deadline.js';
import { SqliteFailure } from './sqlite-failure.js';
import type { SqliteStatements } from './prepared-statements.js';

/** The statements of one call. None starts after the deadline, so a transaction that is late is not committed. */
export class SqliteJob implements SqlRunner {
  constructor(
    readonly statements: SqliteStatements,
    private readonly deadline: Deadline,
  ) {}

  all(sql: string, values: readonly SqlValue[]): Promise<readonly SqlRow[]> {
    return this.execute(() => this.statements.all(sql, values));
  }

  run(sql: string, values: readonly SqlValue[]): Promise<number> {
    return this.execute(() => this.statements.run(sql, values));
  }

  private execute<T>(statement: () => Promise<T>): Promise<T> {
    return this.deadline.execute(() =>
      statement().catch((error: unknown) => {
        throw SqliteFailure.of(error);
      }),
    );
  }
}
