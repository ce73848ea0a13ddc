import type { SessionLogger } from '../../core/session-logger.js';
import type { SessionDataSource } from './data-source.js';

/** What a statement binds. */
export type SqlValue = string | number | boolean | Buffer | null;

/** A row as the driver returns it. */
export type SqlRow = Readonly<Record<string, unknown>>;

/** How the backend's statements are spelled where databases differ. Statements have `?` for each value. */
export interface SqlSyntax {
  /** A name in quotes. */
  readonly quote: (name: string) => string;
  /** The function that gives the largest of its arguments. */
  readonly greatest: string;
  /** The function that gives the smallest of its arguments. */
  readonly least: string;
  /** Ends an INSERT, so that it stores nothing where the id is taken. Empty: `run` gives 0 for such a failure. */
  readonly unlessTaken: string;
  /** Ends a SELECT that keeps its rows from changing until the transaction ends. Empty: they cannot anyway. */
  readonly forUpdate: string;
  /** As `forUpdate`, leaving out rows that another transaction keeps. Empty: there can be none. */
  readonly skipLocked: string;
  /** As `forUpdate`, failing where another transaction keeps a row: the work is then tried again. */
  readonly noWait: string;
  /** Behind the name of a table: rows are looked up by primary key alone, so that no others are kept on the way. */
  readonly byKey: string;
  /** Deletes so many rows by id and waits for no others on the way; the ids come as `?`. */
  readonly deleteByKey: (table: string, count: number) => string;
  /**
   * How a `?` is typed in the rows that an UPDATE … FROM takes its values from. `null`: there is none that returns
   * which rows it found.
   */
  readonly place: ((type: 'text' | 'integer' | 'bytes') => string) | null;
  /** Whether SQLite's JSON functions are there, so that a look-up binds and returns one text instead of many values. */
  readonly packs: boolean;
  /** Whether a DELETE can return rows, and `all` gives them. */
  readonly returning: boolean;
}

/** Statements of one job. */
export interface SqlRunner {
  /** Rows of a SELECT. */
  all(sql: string, values: readonly SqlValue[]): Promise<readonly SqlRow[]>;
  /** Number of rows that an INSERT, UPDATE or DELETE matched. */
  run(sql: string, values: readonly SqlValue[]): Promise<number>;
}

export interface TransactionOptions<T> {
  /** Owner whose sessions the work counts or ends: two such transactions of one user never overlap. `null`: none. */
  readonly userId: string | null;
  /** Whether a result is to be committed. Otherwise all is rolled back, and the result returned all the same. */
  readonly commitIf: (result: T) => boolean;
  /** When the call came, on the clock of `performance.now()`, if it has waited before. Its time runs from then. */
  readonly since?: number;
}

/** The way to one database. Every call rejects within the timeout, naming the database and the cause. */
export interface SqlConnection {
  /** Creates the table if it is absent and may be created, otherwise checks it. */
  init(): Promise<void>;
  /** Runs SELECTs that need no common instant. */
  read<T>(work: (sql: SqlRunner) => Promise<T>): Promise<T>;
  /**
   * Runs a statement that changes something, or several that need no common instant: each is atomic on its own.
   * The work may be called again while nothing has been changed.
   *
   * @param hasHit for work that changes nothing a second time: whether a result shows that this time it has. Then the work
   *   is called again also when the connection was lost before the answer came, and fails when the result does not show it
   */
  write<T>(work: (sql: SqlRunner) => Promise<T>, hasHit?: (result: T) => boolean): Promise<T>;
  /**
   * Runs statements as one atomic step. The work may be called again when the database asks for another try. What
   * it throws is rethrown, and everything is rolled back.
   */
  transaction<T>(work: (sql: SqlRunner) => Promise<T>, options?: TransactionOptions<T>): Promise<T>;
  /** Ends what was opened, after the work under way. Idempotent. */
  close(): Promise<void>;
}

/** Options of `TypeOrmSessionBackend`. `SessionModule` fills them in from its own. */
export interface TypeOrmSessionBackendOptions {
  /** Letters, digits and underscores, at most 63, no digit first. */
  readonly tableName: string;
  /** Whether `init()` creates the table. `false`: migrations do, and `init()` checks that it is there. */
  readonly createTable: boolean;
  /** Milliseconds that one call may take, waiting included. */
  readonly timeout: number;
  /**
   * Whether the app uses the database too. On SQLite, `true` gives sessions a file of their own beside it, so that they
   * take no part in the app's transactions; `false` stores them in the database itself, which is there for sessions
   * alone. A function is asked once, when the database is first needed. Elsewhere it makes no difference.
   */
  readonly shared: boolean | (() => boolean);
  readonly logger?: SessionLogger;
}

/** One kind of database: all that the backend does not do in plain SQL. */
export interface SqlDialect {
  /** TypeORM's names (`type` option) of the drivers that it serves. */
  readonly drivers: readonly string[];
  readonly syntax: SqlSyntax;
  /** Statements that follow the creation of a table, whose name is given in quotes. */
  readonly settings: (table: string) => readonly string[];
  connect(dataSource: SessionDataSource, options: TypeOrmSessionBackendOptions): SqlConnection;
}
