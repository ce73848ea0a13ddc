import type { CleanupClaim } from './cleanup-lease.js';
import type { SessionBus } from './session-bus.js';
import type { SessionLimit } from './session-limit.js';
import type { EndedRow, EpochMs, LiveRow, SessionRow, TokenState } from './session-row.js';

/*
 * What the library needs of a storage: the abstract class that every backend extends, and what its methods are given.
 */

/** A new session, with everything that must happen in the same atomic step. */
export interface InsertRequest {
  /** The owner of the new row. It is known before `build` is called, so that a backend can lock by user. */
  readonly userId: string | null;
  /** The limit to keep; `null`: none. A row without a user or without a token is not limited either. */
  readonly limit: SessionLimit | null;
  /** The id of a row that ends in the same step, whether or not it has expired; `null`: none does. */
  readonly replaces: string | null;
  /**
   * The present when the request was made: that of the row is not earlier, unless the clock is set back. A backend that cannot
   * wait for `build` reads the rows that were active then, and leaves those aside that are not by the row's own.
   */
  readonly notBefore?: EpochMs;
  /**
   * Whether the call has been answered with an error meanwhile, because it took longer than `timeout`. Nobody has the token of the
   * new row then, and a backend that can still undo the insert does. Whatever is stored all the same is deleted again.
   */
  readonly isGivenUp?: () => boolean;
  /**
   * Makes the row. A backend calls it inside its critical section, as late as the storage permits, with the row that
   * `replaces` names as it stands there, or `null`. It is synchronous, and may be called again when the storage retries.
   *
   * Each time the row has the same id, and a version of its own: by these storage knows the row of an attempt whose answer was
   * lost, and one that comes late meets an id that is taken.
   *
   * The row has the `userId` of the request, and the later of its `createdAt` and `lastActiveAt` is the present, by which
   * other rows are active or not.
   *
   * @returns the row to insert, or `null` to refuse: then nothing is changed
   * @throws what a backend rethrows, without having changed anything
   */
  build(replaced: SessionRow | null): SessionRow | null;
}

/** What came of an `InsertRequest`. On any status but `inserted` nothing has changed. */
export type InsertResult =
  | {
      readonly status: 'inserted';
      /** The row as it is stored. */
      readonly row: SessionRow;
      /** The row that `replaces` named, if it was there, as it was. */
      readonly replaced: SessionRow | null;
      /** The rows that ended for the limit. */
      readonly evicted: readonly EndedRow[];
    }
  /** `build` returned `null`. */
  | { readonly status: 'refused' }
  /** A row with the new id exists (and is not the one that is replaced). */
  | { readonly status: 'taken' }
  /** The user has `limit.max` active sessions, and `onLimit` is `'reject'`. */
  | { readonly status: 'limit' };

/** A new payload for one version of one row. */
export interface PayloadChange {
  /** The row. */
  readonly id: string;
  /** The version that the change was made from. A row with another one is not changed. */
  readonly expectedVersion: number;
  /**
   * The version to store, which no other change has: a row that holds it already has been given this very change, which is
   * being sent again. Versions are compared, never ordered.
   */
  readonly version: number;
  /** The id of the key that sealed the payload. */
  readonly keyId: string;
  /** The sealed bytes. */
  readonly payload: Buffer;
  /** Stored if it is later than what is stored. */
  readonly lastActiveAt: EpochMs;
  /** Stored if it is later than what is stored, and never past the row's `absoluteExpiresAt`. */
  readonly expiresAt: EpochMs;
  /** The instant of the call: a row that is not active then is not changed. */
  readonly now: EpochMs;
}

/** A record of use. */
export interface Touch extends Pick<PayloadChange, 'id' | 'lastActiveAt' | 'expiresAt' | 'now'> {
  /**
   * A row whose stored `lastActiveAt` is later than this is left as it is, and counts as a miss: somebody else has
   * written use down in the meantime. Absent: there is no such condition.
   */
  readonly unlessActiveAfter?: EpochMs;
}

/** A compare-and-swap of the token side of one row. */
export interface TokenChange {
  /** The row. */
  readonly id: string;
  /** What the row has to hold: with anything else it is not changed. */
  readonly expected: Pick<TokenState, 'tokenHash' | 'tokenUsed'>;
  /** The token side to store, as a whole. */
  readonly next: TokenState;
  /** Stored too, when it is given. */
  readonly authenticatedAt?: EpochMs;
  /** The instant of the call: a row that is not active then is not changed. */
  readonly now: EpochMs;
}

/** Which rows to delete: some by id, or all of a user. With `userId` beside `ids`, only those of that user. */
export type RowSelection =
  | { readonly ids: readonly string[]; readonly userId?: string }
  | { readonly userId: string; readonly exceptId?: string };

/** A request for one user's active rows, in order. */
export interface ListRequest {
  /** The owner, compared byte for byte. */
  readonly userId: string;
  /** The present: rows that are not active then are left out. */
  readonly now: EpochMs;
  /** Latest first, by this instant; equal instants by `id`, descending. */
  readonly orderBy: 'lastActiveAt' | 'createdAt';
  /** How many rows at most; `null`: all. */
  readonly limit: number | null;
}

/** One step of a walk over all rows that reads active ones. */
export interface WalkStep {
  /** The present: rows that are not active then are left out. */
  readonly now: EpochMs;
  /** The `next` of the step before; `null`: the step is the first one. */
  readonly cursor: string | null;
  /** How many rows the step looks at, whether or not it gives them: this is what bounds it. */
  readonly batchSize: number;
  /** Rows whose `lastActiveAt` is earlier are left out; `null`: none for that. */
  readonly activeSince: EpochMs | null;
  /** `true`: rows without a `userId` are left out; `false`: those with one; `null`: neither. */
  readonly authenticated: boolean | null;
  /** How many rows the step gives at most: when it has so many, it ends there, and the next one begins behind the last. */
  readonly limit: number;
}

/** What one step of the walk read, and where the next one begins. */
export interface WalkResult {
  /** Those of the rows looked at that the step asks for. */
  readonly rows: readonly SessionRow[];
  /**
   * The `cursor` of the next step: text of 1 to 300 characters that only the storage reads. `null`: the walk is done. Pages
   * that clients ask for carry it, so the storage takes it for what somebody may have made up.
   */
  readonly next: string | null;
}

/** One step of a walk over all rows that deletes expired ones. */
export interface PruneStep {
  /** The present: rows that are not active then are deleted. */
  readonly now: EpochMs;
  /** The `next` of the step before; `null`: the step is the first one. */
  readonly cursor: string | null;
  /** How many rows the step looks at, expired or not: this is what bounds it. */
  readonly batchSize: number;
}

/** What one step of the walk did, and where the next one begins. */
export interface PruneResult {
  /** How many rows the step deleted. */
  readonly deleted: number;
  /** The `cursor` of the next step: opaque, non-empty. `null`: the walk is done. */
  readonly next: string | null;
}

/** What a storage knows of its own state. */
export interface BackendHealth {
  /** What is wrong with it, though it answers: sessions are not to be relied on. Sentences for the log. */
  readonly problems: readonly string[];
  /** What somebody should look at. Sentences for the log. */
  readonly warnings: readonly string[];
  /** What its clock says at the moment when the promise resolves; `null`: it has none of its own, or cannot tell. */
  readonly now: EpochMs | null;
}

/**
 * The port to storage: rows in, rows out. Extend it to keep sessions somewhere else. A backend sees token hashes and
 * sealed payloads, never a token, a key or plaintext, and it decides nothing about sessions beyond what each method says.
 *
 * - **Active** is a row while `now < expiresAt` and `now < absoluteExpiresAt`. `now` is given, never read from a clock.
 * - **Ids** are non-empty, compared byte for byte and, where an order is asked for, ordered by their UTF-8 bytes.
 * - **Atomic** means: for every other caller it happens at one instant, in this process and in others.
 * - Nothing but `insert` creates a row, so that no session that has ended comes back.
 * - Every method rejects when the storage cannot be reached, and none of them retries for ever. What it rejects with
 *   becomes the cause of a `SessionStoreError`.
 *
 * `MemorySessionBackend` is the reference, and `describeSessionBackend()` tests all of this; both are in
 * `nest-sessions/testing`.
 *
 * @example The step that has to be atomic as a whole
 * ```ts
 * export abstract class OutlineBackend extends SessionBackend {
 *   // A transaction that keeps out every other sign-in of the user, in all processes. `rows` stands for the table.
 *   abstract alone<R>(userId: string | null, work: (rows: Map<string, SessionRow>) => R): Promise<R>;
 *   // The user's active rows with a token that are too many beside the new one, the replaced one not counted.
 *   abstract excess(rows: Map<string, SessionRow>, row: SessionRow, request: InsertRequest): SessionRow[];
 *
 *   insert(request: InsertRequest): Promise<InsertResult> {
 *     return this.alone<InsertResult>(request.userId, (rows) => {
 *       const replaced = rows.get(request.replaces ?? '') ?? null;
 *       const row = request.build(replaced); // here, and not before the lock is held
 *       if (row === null) return { status: 'refused' };
 *       if (rows.has(row.id) && row.id !== request.replaces) return { status: 'taken' };
 *       const evicted = this.excess(rows, row, request);
 *       if (evicted.length > 0 && request.limit?.onLimit === 'reject') return { status: 'limit' };
 *       for (const one of replaced ? [replaced, ...evicted] : evicted) rows.delete(one.id);
 *       rows.set(row.id, row);
 *       return { status: 'inserted', row, replaced, evicted };
 *     });
 *   }
 * }
 * ```
 */
export abstract class SessionBackend {
  /** Whether the storage forgets expired rows by itself, so that nobody has to walk over it to delete them. */
  readonly expiresNatively: boolean = false;

  /**
   * Creates what the storage needs, if it is absent, and upgrades earlier versions of it. Idempotent, and safe from
   * several processes at once.
   *
   * @param call.timeout milliseconds after which a call has been answered with an error: what has not been stored by then should
   *   not be stored later. Not given: nobody says
   * @throws for a schema that is not ours, which stays as it is
   */
  abstract init(call?: { readonly timeout: number }): Promise<void>;

  /** Releases what the backend opened, and nothing that it was given. Idempotent. Rows stay. */
  abstract close(): Promise<void>;

  /**
   * What the storage has to tell other processes that sessions have ended, for `live: { bus: 'storage' }`. Asked once, before
   * `init()`.
   *
   * @returns `null`, unless it is overridden: there is nothing, so they find it by looking
   */
  bus(): SessionBus | null {
    return null;
  }

  /**
   * What ends the ids of a user's new sessions, for a storage that keeps the rows of a user together by it.
   *
   * @param userId the owner; `null`: nobody
   * @returns `''`, unless it is overridden, or two characters of Crockford's base 32 (digits and upper-case letters without
   *   I, L, O and U)
   */
  idSuffix(_userId: string | null): string {
    return '';
  }

  /**
   * Finds rows by id. Expired rows are returned as they are. Atomic per row.
   *
   * @returns a row for each of `ids`, in their order; `null` where there is none
   */
  abstract find(ids: readonly string[]): Promise<ReadonlyArray<SessionRow | null>>;

  /**
   * Says which rows are active at `now`: asked again and again for the sessions that something is open for, a few hundred ids
   * at a time, so a storage reads neither payloads nor tokens for it. Atomic per row. What was acknowledged before the call
   * is seen, as by `find`.
   *
   * @returns what is told of a row for each of `ids`, in their order; `null` where there is none, or one that is not active
   */
  abstract alive(ids: readonly string[], now: EpochMs): Promise<ReadonlyArray<LiveRow | null>>;

  /**
   * Inserts one row, never over an existing one, unless `replaces` names it. The new row is never a victim of the limit.
   *
   * Atomic as a whole: reading and deleting the replaced row, counting, evicting and inserting are one step, so that the
   * limit is never exceeded. On any status but `inserted` nothing has changed.
   */
  abstract insert(request: InsertRequest): Promise<InsertResult>;

  /**
   * Stores payloads, each if its row is active and still of the version that is expected. Each change is atomic on its
   * own, and one that misses stops no other. A change that is stored already hits as well: it is sent again when an answer
   * was lost.
   *
   * @returns for each change, whether its row is active and now holds it
   * @example One of the changes, in SQL
   * ```ts
   * import type { Pool } from 'pg';
   *
   * export async function saveOne(pool: Pool, one: PayloadChange): Promise<boolean> {
   *   const { rowCount } = await pool.query(
   *     `UPDATE sessions SET version = $3, key_id = $4, payload = $5, last_active_at = GREATEST(last_active_at, $6),
   *        expires_at = GREATEST(expires_at, LEAST($7, absolute_expires_at))
   *      WHERE id = $1 AND version IN ($2, $3) AND expires_at > $8 AND absolute_expires_at > $8`,
   *     [one.id, one.expectedVersion, one.version, one.keyId, one.payload, one.lastActiveAt, one.expiresAt, one.now],
   *   );
   *   return rowCount === 1;
   * }
   * ```
   */
  abstract save(changes: readonly PayloadChange[]): Promise<readonly boolean[]>;

  /**
   * Records use. Neither instant moves back. Each touch is atomic on its own, and one that misses stops no other.
   *
   * @returns for each touch, whether its row is there, active and not excepted by `unlessActiveAfter`
   */
  abstract touch(touches: readonly Touch[]): Promise<readonly boolean[]>;

  /**
   * Swaps the token side of a row, if the row is active and its token side still is `expected`. Atomic: of several calls
   * that expect the same, and have different ones next, one gets `true`. A call whose next hash, use and generation are stored
   * already gets `true` as well: it is sent again when an answer was lost.
   */
  abstract changeToken(change: TokenChange): Promise<boolean>;

  /**
   * Deletes rows, expired or not. Atomic as a whole: no caller sees a part, and of several calls one reports a row.
   *
   * A sign-out that was rejected is tried again, also where it has been done. So where a storage resolves only once a write is
   * safe, a call that finds nothing to delete waits until those are safe that came before it.
   *
   * @returns the rows that this call has deleted
   */
  abstract delete(selection: RowSelection): Promise<readonly EndedRow[]>;

  /** The active rows of one user. Atomic: one consistent view. */
  abstract list(request: ListRequest): Promise<readonly SessionRow[]>;

  /**
   * Gives those of the next `batchSize` rows that are active and that the step asks for. Atomic per row. A row that is there,
   * and matches, from the first step to the last is given exactly once, whatever begins and ends meanwhile. The order is the
   * storage's own.
   */
  abstract walk(step: WalkStep): Promise<WalkResult>;

  /**
   * Deletes the expired rows among the next `batchSize`, in an order of the storage's own. Atomic per row: a row that is live
   * when it would be deleted stays, whatever it was when it was looked at. A row that has expired before the first step is gone
   * after the last, unless another call was at work on it: then it is left to the next walk.
   */
  abstract prune(step: PruneStep): Promise<PruneResult>;

  /**
   * The `keyId`s of the active rows, for health reports: a key whose id is not among them may be removed. Asked once a minute
   * by every process, so a storage reads no rows for it. There may be others among them, whose rows have ended or expired, but
   * none for longer than those rows could have lasted or are stored.
   */
  abstract keysInUse(now: EpochMs): Promise<ReadonlySet<string>>;

  /**
   * Whether `claimCleanup` keeps all processes but one from cleaning up. `false`, unless it is overridden: then each of them
   * does, and their walks are spread over a minute at most.
   */
  readonly leasesCleanup: boolean = false;

  /**
   * Claims the lease on the clean-up, or claims it again: it then ends at `until`. Of several holders that claim it one has
   * it, until its end; a lease that would end more than two hours after `now` was written by a clock that is wrong, and
   * keeps nobody off. Where the lease is kept, it is no session: no other method gives, counts or deletes it. Atomic.
   *
   * @returns whether the holder has it, or had it and has given it back. `true`, unless it is overridden
   */
  async claimCleanup(_claim: CleanupClaim): Promise<boolean> {
    return true;
  }

  /**
   * Says how the storage is, for health reports and once at startup.
   *
   * @returns that there is nothing to say, unless it is overridden
   */
  async health(): Promise<BackendHealth> {
    return { problems: [], warnings: [], now: null };
  }
}
