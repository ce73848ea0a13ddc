import type { SessionColumnType } from '../schema/columns.js';

/** How the statements in this folder are spelled in one database. Everywhere they have a `?` for each value. */
export interface SqlSyntax {
  /** A name in quotes. */
  readonly quoteIdentifier: (name: string) => string;
  /** An expression that is 1 on a server that takes no writes, and 0 on others. `null`: nothing can take them away. */
  readonly isReadOnly: string | null;
  /** The function that gives the largest of its arguments. */
  readonly greatest: string;
  /** The function that gives the smallest of its arguments. */
  readonly least: string;
  /** Ends an INSERT, so that it stores nothing where the id is taken. Empty: `run` gives 0 for such a failure. */
  readonly onConflictDoNothing: string;
  /** Ends a SELECT that locks its rows until the transaction ends. Empty: nobody else writes meanwhile anyway. */
  readonly forUpdate: string;
  /** As `forUpdate`, leaving out rows that another transaction has locked. Empty: there can be none. */
  readonly forUpdateSkipLocked: string;
  /** As `forUpdate`, failing where another transaction has locked a row: the work is then tried again. */
  readonly forUpdateNoWait: string;
  /** Behind the name of a table: rows are looked up by primary key alone, so that no others are locked on the way. */
  readonly forcePrimaryKey: string;
  /** Deletes so many rows by id and waits for no others on the way; the ids come as `?`. */
  readonly deleteByIds: (table: string, count: number) => string;
  /**
   * The placeholder of a list of values of that type, which binds all of them as one, so that a statement is the same for
   * any number of them. `null`: each value has a `?` of its own.
   */
  readonly listPlaceholder: ((type: SessionColumnType) => string) | null;
  /** Whether an UPDATE … FROM can return which rows it found. */
  readonly updateReturning: boolean;
  /** Whether SQLite's JSON functions are there, so that a look-up binds and returns one text instead of many values. */
  readonly jsonLookup: boolean;
  /** Whether a DELETE can return rows, and `all` gives them. */
  readonly deleteReturning: boolean;
}
