import { driverErrorOf } from '../driver-error.js';

/** A statement, or the way to the server, that failed. Never a mistake of the caller's own code. */
export class DatabaseFailure extends Error {
  constructor(
    /** The database's or the system's name for it, such as `40P01`, `ER_LOCK_DEADLOCK` or `ECONNREFUSED`. */
    readonly code: string,
    message: string,
    /** Whether it was a statement that, had it succeeded, would have changed something for good. */
    readonly isCommitting = false,
  ) {
    super(message);
    this.name = 'DatabaseFailure';
  }

  /** What TypeORM or the driver threw. It is not kept as the cause: both may carry the values bound. */
  static of(error: unknown, isCommitting = false): DatabaseFailure {
    if (error instanceof DatabaseFailure) return error;
    const { code, message } = driverErrorOf(error);
    return new DatabaseFailure(code, message, isCommitting);
  }

  /**
   * Whether the connection has ended, so that another one may do better.
   *
   * @param codes what the server says when it ends a connection
   */
  isConnectionLost(codes: readonly string[]): boolean {
    const { code, message, isUnawaited } = this;
    return (
      isUnawaited || RESET.has(code) || codes.includes(code) || ENDED.test(message) || UNSENT.test(message)
    );
  }

  /** Whether `pg` waits for the statement no more (`query_timeout`), with which the server goes on. */
  get isUnawaited(): boolean {
    return this.message === UNAWAITED;
  }

  /** Where the connection is lost: whether the statement may have been executed, so that something has been changed for good. */
  get isOutcomeUnknown(): boolean {
    return this.isCommitting && !UNSENT.test(this.message);
  }
}

/** What the network says of a connection that has ended. */
const RESET: ReadonlySet<string> = new Set(['ECONNRESET', 'EPIPE', 'PROTOCOL_CONNECTION_LOST']);

/** What is said of one that ended under a statement, without a code that the driver knows. */
const ENDED = /^Connection (terminated|terminated unexpectedly|was killed)$/;

/** What `pg` says of a statement that it does not wait for any more. Its connection is of no use before the answer. */
const UNAWAITED = 'Query read timeout';

/** What the drivers and TypeORM say of a statement that they have not sent, since its connection had ended before. */
const UNSENT = /is not queryable$|in closed state$|^Query runner already released/;
