import {
  SessionBackend,
  type InsertRequest,
  type InsertResult,
  type ListRequest,
  type PayloadChange,
  type PruneResult,
  type PruneStep,
  type RowSelection,
  type TokenChange,
  type Touch,
  type WalkResult,
  type WalkStep,
} from '../../core/session-backend.js';
import { type SessionLimit, chooseVictims, isCounted } from '../../core/session-limit.js';
import { type CleanupClaim, type CleanupLease, isHeldByAnother } from '../../core/cleanup-lease.js';
import { compareIds } from '../../core/identifiers.js';
import { isActive } from '../../core/session-expiry.js';
import { tokenState } from '../../core/rotation-policy.js';
import type { EndedRow, EpochMs, LiveRow, SessionRow } from '../../core/session-row.js';

/**
 * Sessions in the memory of this process: for tests, and the executable reference of what every backend does.
 *
 * Each method runs to its end without giving way to another, so each is atomic. Rows are copied on the way in and
 * out, so nothing a caller holds is storage.
 */
export class MemorySessionBackend extends SessionBackend {
  protected readonly rows: Map<string, SessionRow>;
  override readonly leasesCleanup: boolean = true;
  readonly #lease: { held: CleanupLease | null };

  /** @param beside another backend, whose rows this one has too, as a second process would. @default rows of its own */
  constructor(beside?: MemorySessionBackend) {
    super();
    this.rows = beside?.rows ?? new Map<string, SessionRow>();
    this.#lease = beside === undefined ? { held: null } : beside.#lease;
  }

  /** Nothing to create. */
  async init(): Promise<void> {}

  /** Nothing to release; the rows stay. */
  async close(): Promise<void> {}

  async find(ids: readonly string[]): Promise<ReadonlyArray<SessionRow | null>> {
    return ids.map((id) => copy(this.rows.get(id) ?? null));
  }

  async alive(ids: readonly string[], now: EpochMs): Promise<ReadonlyArray<LiveRow | null>> {
    return ids.map((id) => {
      const row = ifActive(this.rows.get(id), now);
      return row && told(row);
    });
  }

  async insert(request: InsertRequest): Promise<InsertResult> {
    const replaced = request.replaces === null ? null : (this.rows.get(request.replaces) ?? null);
    const row = request.build(copy(replaced));
    if (row === null) return { status: 'refused' };
    if (row.id !== request.replaces && this.rows.has(row.id)) return { status: 'taken' };

    const limit = row.userId === null || row.tokenHash === null ? null : request.limit;
    const excess = limit === null ? [] : this.excess(row, limit, request.replaces);
    if (excess.length > 0 && limit?.onLimit === 'reject') return { status: 'limit' };

    if (replaced !== null) this.rows.delete(replaced.id);
    for (const victim of excess) this.rows.delete(victim.id);
    this.rows.set(row.id, copy(row));
    return { status: 'inserted', row: copy(row), replaced: copy(replaced), evicted: excess.map(told) };
  }

  async save(changes: readonly PayloadChange[]): Promise<readonly boolean[]> {
    return changes.map((change) => {
      const row = ifActive(this.rows.get(change.id), change.now);
      if (row === null || ![change.expectedVersion, change.version].includes(row.version)) return false;
      const { version, keyId } = change;
      const payload = Buffer.from(change.payload);
      this.rows.set(row.id, { ...row, ...extended(row, change), version, keyId, payload });
      return true;
    });
  }

  async touch(touches: readonly Touch[]): Promise<readonly boolean[]> {
    return touches.map((touch) => {
      const row = ifActive(this.rows.get(touch.id), touch.now);
      if (row === null || row.lastActiveAt > (touch.unlessActiveAfter ?? Infinity)) return false;
      this.rows.set(row.id, { ...row, ...extended(row, touch) });
      return true;
    });
  }

  async changeToken(change: TokenChange): Promise<boolean> {
    const row = ifActive(this.rows.get(change.id), change.now);
    if (row === null) return false;
    if (!isToken(row, change.expected) && !isStoredAlready(row, change.next)) return false;
    this.rows.set(row.id, {
      ...row,
      ...tokenState(change.next),
      authenticatedAt: change.authenticatedAt ?? row.authenticatedAt,
    });
    return true;
  }

  async delete(selection: RowSelection): Promise<readonly EndedRow[]> {
    const selected = [...this.rows.values()].filter((row) => isSelected(row, selection));
    for (const row of selected) this.rows.delete(row.id);
    return selected.map(told);
  }

  async list({ userId, now, orderBy, limit }: ListRequest): Promise<readonly SessionRow[]> {
    return [...this.rows.values()]
      .filter((row) => row.userId === userId && isActive(row, now))
      .toSorted((a, b) => b[orderBy] - a[orderBy] || compareIds(b.id, a.id))
      .slice(0, limit ?? undefined)
      .map((row) => copy(row));
  }

  async walk({ now, cursor, batchSize, activeSince, authenticated, limit }: WalkStep): Promise<WalkResult> {
    const { batch, next } = this.#batchBehind(cursor, batchSize);
    const rows = batch.filter(
      (row) =>
        isActive(row, now) &&
        (activeSince === null || row.lastActiveAt >= activeSince) &&
        (authenticated === null || (row.userId !== null) === authenticated),
    );
    const given = rows.slice(0, limit).map((row) => copy(row));
    return { rows: given, next: rows.length > limit ? (given.at(-1)?.id ?? null) : next };
  }

  async prune({ now, cursor, batchSize }: PruneStep): Promise<PruneResult> {
    const { batch, next } = this.#batchBehind(cursor, batchSize);
    const expired = batch.filter((row) => !isActive(row, now));
    for (const row of expired) this.rows.delete(row.id);
    return { deleted: expired.length, next };
  }

  async keysInUse(): Promise<ReadonlySet<string>> {
    return new Set([...this.rows.values()].map(({ keyId }) => keyId));
  }

  override async claimCleanup(claim: CleanupClaim): Promise<boolean> {
    if (isHeldByAnother(this.#lease.held, claim)) return false;
    this.#lease.held = { holder: claim.holder, until: claim.until };
    return true;
  }

  /** The next rows in order of id, and where those behind them begin. */
  #batchBehind(after: string | null, size: number): { batch: SessionRow[]; next: string | null } {
    const batch = [...this.rows.values()]
      .filter((row) => after === null || compareIds(row.id, after) > 0)
      .toSorted((a, b) => compareIds(a.id, b.id))
      .slice(0, size);
    return { batch, next: batch.length < size ? null : (batch.at(-1)?.id ?? null) };
  }

  /** The rows that would have to go for `row` to fit, least recently active first. */
  protected excess(row: SessionRow, limit: SessionLimit, replaces: string | null): SessionRow[] {
    const now = Math.max(row.createdAt, row.lastActiveAt);
    const counted = [...this.rows.values()].filter(
      (other) => row.userId !== null && isCounted(other, row.userId, now) && other.id !== replaces,
    );
    return chooseVictims(counted, limit.max);
  }
}

function ifActive(row: SessionRow | undefined, now: EpochMs): SessionRow | null {
  return row !== undefined && isActive(row, now) ? row : null;
}

function isToken(row: SessionRow, { tokenHash, tokenUsed }: TokenChange['expected']): boolean {
  return row.tokenHash === tokenHash && row.tokenUsed === tokenUsed;
}

function isStoredAlready(row: SessionRow, next: TokenChange['next']): boolean {
  return isToken(row, next) && row.tokenGeneration === next.tokenGeneration;
}

function copy<T extends SessionRow | null>(row: T): T {
  return row === null ? row : { ...row, payload: Buffer.from(row.payload) };
}

function told({ id, userId, expiresAt, absoluteExpiresAt }: SessionRow): LiveRow & EndedRow {
  return { id, userId, expiresAt, absoluteExpiresAt };
}

function extended(row: SessionRow, use: Touch): Pick<SessionRow, 'lastActiveAt' | 'expiresAt'> {
  return {
    lastActiveAt: Math.max(row.lastActiveAt, use.lastActiveAt),
    expiresAt: Math.max(row.expiresAt, Math.min(use.expiresAt, row.absoluteExpiresAt)),
  };
}

function isSelected(row: SessionRow, selection: RowSelection): boolean {
  if (selection.userId !== undefined && row.userId !== selection.userId) return false;
  return 'ids' in selection ? selection.ids.includes(row.id) : row.id !== selection.exceptId;
}
