import type { DataSource, QueryRunner } from 'typeorm';
import type { SqlRow, SqlSyntax, SqlValue } from '../sql-dialect.js';

/** What two transactions that must not overlap have in common: 32 bytes, the same for the same words. */
export type LockKey = Buffer;

/** How a transaction ends. */
export type Ending = 'COMMIT' | 'ROLLBACK';

/** A connection, for the dialect's own statements, which bind nothing. */
export interface PoolSession {
  execute(sql: string): Promise<readonly SqlRow[]>;
  /** A statement that ends a transaction: as long as it is under way the call waits, as far as the timeout permits. */
  conclude(sql: string): Promise<void>;
}

/** One kind of database server behind a pool of connections. */
export interface PoolDialect {
  /** What its users call it. */
  readonly label: string;
  readonly syntax: SqlSyntax;
  /** Codes of failures after which the database asks for another try. Nothing has been changed then. */
  readonly retried: readonly string[];
  /** Code of an INSERT that failed because the primary key is taken. `null`: such a statement does not fail. */
  readonly taken: string | null;
  /** A statement as the driver takes it; ours have `?` for each value. */
  statement(sql: string): string;
  /** A value as the driver takes it. */
  bind(value: SqlValue): unknown;
  /**
   * Begins a transaction at READ COMMITTED, whatever the default: every statement sees what has been committed before
   * it began. With a lock, that is taken before the first statement of the work, and given back with the transaction.
   *
   * @param left milliseconds after which the server is to give up as well
   */
  begin(session: PoolSession, lock: LockKey | null, left: number): Promise<void>;
  /** Ends what `begin` began. */
  end(session: PoolSession, ending: Ending, lock: LockKey | null): Promise<void>;
  /** Ends a connection that a statement still keeps busy, and has the server give that up. Does not throw. */
  abandon(connection: unknown, dataSource: DataSource): void;
  /** @throws SessionOptionsError when the server is one that sessions cannot rely on */
  checkServer(runner: QueryRunner): Promise<void>;
  /** Statements that follow the creation of a table, whose name is given in quotes. */
  readonly settings: (table: string) => readonly string[];
}
