import type { DataSource, QueryRunner } from 'typeorm';
import type { SessionBus } from '../../../core/session-bus.js';
import type { SessionLogger } from '../../../core/session-logger.js';
import type { SqlSyntax } from '../sql/sql-syntax.js';
import type { SqlRow, SqlValue } from '../sql-connection.js';
import type { DatabaseFailure } from './database-failure.js';

/** One kind of database server behind a pool of connections: what PostgreSQL and MySQL each do in their own way. */
export interface PoolDialect {
  /** What its users call it. */
  readonly label: string;
  /** TypeORM's names (`type` option) of the drivers that it serves. */
  readonly drivers: readonly string[];
  readonly syntax: SqlSyntax;
  /** Codes of failures after which another try may succeed: for others' sake, or for time. Nothing has been changed then. */
  readonly retryCodes: readonly string[];
  /** Codes with which a server that has no connection left refuses another one. */
  readonly fullCodes: readonly string[];
  /** Codes of what a server says that takes no writes, the usual one first. Nothing has been changed then. */
  readonly readOnlyCodes: readonly [string, ...string[]];
  /** Codes of failures with which the server ends the connection. */
  readonly connectionLostCodes: readonly string[];
  /**
   * Codes of a statement that failed because its connection was in a transaction that is none of ours, the usual one first.
   * Nothing has been changed then.
   */
  readonly foreignTransactionCodes: readonly [string, ...string[]];
  /** Codes of a statement that failed because the table is missing, or is another than before. */
  readonly missingTableCodes: readonly string[];
  /** Code of an INSERT that failed because the primary key is taken. `null`: such a statement does not fail. */
  readonly duplicateKeyCode: string | null;
  /** A statement as the driver takes it; ours have `?` for each value. */
  driverSql(sql: string): string;
  /** A value as the driver takes it. */
  driverValue(value: SqlValue): unknown;
  /**
   * Executes statements on the driver's own connection, in their order, until one fails: TypeORM's `query()` would hand the
   * values bound to the app's logger and subscribers. One round trip where the driver can; otherwise one for each.
   *
   * @returns what each gave
   */
  query(connection: unknown, statements: readonly DriverStatement[]): Promise<readonly PoolResult[]>;
  /**
   * What a failure says of statements that are prepared by name, if that is what it is about. Nothing has been changed
   * then. `null` in its place: none are.
   */
  readonly preparedFailure: ((failure: DatabaseFailure) => PreparedFailure | null) | null;
  /**
   * Begins a transaction at READ COMMITTED, whatever the default: every statement sees what has been committed before
   * it began, on a server that takes writes. With a lock, that is taken before the first statement of the work, and given
   * back with the transaction. All of it may leave with that first statement.
   *
   * @param left milliseconds after which the server is to give up as well
   */
  begin(control: TransactionControl, lock: LockKey | null, left: number): Promise<void>;
  /** Whether a COMMIT is all that ends what `begin` began, so that it may leave with the last statement of the work. */
  readonly commitsByStatement: boolean;
  /** Ends what `begin` began. */
  end(control: TransactionControl, ending: TransactionEnding, lock: LockKey | null): Promise<void>;
  /** Whether a connection was in a transaction when it last answered, as far as the driver tells. Asks the server nothing. */
  isInTransaction(connection: unknown): boolean;
  /** Takes a connection out of the pool. Does not throw. */
  discard(connection: unknown): void;
  /**
   * Has the server give up the statement that keeps a connection busy, which may be discarded when this resolves. Does not reject.
   */
  cancelStatement(connection: unknown, dataSource: DataSource): Promise<void>;
  /**
   * Looks at the server.
   *
   * @returns what is different about it; `null`: nothing
   * @throws SessionOptionsError when the server is one that sessions cannot rely on
   */
  checkServer(runner: QueryRunner): Promise<ServerVariant | null>;
  /** A SELECT of the server's clock as `now`: milliseconds since the Unix epoch, with a fraction. */
  readonly clock: string;
  /** What the server has to tell other processes something. `null`: nothing. */
  readonly bus: ((access: BusAccess) => SessionBus) | null;
  /** Statements that follow the creation of a table, whose name is given in quotes. */
  readonly afterCreateTable: (table: string) => readonly string[];
}

/**
 * Why a statement that is prepared by name failed. `lost`: the connection does not know it, or knows it before it has been
 * prepared, as behind a pooler. `outdated`: the table is another one since then.
 */
export type PreparedFailure = 'lost' | 'outdated';

/** A server that needs another dialect than most of its kind. */
export interface ServerVariant {
  /** What the log is told of it, once. */
  readonly notice: string;
  /** The dialect for it, once there is the table, whose name is given in quotes. */
  fit(table: string): PoolDialect;
}

/** What a bus has of the database. */
export interface BusAccess {
  /** The database as the log names it. */
  readonly name: string;
  /** The names of the schema, if there is one, and of the table: other tables are other apps. */
  readonly table: readonly string[];
  /** The pool, open, for its options. */
  open(): Promise<DataSource>;
  /** Executes a statement, with `?` for each value, on a connection of the pool. */
  execute(sql: string, values: readonly SqlValue[]): Promise<unknown>;
  /** Milliseconds that a connection may take. */
  readonly timeout: number;
  readonly logger?: SessionLogger;
}

/** The connection that a transaction is on, for the statements that begin and end it, which bind nothing. */
export interface TransactionControl {
  execute(sql: string): Promise<readonly SqlRow[]>;
  /** Statements that leave with the next one, whatever that is. */
  executeWithNext(statements: readonly string[]): void;
  /**
   * A statement that ends the transaction: as long as it is under way the call waits, as far as the timeout permits. Where
   * nothing of the transaction has been sent there is nothing to end.
   */
  executeEnding(sql: string): Promise<void>;
  /** The connection has something left that the next one must not meet: it is ended rather than given back. */
  discardAfterUse(): void;
}

/** How a transaction ends. */
export type TransactionEnding = 'COMMIT' | 'ROLLBACK';

/** What two transactions that must not overlap have in common: 32 bytes, the same for the same words. */
export type LockKey = Buffer;

/** A statement as a driver takes it. */
export interface DriverStatement {
  readonly text: string;
  readonly values: readonly unknown[];
  /**
   * Under which it is prepared, the first time on a connection. `null`: it is not, always so where there is no
   * `preparedFailure`.
   */
  readonly name: string | null;
}

/** What a statement gave. */
export interface PoolResult {
  readonly records: readonly SqlRow[];
  /** Rows that it inserted, deleted or found to update. */
  readonly affected: number;
  /** Whether the connection was in a transaction after it, as far as the driver tells. */
  readonly isInTransaction: boolean;
}
