import type { SessionLimit } from './session-limit.js';
import type { EndedRow, EpochMs, SessionRow, TokenState } from './session-row.js';

/** A new session, with all that must happen in the same atomic step. */
export interface InsertRequest {
  /** Owner of the new row, known before `build` so that a backend can lock by user. */
  readonly userId: string | null;
  /** `null`: not limited. A row without a user or a token is not limited either. */
  readonly limit: SessionLimit | null;
  /** Id of a row that ends in the same step, whether or not it has expired. */
  readonly replaces: string | null;
  /**
   * Makes the row. Called inside the critical section, as late as the storage permits, with the stored row that
   * `replaces` names. It is synchronous, may be called again when the storage retries, gives the `userId` of the
   * request, and the later of its `createdAt` and `lastActiveAt` is now. `null` refuses: nothing is changed. What it
   * throws is rethrown, and nothing is changed.
   */
  build(replaced: SessionRow | null): SessionRow | null;
}

/** What came of an `InsertRequest`. */
export type InsertResult =
  | {
      readonly status: 'inserted';
      readonly row: SessionRow;
      readonly replaced: SessionRow | null;
      readonly evicted: readonly EndedRow[];
    }
  /** `build` returned `null`. */
  | { readonly status: 'refused' }
  /** A row with the new id exists (and is not the one that is replaced). */
  | { readonly status: 'taken' }
  /** The user has `limit.max` active sessions and `onLimit` is `reject`. */
  | { readonly status: 'limit' };

/** A new payload for one version of one row. */
export interface PayloadChange {
  readonly id: string;
  /** The version that the change was made from. */
  readonly expectedVersion: number;
  readonly version: number;
  readonly keyId: string;
  readonly payload: Buffer;
  /** Stored if later than what is stored. */
  readonly lastActiveAt: EpochMs;
  /** Stored if later than what is stored, and never past the row's `absoluteExpiresAt`. */
  readonly expiresAt: EpochMs;
  /** The instant of the call: a row that is not active then is not changed. */
  readonly now: EpochMs;
}

/** A record of use. */
export interface Touch extends Pick<PayloadChange, 'id' | 'lastActiveAt' | 'expiresAt' | 'now'> {
  /**
   * A row whose stored `lastActiveAt` is later than this is left as it is, and is a miss. Absent: no such condition.
   */
  readonly unlessActiveAfter?: EpochMs;
}

/** A compare-and-swap of the token side of one row. */
export interface TokenChange {
  readonly id: string;
  readonly expected: Pick<TokenState, 'tokenHash' | 'tokenUsed'>;
  readonly next: TokenState;
  /** Stored too when given. */
  readonly authenticatedAt?: EpochMs;
  /** The instant of the call: a row that is not active then is not changed. */
  readonly now: EpochMs;
}

/** Which rows to delete. With `userId`, only that user's. */
export type RowSelection =
  | { readonly ids: readonly string[]; readonly userId?: string }
  | { readonly userId: string; readonly exceptId?: string }
  | 'all';

/** A page of one user's active rows. */
export interface ListRequest {
  readonly userId: string;
  readonly now: EpochMs;
  /** `lastActiveAt` or `createdAt`, descending; equal instants by `id`, descending. */
  readonly orderBy: 'lastActiveAt' | 'createdAt';
  /** Rows at most. `null`: all. */
  readonly limit: number | null;
}

/** One step of a walk over the whole table in the order of ids. */
export interface PruneStep {
  readonly now: EpochMs;
  /** Walk on behind this id. `null`: from the start. */
  readonly after: string | null;
  /** Rows to look at, expired or not: what bounds the step. */
  readonly batchSize: number;
}

/** What one step of the walk did, and where the next one begins. */
export interface PruneResult {
  readonly deleted: number;
  /** Where the next step goes on. `null`: the walk is done. */
  readonly next: string | null;
}

/**
 * The storage port: rows in, rows out. A backend sees token hashes and sealed payloads, never a token, a key or
 * plaintext, and decides nothing about sessions beyond what each method says is atomic.
 *
 * Ids are non-empty and ordered by their UTF-8 bytes. A row is *active* while `now < expiresAt` and
 * `now < absoluteExpiresAt`. Every method rejects when the storage cannot be reached; none of them retries for ever.
 * Nothing here creates a row but `insert`.
 */
export abstract class SessionBackend {
  /**
   * Creates what the storage needs, if absent, and upgrades earlier versions of it. Idempotent, and safe from
   * several processes at once. A schema that is not ours is refused, unaltered.
   */
  abstract init(): Promise<void>;

  /** Releases what the backend opened. Idempotent. */
  abstract close(): Promise<void>;

  /**
   * Rows by id, in the order of `ids`; `null` where there is none. Expired rows are returned as they are.
   * Atomic per row.
   */
  abstract find(ids: readonly string[]): Promise<ReadonlyArray<SessionRow | null>>;

  /**
   * Inserts one row, never over an existing one. Atomic as a whole: reading and deleting the replaced row,
   * counting, evicting and inserting happen for every other caller at one instant, in this process and in
   * others, so the limit is never exceeded. The new row is never a victim. On any status but `inserted`
   * nothing has changed.
   */
  abstract insert(request: InsertRequest): Promise<InsertResult>;

  /**
   * Stores payloads. Each change is atomic on its own, conditional on `expectedVersion` and on the row being
   * active; `true` where it hit. One that misses does not stop the others.
   */
  abstract save(changes: readonly PayloadChange[]): Promise<readonly boolean[]>;

  /**
   * Records use. Each touch is atomic on its own and monotone; `true` where the row is there, active and not excepted
   * by `unlessActiveAfter`.
   */
  abstract touch(touches: readonly Touch[]): Promise<readonly boolean[]>;

  /** Swaps the token side of an active row if it still is `expected`. Atomic: of several, one gets `true`. */
  abstract changeToken(change: TokenChange): Promise<boolean>;

  /** Deletes rows, expired or not, and says which. Atomic: no caller sees a part, no row is reported twice. */
  abstract delete(selection: RowSelection): Promise<readonly EndedRow[]>;

  /** Active rows of one user. Atomic: one consistent view. */
  abstract list(request: ListRequest): Promise<readonly SessionRow[]>;

  /** Deletes the expired rows among the next `batchSize`. Atomic per row; live rows are never taken. */
  abstract prune(step: PruneStep): Promise<PruneResult>;

  /**
   * Active rows by `keyId`.
   *
   * @param newest the caller needs no more than those among so many rows with the highest ids, where that saves a walk
   *   over all of them. Absent: all rows
   */
  abstract countByKey(now: EpochMs, newest?: number): Promise<ReadonlyMap<string, number>>;
}
