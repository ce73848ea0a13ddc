import { driverErrorOf } from '../driver-error.js';

/** A statement, or the opening of the database, that failed. Never a mistake of the caller's own code. */
export class SqliteFailure extends Error {
  constructor(
    /** SQLite's name for it, such as `SQLITE_BUSY`; empty when it does not come from SQLite. */
    readonly code: string,
    message: string,
    options?: { cause?: unknown },
  ) {
    super(message, options);
    this.name = 'SqliteFailure';
  }

  /** What TypeORM or the driver threw. The cause is the driver's error: TypeORM's would carry the values bound. */
  static of(error: unknown): SqliteFailure {
    if (error instanceof SqliteFailure) return error;
    const { code, message, cause } = driverErrorOf(error);
    return new SqliteFailure(code, message, { cause });
  }

  /** Whether it is worth another try. */
  get isBusy(): boolean {
    return BUSY.test(this.code);
  }

  /** Whether only a new connection may do better. */
  get endsConnection(): boolean {
    return !this.isBusy && !HARMLESS.test(this.code);
  }

  /** Whether only the statement failed, and a transaction around it goes on. */
  get isOfStatement(): boolean {
    return OF_STATEMENT.test(this.code);
  }

  /** Whether a ROLLBACK failed only because SQLite had rolled back by itself. */
  get isRolledBack(): boolean {
    return this.message.includes('no transaction is active');
  }
}

/** Codes that pass by themselves: another connection holds a lock. */
const BUSY = /^SQLITE_(BUSY|LOCKED|PROTOCOL)/;

/** Codes that say nothing against the connection. */
const HARMLESS = /^SQLITE_(FULL|CONSTRAINT|TOOBIG|MISMATCH|RANGE)/;

/** Codes of a statement that could not be, whatever the state of the database. */
const OF_STATEMENT = /^SQLITE_(CONSTRAINT|TOOBIG|MISMATCH|RANGE)/;
