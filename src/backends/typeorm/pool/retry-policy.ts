import type { DatabaseFailure } from './database-failure.js';
import type { PoolDialect } from './pool-dialect.js';

/** Decides whether a call whose attempt has failed is tried again. It remembers the attempts of that one call. */
export class RetryPolicy {
  /** The failure of an attempt that may have changed something for good. `null`: there was none. */
  unknownOutcome: DatabaseFailure | null = null;
  readonly #dialect: PoolDialect;
  #mayRestore: boolean;
  #lost = 0;
  #readOnly = 0;
  #foreign = 0;
  #prepared = 0;

  /** @param mayRestore whether a table that is missing is to be created, which is tried once */
  constructor(dialect: PoolDialect, mayRestore: boolean) {
    this.#dialect = dialect;
    this.#mayRestore = mayRestore;
  }

  /** @param canTell whether the next attempt can tell that those before have changed nothing */
  after(failure: DatabaseFailure, canTell: boolean): NextStep {
    const { retryCodes, fullCodes, readOnlyCodes, foreignTransactionCodes, missingTableCodes } =
      this.#dialect;
    const { connectionLostCodes, preparedFailure } = this.#dialect;
    if (retryCodes.includes(failure.code)) return 'retry';
    if (fullCodes.includes(failure.code)) return 'retry-later';
    if (readOnlyCodes.includes(failure.code)) return this.#readOnly++ === 0 ? 'retry' : 'give-up';
    if (foreignTransactionCodes.includes(failure.code))
      return this.#foreign++ < MAX_LOST ? 'retry' : 'give-up';
    if (missingTableCodes.includes(failure.code)) return this.#restoreOnce();
    if (preparedFailure?.(failure)) return this.#prepared++ < MAX_PREPARED ? 'retry' : 'give-up';
    if (!failure.isConnectionLost(connectionLostCodes) || this.#lost++ >= MAX_LOST) return 'give-up';
    if (!failure.isOutcomeUnknown) return 'retry';
    this.unknownOutcome = failure;
    return canTell ? 'retry' : 'give-up';
  }

  #restoreOnce(): NextStep {
    if (!this.#mayRestore) return 'give-up';
    this.#mayRestore = false;
    return 'restore-table';
  }
}

/** Connections that one call may lose: about as many as a pool has, since all of them may have ended at once. */
const MAX_LOST = 10;

/** Attempts of one call that may fail for the names of statements: after the first there are other names, or none. */
const MAX_PREPARED = 2;

/** What follows a failed attempt: another one, soon or later, another one once the table is restored, or none. */
export type NextStep = 'retry' | 'retry-later' | 'restore-table' | 'give-up';
