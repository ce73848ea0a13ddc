import { driverErrorOf } from '../driver-error.js';

/** A statement, or the way to the server, that failed. Never a mistake of the caller's own code. */
export class DatabaseFailure extends Error {
  constructor(
    /** The database's or the system's name for it, such as `40P01`, `ER_LOCK_DEADLOCK` or `ECONNREFUSED`. */
    readonly code: string,
    message: string,
    /** Whether it was a statement that, had it succeeded, would have changed something for good. */
    readonly isDecisive = false,
  ) {
    super(message);
    this.name = 'DatabaseFailure';
  }

  /** What TypeORM or the driver threw. It is not kept as the cause: both may carry the values bound. */
  static of(error: unknown, isDecisive = false): DatabaseFailure {
    if (error instanceof DatabaseFailure) return error;
    const { code, message } = driverErrorOf(error);
    return new DatabaseFailure(code, message, isDecisive);
  }
}
