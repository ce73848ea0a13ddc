import { isActive } from '../../../src/core/session-expiry.js';
import type {
  InsertRequest,
  InsertResult,
  ListRequest,
  PayloadChange,
  PruneStep,
  RowSelection,
  TokenChange,
  Touch,
} from '../../../src/core/session-backend.js';
import type { SessionRow } from '../../../src/core/session-row.js';
import { OpenMemoryBackend } from '../../core/support/backends.js';

/** A storage with one flaw; where it is not atomic, it waits in between for as long as the schedule wants. */
abstract class Flawed extends OpenMemoryBackend {
  constructor(protected readonly between: () => Promise<void>) {
    super();
  }
}

class SaveWithoutVersion extends Flawed {
  override save(changes: readonly PayloadChange[]) {
    return super.save(
      changes.map((one) => ({ ...one, expectedVersion: this.rows.get(one.id)?.version ?? 0 })),
    );
  }
}

class SaveThatUpserts extends Flawed {
  private readonly seen = new Map<string, SessionRow>();

  override async find(ids: readonly string[]) {
    for (const id of ids) if (this.rows.has(id)) this.seen.set(id, this.row(id));
    return super.find(ids);
  }

  override save(changes: readonly PayloadChange[]) {
    for (const { id } of changes) {
      const row = this.seen.get(id);
      if (row && !this.rows.has(id)) this.rows.set(id, row);
    }
    return super.save(changes);
  }
}

class TouchThatRevives extends Flawed {
  override touch(touches: readonly Touch[]) {
    return super.touch(touches.map((one) => ({ ...one, now: 0 })));
  }
}

class TouchPastTheAbsoluteExpiry extends Flawed {
  override async touch(touches: readonly Touch[]) {
    const hits = await super.touch(touches);
    touches.forEach(({ id, expiresAt }, index) => {
      if (hits[index])
        this.tamper(id, {
          expiresAt,
          absoluteExpiresAt: Math.max(expiresAt, this.row(id).absoluteExpiresAt),
        });
    });
    return hits;
  }
}

class TouchThatWritesTheWholeRow extends Flawed {
  override async touch(touches: readonly Touch[]) {
    const before = touches.map(({ id }) => this.rows.get(id));
    await this.between();
    for (const row of before) if (row && this.rows.has(row.id)) this.rows.set(row.id, row);
    return super.touch(touches);
  }
}

class RotationWithTwoWinners extends Flawed {
  override async changeToken(change: TokenChange) {
    const { tokenHash, tokenUsed } = change.expected;
    const before = this.rows.get(change.id);
    if (before?.tokenHash !== tokenHash || before.tokenUsed !== tokenUsed) return false;
    await this.between();
    const now = this.rows.get(change.id);
    return now !== undefined && super.changeToken({ ...change, expected: now });
  }
}

class RotationThatForgetsTheOldToken extends Flawed {
  override changeToken(change: TokenChange) {
    return super.changeToken({ ...change, next: { ...change.next, supersededHash: null } });
  }
}

class LimitInTwoSteps extends Flawed {
  override async insert(request: InsertRequest): Promise<InsertResult> {
    const before = new Set(this.rows.keys());
    await this.between();
    const { limit } = request;
    const hidden = limit === null ? [] : [...this.rows.values()].filter((row) => !before.has(row.id));
    for (const row of hidden) this.rows.delete(row.id);
    const result = super.insert(request);
    for (const row of hidden) if (row.id !== request.replaces) this.rows.set(row.id, row);
    return result;
  }
}

class LimitThatEvictsTheNewOne extends Flawed {
  override async insert(request: InsertRequest): Promise<InsertResult> {
    const result = await super.insert({ ...request, limit: null });
    if (result.status !== 'inserted' || request.limit === null || result.row.userId === null) return result;
    const count = [...this.rows.values()].filter(
      (row) =>
        row.userId === result.row.userId && row.tokenHash !== null && isActive(row, result.row.createdAt),
    ).length;
    if (count > request.limit.max) this.rows.delete(result.row.id);
    return result;
  }
}

class CycleThatForks extends Flawed {
  override async insert(request: InsertRequest): Promise<InsertResult> {
    const replaced = this.rows.get(request.replaces ?? '') ?? null;
    if (replaced === null) return super.insert(request);
    await this.between();
    const result = await super.insert({ ...request, build: () => request.build(replaced) });
    return result.status === 'inserted' ? { ...result, replaced } : result;
  }
}

class DeleteInTwoSteps extends Flawed {
  override async delete(selection: RowSelection) {
    const before = new Map(this.rows);
    const ended = await super.delete(selection);
    for (const { id } of ended) this.rows.set(id, before.get(id) as SessionRow);
    await this.between();
    for (const { id } of ended) this.rows.delete(id);
    return ended;
  }
}

class RevokeThatLeavesTheOldToken extends Flawed {
  override async delete(selection: RowSelection) {
    const before = new Map(this.rows);
    const ended = await super.delete(selection);
    for (const { id } of ended) {
      const row = before.get(id);
      if (row && row.supersededHash !== null) this.rows.set(id, { ...row, tokenHash: row.supersededHash });
    }
    return ended;
  }
}

class PruneThatTakesLiveRows extends Flawed {
  override prune(step: PruneStep) {
    return super.prune({ ...step, now: step.now + 3_600_000 });
  }
}

class ListWithoutExpiry extends Flawed {
  override list(request: ListRequest) {
    return super.list({ ...request, now: 0 });
  }
}

class FindFromACache extends Flawed {
  private readonly cache = new Map<string, SessionRow | null>();

  override async find(ids: readonly string[]) {
    const rows = await super.find(ids);
    return ids.map((id, index) => {
      const cached = this.cache.get(id) ?? null;
      if (cached === null) this.cache.set(id, rows[index] ?? null);
      return cached ?? rows[index] ?? null;
    });
  }
}

/** Each flaw, and what a schedule that meets it complains of. */
export const FLAWED_STORAGES: readonly {
  readonly Storage: new (between: () => Promise<void>) => Flawed;
  readonly caughtBy: RegExp;
}[] = [
  { Storage: SaveWithoutVersion, caughtBy: /could only be one of|is lost|is back/ },
  { Storage: SaveThatUpserts, caughtBy: /was revived|is there after/ },
  { Storage: TouchThatRevives, caughtBy: /was revived/ },
  { Storage: TouchPastTheAbsoluteExpiry, caughtBy: /the absolute expiry .* grew/ },
  {
    Storage: TouchThatWritesTheWholeRow,
    caughtBy: /could only be one of|is lost|is back|is stale|is reuse|not been noticed|was rotated twice/,
  },
  { Storage: RotationWithTwoWinners, caughtBy: /was rotated twice/ },
  { Storage: RotationThatForgetsTheOldToken, caughtBy: /the cookie of .* is stale/ },
  { Storage: LimitInTwoSteps, caughtBy: /sessions, with a limit of/ },
  { Storage: LimitThatEvictsTheNewOne, caughtBy: /was not stored/ },
  { Storage: CycleThatForks, caughtBy: /was ended twice/ },
  { Storage: DeleteInTwoSteps, caughtBy: /was ended twice|is there after/ },
  { Storage: RevokeThatLeavesTheOldToken, caughtBy: /is there after/ },
  { Storage: PruneThatTakesLiveRows, caughtBy: /prune took the live row/ },
  { Storage: ListWithoutExpiry, caughtBy: /is listed after its end/ },
  { Storage: FindFromACache, caughtBy: /an ended token .* was served/ },
];
