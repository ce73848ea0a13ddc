import { MemorySessionBackend } from '../../../src/backends/memory/memory-session-backend.js';
import type { CleanupClaim } from '../../../src/core/cleanup-lease.js';
import {
  type InsertRequest,
  type ListRequest,
  type PayloadChange,
  type PruneStep,
  type RowSelection,
  SessionBackend,
  type TokenChange,
  type Touch,
  type WalkStep,
} from '../../../src/core/session-backend.js';
import type { EpochMs, SessionRow } from '../../../src/core/session-row.js';
import type { SeededRandom } from './random.js';

/** A backend with its rows in reach: what an attacker with access to the database sees and changes. */
export interface OpenRows extends SessionBackend {
  readonly stored: ReadonlyMap<string, SessionRow>;
  /** The stored row; fails the test when there is none. */
  row(id: string): SessionRow;
  tamper(id: string, change: Partial<SessionRow>): void;
  plant(row: SessionRow): void;
}

/** The reference backend, with its rows in reach. */
export class OpenMemoryBackend extends MemorySessionBackend implements OpenRows {
  get stored(): ReadonlyMap<string, SessionRow> {
    return this.rows;
  }

  row(id: string): SessionRow {
    const row = this.rows.get(id);
    if (row === undefined) throw new Error(`No row ${id} is stored`);
    return row;
  }

  tamper(id: string, change: Partial<SessionRow>): void {
    this.rows.set(id, { ...this.row(id), ...change });
  }

  plant(row: SessionRow): void {
    this.rows.set(row.id, row);
  }
}

export type BackendMethod = Exclude<keyof SessionBackend, symbol>;
export type Around = <T>(method: BackendMethod, call: () => Promise<T>) => Promise<T>;

/** A backend that does something around every call of another one. */
export class WrappedBackend extends SessionBackend {
  /** Calls so far, by name. */
  readonly calls: BackendMethod[] = [];
  override readonly leasesCleanup: boolean;

  constructor(
    readonly inner: SessionBackend,
    public around: Around = (_method, call) => call(),
  ) {
    super();
    this.leasesCleanup = inner.leasesCleanup;
  }

  count(method: BackendMethod): number {
    return this.calls.filter((one) => one === method).length;
  }

  init(call?: { readonly timeout: number }) {
    return this.#call('init', () => this.inner.init(call));
  }
  close() {
    return this.#call('close', () => this.inner.close());
  }
  override bus() {
    return this.inner.bus();
  }
  find(ids: readonly string[]) {
    return this.#call('find', () => this.inner.find(ids));
  }
  alive(ids: readonly string[], now: EpochMs) {
    return this.#call('alive', () => this.inner.alive(ids, now));
  }
  insert(request: InsertRequest) {
    return this.#call('insert', () => this.inner.insert(request));
  }
  save(changes: readonly PayloadChange[]) {
    return this.#call('save', () => this.inner.save(changes));
  }
  touch(touches: readonly Touch[]) {
    return this.#call('touch', () => this.inner.touch(touches));
  }
  changeToken(change: TokenChange) {
    return this.#call('changeToken', () => this.inner.changeToken(change));
  }
  delete(selection: RowSelection) {
    return this.#call('delete', () => this.inner.delete(selection));
  }
  list(request: ListRequest) {
    return this.#call('list', () => this.inner.list(request));
  }
  walk(step: WalkStep) {
    return this.#call('walk', () => this.inner.walk(step));
  }
  prune(step: PruneStep) {
    return this.#call('prune', () => this.inner.prune(step));
  }
  keysInUse(now: EpochMs) {
    return this.#call('keysInUse', () => this.inner.keysInUse(now));
  }

  override claimCleanup(claim: CleanupClaim) {
    return this.#call('claimCleanup', () => this.inner.claimCleanup(claim));
  }

  override health() {
    return this.#call('health', () => this.inner.health());
  }

  #call<T>(method: BackendMethod, call: () => Promise<T>): Promise<T> {
    this.calls.push(method);
    return this.around(method, call);
  }
}

/** Gives way for a few turns before and after every call, as a database would. */
export function yielding(random: SeededRandom): Around {
  const giveWay = async (): Promise<void> => {
    for (let turns = random.integer(0, 3); turns > 0; turns--) {
      await (random.chance(0.5) ? new Promise((resolve) => setImmediate(resolve)) : Promise.resolve());
    }
  };
  return async (_method, call) => {
    await giveWay();
    const result = await call();
    await giveWay();
    return result;
  };
}

/** A call that never answers. */
export function hang<T>(): Promise<T> {
  return new Promise<T>(() => undefined);
}
