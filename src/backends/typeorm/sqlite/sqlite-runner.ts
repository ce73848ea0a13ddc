import type { SqlRow, SqlRunner, SqlValue } from '../sql-connection.js';
import type { Deadline } from '../deadline.js';
import { SqliteFailure } from './sqlite-failure.js';
import type { PreparedStatements } from './prepared-statements.js';

/** The statements of one call. None starts after the deadline, so a transaction that is late is not committed. */
export class SqliteRunner implements SqlRunner {
  /** A file always answers. */
  readonly mayBeDone = false;
  readonly #statements: PreparedStatements;
  readonly #deadline: Deadline;

  constructor(statements: PreparedStatements, deadline: Deadline) {
    this.#statements = statements;
    this.#deadline = deadline;
  }

  all(sql: string, values: readonly SqlValue[]): Promise<readonly SqlRow[]> {
    return this.#execute(() => this.#statements.all(sql, values));
  }

  run(sql: string, values: readonly SqlValue[]): Promise<number> {
    return this.#execute(() => this.#statements.run(sql, values));
  }

  /** A commit is for all that share the transaction. */
  runAndCommit(sql: string, values: readonly SqlValue[]): Promise<number> {
    return this.run(sql, values);
  }

  #execute<T>(statement: () => Promise<T>): Promise<T> {
    return this.#deadline.execute(() =>
      statement().catch((error: unknown) => {
        throw SqliteFailure.of(error);
      }),
    );
  }
}
