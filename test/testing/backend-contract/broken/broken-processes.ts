import { MemorySessionBackend } from '../../../../src/backends/memory/memory-session-backend.js';
import type {
  InsertRequest,
  InsertResult,
  ListRequest,
  PayloadChange,
  PruneResult,
  RowSelection,
  TokenChange,
} from '../../../../src/core/session-backend.js';
import { KeyedMutex } from '../../../../src/core/mutex.js';
import type { EndedRow, SessionRow } from '../../../../src/core/session-row.js';
import { pause, type Flaw } from './flaw.js';

/*
 * Backends that keep the rules while one process has the storage, or while every answer arrives.
 */

const LIMITS = { maxWait: 10_000, maxHold: 10_000, tooLate: () => new Error('waited too long') };

/** Sign-ins of a user wait for each other, but only for those of the same process. */
class LocksInItsProcess extends MemorySessionBackend {
  readonly #mutex = new KeyedMutex();

  override insert(request: InsertRequest): Promise<InsertResult> {
    return this.#mutex.run(
      request.userId ?? '',
      async () => {
        const { limit, replaces, userId } = request;
        const replaced = replaces === null ? null : (this.rows.get(replaces) ?? null);
        const row = request.build(replaced && { ...replaced });
        if (row === null || limit === null || userId === null)
          return super.insert({ ...request, build: () => row });
        const isLimited = row.tokenHash !== null;
        const excess = isLimited ? this.excess(row, limit, replaces) : [];
        await pause();
        if (excess.length > 0 && limit.onLimit === 'reject') return { status: 'limit' };
        const result = await super.insert({ ...request, limit: null, build: () => row });
        if (result.status !== 'inserted') return result;
        for (const { id } of excess) this.rows.delete(id);
        const evicted = excess.map(({ id, expiresAt, absoluteExpiresAt }) => ({
          id,
          userId,
          expiresAt,
          absoluteExpiresAt,
        }));
        return { ...result, evicted };
      },
      LIMITS,
    );
  }
}

/** Rows are cached by each process, which is not told when another one changes them. */
class CachesRows extends MemorySessionBackend {
  readonly #cache = new Map<string, SessionRow | null>();

  override async find(ids: readonly string[]): Promise<ReadonlyArray<SessionRow | null>> {
    for (const id of ids) {
      if (this.#cache.get(id)) continue;
      const [row = null] = await super.find([id]);
      this.#cache.set(id, row);
    }
    return ids.map((id) => this.#cache.get(id) ?? null);
  }

  override async save(changes: readonly PayloadChange[]): Promise<readonly boolean[]> {
    this.#cache.clear();
    return super.save(changes);
  }

  override async delete(selection: RowSelection): Promise<readonly EndedRow[]> {
    this.#cache.clear();
    return super.delete(selection);
  }
}

/** The ids of each user are kept beside the rows, and lost by whoever did not store them. */
class IndexThatForgets extends MemorySessionBackend {
  readonly #index = new Set<string>();

  override async insert(request: InsertRequest): Promise<InsertResult> {
    const result = await super.insert(request);
    if (result.status === 'inserted') this.#index.add(result.row.id);
    return result;
  }

  override async list(request: ListRequest): Promise<readonly SessionRow[]> {
    return (await super.list(request)).filter(({ id }) => this.#index.has(id));
  }
}

/** Says that its rows go by themselves, and keeps them. */
class KeysWithoutExpiry extends MemorySessionBackend {
  override prune(): Promise<PruneResult> {
    return Promise.resolve({ deleted: 0, next: null });
  }
}

/** What it has stored already is a conflict to it, so that its caller makes the change again. */
class TakesItsOwnSaveForAnothers extends MemorySessionBackend {
  override save(changes: readonly PayloadChange[]): Promise<readonly boolean[]> {
    return super.save(
      changes.map((change) =>
        this.rows.get(change.id)?.version === change.version ? { ...change, id: '' } : change,
      ),
    );
  }
}

class TakesItsOwnTokenForAnothers extends MemorySessionBackend {
  override changeToken(change: TokenChange): Promise<boolean> {
    const row = this.rows.get(change.id);
    const isExpected =
      row?.tokenHash === change.expected.tokenHash && row.tokenUsed === change.expected.tokenUsed;
    return isExpected ? super.changeToken(change) : Promise.resolve(false);
  }
}

export const BROKEN_PROCESSES: readonly Flaw[] = [
  {
    Backend: LocksInItsProcess,
    caughtBy:
      'insert with a limit that evicts › is never exceeded by 50 inserts at once, and the last built remain',
  },
  { Backend: CachesRows, caughtBy: 'find › sees what was acknowledged before it, whoever did it' },
  { Backend: IndexThatForgets, caughtBy: 'list › gives whole rows, most recently active first' },
  {
    Backend: KeysWithoutExpiry,
    caughtBy: 'prune › deletes the expired rows, all of them and no others, whatever the size of a batch',
  },
  {
    Backend: TakesItsOwnSaveForAnothers,
    caughtBy: 'save › recognises a change that is sent again: it hits, and is stored once',
  },
  { Backend: TakesItsOwnTokenForAnothers, caughtBy: 'changeToken › recognises a change that is sent again' },
];
