import { MemorySessionBackend } from '../../../../src/backends/memory/memory-session-backend.js';
import type { InsertRequest, InsertResult } from '../../../../src/core/session-backend.js';
import type { SessionLimit } from '../../../../src/core/session-limit.js';
import type { SessionRow } from '../../../../src/core/session-row.js';
import { compareBytes, pause, type Flaw } from './flaw.js';

const FOREVER = Number.MAX_SAFE_INTEGER;

abstract class OwnLimit extends MemorySessionBackend {
  protected order(a: SessionRow, b: SessionRow): number {
    return a.lastActiveAt - b.lastActiveAt || compareBytes(a.id, b.id);
  }

  protected isCounted(row: SessionRow, built: SessionRow, replaces: string | null): boolean {
    const now = Math.max(built.createdAt, built.lastActiveAt);
    const isActive = now < row.expiresAt && now < row.absoluteExpiresAt;
    return row.userId === built.userId && row.tokenHash !== null && isActive && row.id !== replaces;
  }

  protected override excess(built: SessionRow, { max }: SessionLimit, replaces: string | null): SessionRow[] {
    const counted = [...this.rows.values()].filter((row) => this.isCounted(row, built, replaces));
    return counted.toSorted((a, b) => this.order(a, b)).slice(0, Math.max(0, counted.length + 1 - max));
  }
}

export class RightOwnLimit extends OwnLimit {}

class LimitInTwoSteps extends MemorySessionBackend {
  override async insert(request: InsertRequest): Promise<InsertResult> {
    const before = new Map(this.rows);
    const inserting = super.insert(request);
    for (const [id, row] of before) this.rows.set(id, row);
    const result = await inserting;
    await pause();
    for (const { id } of result.status === 'inserted' ? result.evicted : []) this.rows.delete(id);
    if (result.status === 'inserted' && result.replaced?.id !== result.row.id)
      this.rows.delete(request.replaces ?? '');
    return result;
  }
}

class BuildsOutsideTheCriticalSection extends MemorySessionBackend {
  private calls = 0;

  override async insert(request: InsertRequest): Promise<InsertResult> {
    const built = request.build(request.replaces === null ? null : (this.rows.get(request.replaces) ?? null));
    for (let turns = 100 - this.calls++; turns > 0; turns--) await pause();
    return super.insert({ ...request, build: () => built });
  }
}

class EvictsTheNewRow extends MemorySessionBackend {
  override async insert(request: InsertRequest): Promise<InsertResult> {
    const result = await super.insert({ ...request, limit: null });
    if (request.limit === null || result.status !== 'inserted' || result.row.userId === null) return result;
    const counted = [...this.rows.values()]
      .filter(({ userId, tokenHash }) => userId === result.row.userId && tokenHash !== null)
      .toSorted((a, b) => a.lastActiveAt - b.lastActiveAt || compareBytes(a.id, b.id));
    const evicted = counted.slice(0, Math.max(0, counted.length - request.limit.max));
    for (const { id } of evicted) this.rows.delete(id);
    return { ...result, evicted };
  }
}

class EvictsTheMostRecent extends OwnLimit {
  protected override order(a: SessionRow, b: SessionRow): number {
    return super.order(b, a);
  }
}

class EvictsByCreation extends OwnLimit {
  protected override order(a: SessionRow, b: SessionRow): number {
    return a.createdAt - b.createdAt || super.order(a, b);
  }
}

class EvictsTiesByHigherId extends OwnLimit {
  protected override order(a: SessionRow, b: SessionRow): number {
    return a.lastActiveAt - b.lastActiveAt || compareBytes(b.id, a.id);
  }
}

class EvictsTiesByCodeUnit extends OwnLimit {
  protected override order(a: SessionRow, b: SessionRow): number {
    return a.lastActiveAt - b.lastActiveAt || (a.id < b.id ? -1 : 1);
  }
}

class EvictsOneAtMost extends OwnLimit {
  protected override excess(built: SessionRow, limit: SessionLimit, replaces: string | null): SessionRow[] {
    return super.excess(built, limit, replaces).slice(0, 1);
  }
}

class AllowsOneMore extends OwnLimit {
  protected override excess(built: SessionRow, limit: SessionLimit, replaces: string | null): SessionRow[] {
    return super.excess(built, { ...limit, max: limit.max + 1 }, replaces);
  }
}

class LimitLosesTheLastMillisecond extends OwnLimit {
  protected override isCounted(row: SessionRow, built: SessionRow, replaces: string | null): boolean {
    return super.isCounted({ ...row, expiresAt: row.expiresAt - 1 }, built, replaces);
  }
}

class LimitTakesCreationForThePresent extends OwnLimit {
  protected override isCounted(row: SessionRow, built: SessionRow, replaces: string | null): boolean {
    return super.isCounted(row, { ...built, lastActiveAt: 0 }, replaces);
  }
}

class LimitTakesLastUseForThePresent extends OwnLimit {
  protected override isCounted(row: SessionRow, built: SessionRow, replaces: string | null): boolean {
    return super.isCounted(row, { ...built, createdAt: 0 }, replaces);
  }
}

class EvictsTiesByLocale extends OwnLimit {
  protected override order(a: SessionRow, b: SessionRow): number {
    return a.lastActiveAt - b.lastActiveAt || a.id.localeCompare(b.id);
  }
}

class LimitCountsExpiredRows extends OwnLimit {
  protected override isCounted(row: SessionRow, built: SessionRow, replaces: string | null): boolean {
    return super.isCounted({ ...row, expiresAt: FOREVER, absoluteExpiresAt: FOREVER }, built, replaces);
  }
}

class LimitIgnoresAbsoluteExpiry extends OwnLimit {
  protected override isCounted(row: SessionRow, built: SessionRow, replaces: string | null): boolean {
    return super.isCounted({ ...row, absoluteExpiresAt: FOREVER }, built, replaces);
  }
}

class LimitCountsAtTheInstantOfExpiry extends OwnLimit {
  protected override isCounted(row: SessionRow, built: SessionRow, replaces: string | null): boolean {
    return super.isCounted({ ...row, expiresAt: row.expiresAt + 1 }, built, replaces);
  }
}

class LimitCountsOtherUsers extends OwnLimit {
  protected override isCounted(row: SessionRow, built: SessionRow, replaces: string | null): boolean {
    const isAlike = row.userId?.trim().toLowerCase() === built.userId?.toLowerCase();
    return super.isCounted({ ...row, userId: isAlike ? built.userId : row.userId }, built, replaces);
  }
}

class LimitCountsRowsWithoutToken extends OwnLimit {
  protected override isCounted(row: SessionRow, built: SessionRow, replaces: string | null): boolean {
    return super.isCounted({ ...row, tokenHash: 'counted' }, built, replaces);
  }
}

class LimitCountsTheReplacedRow extends OwnLimit {
  protected override isCounted(row: SessionRow, built: SessionRow): boolean {
    return super.isCounted(row, built, null);
  }
}

class LimitAppliesToRowsWithoutToken extends MemorySessionBackend {
  override async insert(request: InsertRequest): Promise<InsertResult> {
    let tokenHash: string | null = null;
    const build = (replaced: SessionRow | null) => {
      const built = request.build(replaced);
      tokenHash = built?.tokenHash ?? null;
      return built && { ...built, tokenHash: tokenHash ?? 'counted' };
    };
    const result = await super.insert({ ...request, build });
    if (result.status !== 'inserted') return result;
    const row = { ...result.row, tokenHash };
    this.rows.set(row.id, row);
    return { ...result, row };
  }
}

class RejectingLimitInTwoSteps extends MemorySessionBackend {
  override async insert(request: InsertRequest): Promise<InsertResult> {
    if (request.limit?.onLimit !== 'reject') return super.insert(request);
    const before = new Map(this.rows);
    const inserting = super.insert(request);
    this.rows.clear();
    for (const [id, row] of before) this.rows.set(id, row);
    const result = await inserting;
    await pause();
    return result.status === 'inserted'
      ? super.insert({ ...request, limit: null, build: () => result.row })
      : result;
  }
}

export const BROKEN_LIMITS: readonly Flaw[] = [
  {
    Backend: LimitInTwoSteps,
    caughtBy:
      'insert with a limit that evicts › is never exceeded by 50 inserts at once, and the last built remain',
  },
  {
    Backend: BuildsOutsideTheCriticalSection,
    caughtBy:
      'insert with a limit that evicts › is never exceeded by 50 inserts at once, and the last built remain',
  },
  {
    Backend: EvictsTheNewRow,
    caughtBy:
      'insert with a limit that evicts › never ends the new row, however old its last use and low its id',
  },
  {
    Backend: EvictsTheMostRecent,
    caughtBy: 'insert with a limit that evicts › ends the least recently active row, and says so',
  },
  {
    Backend: EvictsByCreation,
    caughtBy: 'insert with a limit that evicts › goes by the last use, not by the creation',
  },
  {
    Backend: EvictsTiesByHigherId,
    caughtBy:
      'insert with a limit that evicts › takes the lower id of rows last active at the same instant, byte for byte',
  },
  {
    Backend: EvictsTiesByCodeUnit,
    caughtBy:
      'insert with a limit that evicts › takes the lower id of rows last active at the same instant, byte for byte',
  },
  {
    Backend: EvictsOneAtMost,
    caughtBy:
      'insert with a limit that evicts › ends as many as it takes when the limit has been lowered, least recently active first',
  },
  {
    Backend: AllowsOneMore,
    caughtBy: 'insert with a limit that rejects › stores nothing and ends nobody when the user has as many',
  },
  {
    Backend: LimitLosesTheLastMillisecond,
    caughtBy: 'insert with a limit that evicts › still counts a row one millisecond before its expiry',
  },
  {
    Backend: LimitTakesCreationForThePresent,
    caughtBy:
      'insert with a limit that evicts › takes the later of creation and last use of the new row for the present',
  },
  {
    Backend: LimitTakesLastUseForThePresent,
    caughtBy:
      'insert with a limit that evicts › takes the later of creation and last use of the new row for the present',
  },
  {
    Backend: EvictsTiesByLocale,
    caughtBy:
      'insert with a limit that evicts › takes the lower id of rows last active at the same instant, byte for byte',
  },
  {
    Backend: LimitCountsExpiredRows,
    caughtBy:
      'insert with a limit that evicts › neither counts nor ends expired rows, rows without a token, and those of others',
  },
  {
    Backend: LimitIgnoresAbsoluteExpiry,
    caughtBy:
      'insert with a limit that evicts › neither counts nor ends expired rows, rows without a token, and those of others',
  },
  {
    Backend: LimitCountsAtTheInstantOfExpiry,
    caughtBy:
      'insert with a limit that rejects › does not count expired rows, rows without a token, and those of others',
  },
  {
    Backend: LimitCountsOtherUsers,
    caughtBy:
      'insert with a limit that evicts › neither counts nor ends expired rows, rows without a token, and those of others',
  },
  {
    Backend: LimitCountsRowsWithoutToken,
    caughtBy:
      'insert with a limit that evicts › neither counts nor ends expired rows, rows without a token, and those of others',
  },
  {
    Backend: LimitCountsTheReplacedRow,
    caughtBy: 'insert with a limit that rejects › does not count the row it replaces',
  },
  {
    Backend: LimitAppliesToRowsWithoutToken,
    caughtBy: 'insert with a limit that rejects › always takes a row without a token',
  },
  {
    Backend: RejectingLimitInTwoSteps,
    caughtBy: 'insert with a limit that rejects › lets exactly as many of 50 inserts at once in',
  },
];
