import { MemorySessionBackend } from '../../../../src/backends/memory/memory-session-backend.js';
import type { InsertRequest, InsertResult } from '../../../../src/core/session-backend.js';
import type { SessionRow } from '../../../../src/core/session-row.js';
import { pause, type Flaw } from './flaw.js';

class UpsertingInsert extends MemorySessionBackend {
  override async insert(request: InsertRequest): Promise<InsertResult> {
    const built = request.build(request.replaces === null ? null : (this.rows.get(request.replaces) ?? null));
    if (built && built.id !== request.replaces) this.rows.delete(built.id);
    return super.insert({ ...request, build: () => built });
  }
}

class InsertOverExpiredRows extends MemorySessionBackend {
  override async insert(request: InsertRequest): Promise<InsertResult> {
    const build = (replaced: SessionRow | null) => {
      const built = request.build(replaced);
      const existing = built && this.rows.get(built.id);
      if (existing && existing.expiresAt <= built.createdAt) this.rows.delete(existing.id);
      return built;
    };
    return super.insert({ ...request, build });
  }
}

class HalfDoneWhenBuildThrows extends MemorySessionBackend {
  override async insert(request: InsertRequest): Promise<InsertResult> {
    try {
      return await super.insert(request);
    } catch (error) {
      if (request.replaces !== null) this.rows.delete(request.replaces);
      throw error;
    }
  }
}

class SwallowsWhatBuildThrows extends MemorySessionBackend {
  override insert(request: InsertRequest): Promise<InsertResult> {
    return super.insert(request).catch(() => ({ status: 'refused' }) as const);
  }
}

class PayloadAsText extends MemorySessionBackend {
  override insert(request: InsertRequest): Promise<InsertResult> {
    const build = (replaced: SessionRow | null) => {
      const built = request.build(replaced);
      return built && { ...built, payload: Buffer.from(built.payload.toString('utf8')) };
    };
    return super.insert({ ...request, build });
  }
}

class PayloadCutShort extends MemorySessionBackend {
  override insert(request: InsertRequest): Promise<InsertResult> {
    const build = (replaced: SessionRow | null) => {
      const built = request.build(replaced);
      return built && { ...built, payload: built.payload.subarray(0, 65_535) };
    };
    return super.insert({ ...request, build });
  }
}

class ReplacesBeforeItInserts extends MemorySessionBackend {
  override async insert(request: InsertRequest): Promise<InsertResult> {
    const replaced = request.replaces === null ? null : (this.rows.get(request.replaces) ?? null);
    if (replaced) this.rows.delete(replaced.id);
    const result = await super.insert({ ...request, replaces: null, build: () => request.build(replaced) });
    return result.status === 'inserted' ? { ...result, replaced } : result;
  }
}

class ReplacesInTwoSteps extends MemorySessionBackend {
  override async insert(request: InsertRequest): Promise<InsertResult> {
    const replaced = this.rows.get(request.replaces ?? '');
    const inserting = super.insert(request);
    if (replaced && !this.rows.has(replaced.id)) this.rows.set(replaced.id, replaced);
    const result = await inserting;
    if (result.status === 'inserted' && result.row.id !== request.replaces)
      this.rows.delete(request.replaces ?? '');
    return result;
  }
}

class CycleThatForks extends MemorySessionBackend {
  override async insert(request: InsertRequest): Promise<InsertResult> {
    const replaced = this.rows.get(request.replaces ?? '') ?? null;
    if (replaced === null) return super.insert(request);
    await pause();
    const result = await super.insert({ ...request, build: () => request.build(replaced) });
    return result.status === 'inserted' ? { ...result, replaced } : result;
  }
}

class KeepsExpiredReplacedRows extends MemorySessionBackend {
  override async insert(request: InsertRequest): Promise<InsertResult> {
    const result = await super.insert(request);
    if (result.status !== 'inserted' || !result.replaced) return result;
    const { replaced, row } = result;
    if (replaced.expiresAt <= row.createdAt || replaced.expiresAt <= row.lastActiveAt) {
      this.rows.set(replaced.id, replaced);
    }
    return result;
  }
}

class BuildSeesAStaleRow extends MemorySessionBackend {
  private readonly first = new Map<string, SessionRow>();

  override async insert(request: InsertRequest): Promise<InsertResult> {
    const build = (replaced: SessionRow | null) => {
      return request.build(
        replaced && { ...replaced, tokenHash: this.first.get(replaced.id)?.tokenHash ?? null },
      );
    };
    const result = await super.insert({ ...request, build });
    if (result.status === 'inserted') this.first.set(result.row.id, result.row);
    return result;
  }
}

export const BROKEN_INSERTS: readonly Flaw[] = [
  { Backend: UpsertingInsert, caughtBy: 'insert › never stores over an existing row' },
  { Backend: InsertOverExpiredRows, caughtBy: 'insert › never stores over an expired row either' },
  {
    Backend: HalfDoneWhenBuildThrows,
    caughtBy: 'insert › rejects with what build throws, changes nothing, and goes on working',
  },
  {
    Backend: SwallowsWhatBuildThrows,
    caughtBy: 'insert › rejects with what build throws, changes nothing, and goes on working',
  },
  { Backend: PayloadAsText, caughtBy: 'insert › keeps all 256 byte values of a payload' },
  { Backend: PayloadCutShort, caughtBy: 'insert › keeps a payload of 64 KiB' },
  {
    Backend: ReplacesBeforeItInserts,
    caughtBy: 'insert that replaces › leaves the replaced row alone when the new id is taken',
  },
  {
    Backend: ReplacesInTwoSteps,
    caughtBy: 'insert that replaces › lets exactly one of many concurrent inserts replace a row',
  },
  {
    Backend: CycleThatForks,
    caughtBy: 'insert that replaces › lets exactly one of many concurrent inserts replace a row',
  },
  { Backend: KeepsExpiredReplacedRows, caughtBy: 'insert that replaces › ends an expired row as well' },
  {
    Backend: BuildSeesAStaleRow,
    caughtBy: 'insert that replaces › gives build the replaced row as it stands',
  },
];
