import type { BackendHealth } from '../../core/session-backend.js';
import type { SessionBus } from '../../core/session-bus.js';

/**
 * The way to one database, which each dialect makes: it executes the statements of `sql/`, whatever stands between. Every
 * call rejects within the timeout, naming the database and the cause.
 */
export interface SqlConnection {
  /** What the database has to tell other processes something. `null`: nothing. */
  bus(): SessionBus | null;
  /** Creates the table if it is absent and may be created, otherwise checks it. */
  init(): Promise<void>;
  /** Runs SELECTs that need no common instant. */
  read<T>(work: (sql: SqlRunner) => Promise<T>): Promise<T>;
  /**
   * Runs a statement that changes something, or several that need no common instant: each is atomic on its own.
   * The work may be called again while nothing has been changed.
   *
   * @param hasHit for work that recognises what it has done before: whether a result tells what has happened. Then the work
   *   is called again also when the connection was lost before the answer came, and fails when the result does not tell
   */
  write<T>(work: (sql: SqlRunner) => Promise<T>, hasHit?: (result: T) => boolean): Promise<T>;
  /**
   * Runs statements as one atomic step. The work may be called again when the database asks for another try. What
   * it throws is rethrown, and everything is rolled back.
   */
  transaction<T>(work: (sql: SqlRunner) => Promise<T>, options?: TransactionOptions<T>): Promise<T>;
  /** What the database says of itself, and its clock. */
  health(): Promise<BackendHealth>;
  /** Ends what was opened, after the work under way. Idempotent. */
  close(): Promise<void>;
}

/** Executes the statements of one piece of work, all on one connection. */
export interface SqlRunner {
  /** Whether an attempt of this work before may have been committed, though its answer was lost. */
  readonly mayBeDone: boolean;
  /** Rows of a SELECT. */
  all(sql: string, values: readonly SqlValue[]): Promise<readonly SqlRow[]>;
  /** Number of rows that an INSERT, UPDATE or DELETE matched. */
  run(sql: string, values: readonly SqlValue[]): Promise<number>;
  /**
   * As `run`, for the last statement of a transaction, all of which may be committed whatever it matches: where a database can,
   * the COMMIT leaves with it.
   */
  runAndCommit(sql: string, values: readonly SqlValue[]): Promise<number>;
}

/** What a transaction is for. */
export interface TransactionOptions<T> {
  /** Owner whose sessions the work counts or ends: two such transactions of one user never overlap. `null`: none. */
  readonly userId: string | null;
  /** Whether a result is to be committed. Otherwise all is rolled back, and the result returned all the same. */
  readonly commitIf: (result: T) => boolean;
  /** As that of `write`: whether a result tells what has happened, though the answer to an attempt before was lost. */
  readonly hasHit?: (result: T) => boolean;
  /** When the call came, on the clock of `performance.now()`, if it has waited before. Its time runs from then. */
  readonly since?: number;
}

/** A statement and what it binds. */
export interface SqlStatement {
  readonly sql: string;
  readonly values: readonly SqlValue[];
}

/** What a statement binds. A list only where `SqlSyntax.listPlaceholder` stands for it. */
export type SqlValue = SqlScalar | readonly SqlScalar[];

/** One value, as a column holds it. */
export type SqlScalar = string | number | boolean | Buffer | null;

/** A row as the driver returns it. */
export type SqlRow = Readonly<Record<string, unknown>>;
