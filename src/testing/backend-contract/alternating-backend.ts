import type { CleanupClaim } from '../../core/cleanup-lease.js';
import {
  type BackendHealth,
  type InsertRequest,
  type InsertResult,
  type ListRequest,
  type PayloadChange,
  type PruneResult,
  type PruneStep,
  type RowSelection,
  SessionBackend,
  type TokenChange,
  type Touch,
  type WalkResult,
  type WalkStep,
} from '../../core/session-backend.js';
import type { EndedRow, EpochMs, LiveRow, SessionRow } from '../../core/session-row.js';

/**
 * Two backends over one storage as one, which gives each call to the one that did not have the last. Calls that run at once
 * meet in the storage, as those of two processes do, and each call sees what the other backend has done before.
 */
export class AlternatingBackend extends SessionBackend {
  readonly #backends: readonly [SessionBackend, SessionBackend];
  override readonly leasesCleanup: boolean;
  #calls = 0;

  constructor(backends: readonly [SessionBackend, SessionBackend]) {
    super();
    this.#backends = backends;
    this.leasesCleanup = backends[0].leasesCleanup;
  }

  /** Both at once, as processes that start together. */
  async init(call?: { readonly timeout: number }): Promise<void> {
    await Promise.all(this.#backends.map((backend) => backend.init(call)));
  }

  async close(): Promise<void> {
    for (const backend of this.#backends) await backend.close();
  }

  find(ids: readonly string[]): Promise<ReadonlyArray<SessionRow | null>> {
    return this.#next.find(ids);
  }

  alive(ids: readonly string[], now: EpochMs): Promise<ReadonlyArray<LiveRow | null>> {
    return this.#next.alive(ids, now);
  }

  insert(request: InsertRequest): Promise<InsertResult> {
    return this.#next.insert(request);
  }

  save(changes: readonly PayloadChange[]): Promise<readonly boolean[]> {
    return this.#next.save(changes);
  }

  touch(touches: readonly Touch[]): Promise<readonly boolean[]> {
    return this.#next.touch(touches);
  }

  changeToken(change: TokenChange): Promise<boolean> {
    return this.#next.changeToken(change);
  }

  delete(selection: RowSelection): Promise<readonly EndedRow[]> {
    return this.#next.delete(selection);
  }

  list(request: ListRequest): Promise<readonly SessionRow[]> {
    return this.#next.list(request);
  }

  walk(step: WalkStep): Promise<WalkResult> {
    return this.#next.walk(step);
  }

  prune(step: PruneStep): Promise<PruneResult> {
    return this.#next.prune(step);
  }

  keysInUse(now: EpochMs): Promise<ReadonlySet<string>> {
    return this.#next.keysInUse(now);
  }

  override claimCleanup(claim: CleanupClaim): Promise<boolean> {
    return this.#next.claimCleanup(claim);
  }

  override health(): Promise<BackendHealth> {
    return this.#next.health();
  }

  get #next(): SessionBackend {
    return this.#backends[this.#calls++ % 2 === 0 ? 0 : 1];
  }
}
