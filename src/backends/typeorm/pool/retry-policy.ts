import type { DatabaseFailure } from './database-failure.js';
import { isLost, isUnsure } from './connection-errors.js';
import type { PoolDialect } from './pool-dialect.js';

/** Connections that one call may lose: about as many as a pool has, since all of them may have ended at once. */
const MOST_LOST = 10;

/** What the next attempt needs: nothing, the table, or no attempt is to be made. */
export type Remedy = 'again' | 'restore' | 'none';

/** The failed attempts of one call. */
export class Failures {
  /** The failure of an attempt that may have changed something for good. `null`: there was none. */
  unsure: DatabaseFailure | null = null;
  private lost = 0;

  /** @param mayRestore whether a table that is missing is to be created, which is tried once */
  constructor(
    private readonly dialect: PoolDialect,
    private mayRestore: boolean,
  ) {}

  /** @param canTell whether the next attempt can tell that those before have changed nothing */
  remedyFor(failure: DatabaseFailure, canTell: boolean): Remedy {
    const { retried, missing, lost } = this.dialect;
    if (retried.includes(failure.code)) return 'again';
    if (missing.includes(failure.code)) return this.restoreOnce();
    if (!isLost(failure, lost) || this.lost++ >= MOST_LOST) return 'none';
    if (!isUnsure(failure)) return 'again';
    this.unsure = failure;
    return canTell ? 'again' : 'none';
  }

  private restoreOnce(): Remedy {
    if (!this.mayRestore) return 'none';
    this.mayRestore = false;
    return 'restore';
  }
}
