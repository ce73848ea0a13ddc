import { MemorySessionBackend } from '../../../../src/backends/memory/memory-session-backend.js';
import type {
  InsertRequest,
  InsertResult,
  ListRequest,
  PruneResult,
  PruneStep,
  RowSelection,
} from '../../../../src/core/session-backend.js';
import type { EndedRow, LiveRow, SessionRow } from '../../../../src/core/session-row.js';
import { pause, type Flaw } from './flaw.js';

class HandsOutItsOwnRows extends MemorySessionBackend {
  override async find(ids: readonly string[]): Promise<ReadonlyArray<SessionRow | null>> {
    return ids.map((id) => this.rows.get(id) ?? null);
  }
}

class FindSkipsMissingRows extends MemorySessionBackend {
  override async find(ids: readonly string[]): Promise<ReadonlyArray<SessionRow | null>> {
    return (await super.find(ids)).filter((row) => row !== null);
  }
}

class FindHidesExpiredRows extends MemorySessionBackend {
  override async find(ids: readonly string[]): Promise<ReadonlyArray<SessionRow | null>> {
    const present = Date.UTC(2100, 0, 1);
    return (await super.find(ids)).map((row) => (row && row.expiresAt > present ? row : null));
  }
}

class AliveSkipsMissingRows extends MemorySessionBackend {
  override async alive(ids: readonly string[], now: number): Promise<ReadonlyArray<LiveRow | null>> {
    return (await super.alive(ids, now)).filter((row) => row !== null);
  }
}

class AliveInOrderOfStorage extends MemorySessionBackend {
  override async alive(ids: readonly string[], now: number): Promise<ReadonlyArray<LiveRow | null>> {
    const stored = [...this.rows.keys()].filter((id) => ids.includes(id));
    return super.alive([...stored, ...ids.filter((id) => !stored.includes(id))], now);
  }
}

class AliveForgetsTheAbsoluteExpiry extends MemorySessionBackend {
  override async alive(ids: readonly string[], now: number): Promise<ReadonlyArray<LiveRow | null>> {
    return (await this.find(ids)).map((row) => {
      if (row === null || row.expiresAt <= now) return null;
      const { id, userId, expiresAt, absoluteExpiresAt } = row;
      return { id, userId, expiresAt, absoluteExpiresAt };
    });
  }
}

class AliveAtTheInstantOfExpiry extends MemorySessionBackend {
  override alive(ids: readonly string[], now: number): Promise<ReadonlyArray<LiveRow | null>> {
    return super.alive(ids, now - 1);
  }
}

class AliveByItsOwnClock extends MemorySessionBackend {
  override alive(ids: readonly string[]): Promise<ReadonlyArray<LiveRow | null>> {
    return super.alive(ids, Date.UTC(2100, 0, 1));
  }
}

class AliveDeletesExpiredRows extends MemorySessionBackend {
  override async alive(ids: readonly string[], now: number): Promise<ReadonlyArray<LiveRow | null>> {
    const found = await super.alive(ids, now);
    for (const [index, id] of ids.entries()) if (found[index] === null) this.rows.delete(id);
    return found;
  }
}

class AliveOnce extends MemorySessionBackend {
  override async alive(ids: readonly string[], now: number): Promise<ReadonlyArray<LiveRow | null>> {
    const found = await super.alive(ids, now);
    return found.map((row, index) => (ids.indexOf(ids[index] ?? '') === index ? row : null));
  }
}

class AliveAnyCase extends MemorySessionBackend {
  override alive(ids: readonly string[], now: number): Promise<ReadonlyArray<LiveRow | null>> {
    const known = (id: string) =>
      [...this.rows.keys()].find((one) => one.toLowerCase() === id.trim().toLowerCase()) ?? id;
    return super.alive(ids.map(known), now);
  }
}

class AliveOfTheFirstFewHundred extends MemorySessionBackend {
  override async alive(ids: readonly string[], now: number): Promise<ReadonlyArray<LiveRow | null>> {
    const found = await super.alive(ids.slice(0, 512), now);
    return ids.map((_, index) => found[index] ?? null);
  }
}

class AliveFromACache extends MemorySessionBackend {
  readonly #known = new Map<string, LiveRow>();

  override async insert(request: InsertRequest): Promise<InsertResult> {
    const result = await super.insert(request);
    if (result.status === 'inserted') this.#known.set(result.row.id, result.row);
    return result;
  }

  override async alive(ids: readonly string[], now: number): Promise<ReadonlyArray<LiveRow | null>> {
    return ids.map((each) => {
      const row = this.#known.get(each);
      if (row === undefined || row.expiresAt <= now || row.absoluteExpiresAt <= now) return null;
      const { id, userId, expiresAt, absoluteExpiresAt } = row;
      return { id, userId, expiresAt, absoluteExpiresAt };
    });
  }
}

class AliveHandsOutWholeRows extends MemorySessionBackend {
  override async alive(ids: readonly string[], now: number): Promise<ReadonlyArray<LiveRow | null>> {
    const rows = await this.find(ids);
    return (await super.alive(ids, now)).map((row, index) => row && (rows[index] ?? null));
  }
}

class DeleteReportsTwice extends MemorySessionBackend {
  override async delete(selection: RowSelection): Promise<readonly EndedRow[]> {
    const before = new Map(this.rows);
    const deleting = super.delete(selection);
    for (const [id, row] of before) this.rows.set(id, row);
    const ended = await deleting;
    await pause();
    for (const { id } of ended) this.rows.delete(id);
    return ended;
  }
}

class DeleteTakesOtherUsersRows extends MemorySessionBackend {
  override delete(selection: RowSelection): Promise<readonly EndedRow[]> {
    return super.delete('ids' in selection ? { ids: selection.ids } : selection);
  }
}

class DeleteIgnoresTheException extends MemorySessionBackend {
  override delete(selection: RowSelection): Promise<readonly EndedRow[]> {
    return super.delete('ids' in selection ? selection : { userId: selection.userId });
  }
}

class DeleteLeavesTheOldToken extends MemorySessionBackend {
  override async delete(selection: RowSelection): Promise<readonly EndedRow[]> {
    const before = new Map(this.rows);
    const ended = await super.delete(selection);
    for (const { id } of ended) {
      const row = before.get(id);
      if (row?.supersededHash) this.rows.set(id, { ...row, tokenHash: row.supersededHash });
    }
    return ended;
  }
}

class DeleteOfNoIdsDeletesAll extends MemorySessionBackend {
  override delete(selection: RowSelection): Promise<readonly EndedRow[]> {
    const isEmpty = 'ids' in selection && selection.ids.length === 0;
    return super.delete(isEmpty ? { ids: [...this.rows.keys()] } : selection);
  }
}

class DeleteHandsOutHashes extends MemorySessionBackend {
  override async delete(selection: RowSelection): Promise<readonly EndedRow[]> {
    const before = new Map(this.rows);
    return (await super.delete(selection)).map((ended) => before.get(ended.id) ?? ended);
  }
}

class ListWithoutExpiry extends MemorySessionBackend {
  override list(request: ListRequest): Promise<readonly SessionRow[]> {
    return super.list({ ...request, now: 0 });
  }
}

class ListAtTheInstantOfExpiry extends MemorySessionBackend {
  override list(request: ListRequest): Promise<readonly SessionRow[]> {
    return super.list({ ...request, now: request.now - 1 });
  }
}

class ListLeastRecentFirst extends MemorySessionBackend {
  override async list(request: ListRequest): Promise<readonly SessionRow[]> {
    return (await super.list(request)).toReversed();
  }
}

class ListByCreationOnly extends MemorySessionBackend {
  override list(request: ListRequest): Promise<readonly SessionRow[]> {
    return super.list({ ...request, orderBy: 'createdAt' });
  }
}

class ListAnyCase extends MemorySessionBackend {
  override async list(request: ListRequest): Promise<readonly SessionRow[]> {
    const users = new Set([...this.rows.values()].map(({ userId }) => userId ?? ''));
    const alike = [...users].filter((user) => user.toLowerCase() === request.userId.toLowerCase());
    return (await Promise.all(alike.map((userId) => super.list({ ...request, userId })))).flat();
  }
}

class ListLimitsBeforeItFilters extends MemorySessionBackend {
  override async list(request: ListRequest): Promise<readonly SessionRow[]> {
    const top = await super.list({ ...request, now: 0 });
    const active = new Set((await super.list({ ...request, limit: null })).map(({ id }) => id));
    return top.filter(({ id }) => active.has(id));
  }
}

class PruneTakesLiveRows extends MemorySessionBackend {
  override prune(step: PruneStep): Promise<PruneResult> {
    return super.prune({ ...step, now: step.now + 1 });
  }
}

class PruneLeavesTheInstantOfExpiry extends MemorySessionBackend {
  override prune(step: PruneStep): Promise<PruneResult> {
    return super.prune({ ...step, now: step.now - 1 });
  }
}

class PruneNeverFinishes extends MemorySessionBackend {
  override async prune(step: PruneStep): Promise<PruneResult> {
    const result = await super.prune(step);
    return { ...result, next: result.next ?? step.cursor ?? '' };
  }
}

class PruneSkipsARow extends MemorySessionBackend {
  override async prune(step: PruneStep): Promise<PruneResult> {
    const result = await super.prune(step);
    const [next] = [...this.rows.keys()].filter((id) => id > (result.next ?? '\uffff')).toSorted();
    return result.next === null ? result : { ...result, next: next ?? result.next };
  }
}

class PruneStopsAtALiveBatch extends MemorySessionBackend {
  override async prune(step: PruneStep): Promise<PruneResult> {
    const result = await super.prune(step);
    return result.deleted === 0 ? { deleted: 0, next: null } : result;
  }
}

class PruneIgnoresTheBatchSize extends MemorySessionBackend {
  override prune(step: PruneStep): Promise<PruneResult> {
    return super.prune({ ...step, batchSize: 1_000_000 });
  }
}

class KeysOfTheNewestRows extends MemorySessionBackend {
  override async keysInUse(): Promise<ReadonlySet<string>> {
    return new Set([...this.rows.values()].slice(-3).map(({ keyId }) => keyId));
  }
}

class KeysInAnyCase extends MemorySessionBackend {
  override async keysInUse(): Promise<ReadonlySet<string>> {
    return new Set([...this.rows.values()].map(({ keyId }) => keyId.toLowerCase()));
  }
}

/** A list of keys that only new rows are written to. */
class KeysOfInsertsAlone extends MemorySessionBackend {
  readonly #keys = new Set<string>();

  override async insert(request: InsertRequest): Promise<InsertResult> {
    const result = await super.insert(request);
    if (result.status === 'inserted') this.#keys.add(result.row.keyId);
    return result;
  }

  override async keysInUse(): Promise<ReadonlySet<string>> {
    return this.#keys;
  }
}

class InitClearsTheTable extends MemorySessionBackend {
  override async init(): Promise<void> {
    this.rows.clear();
  }
}

export const BROKEN_READS_AND_DELETES: readonly Flaw[] = [
  {
    Backend: HandsOutItsOwnRows,
    caughtBy: 'find › gives rows that belong to the caller: changing their bytes changes nothing stored',
  },
  {
    Backend: FindSkipsMissingRows,
    caughtBy: 'find › gives rows in the order of the ids, and null where there is none',
  },
  { Backend: FindHidesExpiredRows, caughtBy: 'find › gives expired rows as they are' },
  ...[AliveSkipsMissingRows, AliveInOrderOfStorage, AliveHandsOutWholeRows].map((Backend) => ({
    Backend,
    caughtBy: 'alive › tells whose each active row is and when it expires, in the order of the ids',
  })),
  ...[AliveForgetsTheAbsoluteExpiry, AliveAtTheInstantOfExpiry, AliveDeletesExpiredRows].map((Backend) => ({
    Backend,
    caughtBy: 'alive › gives null for expired rows, also at the very instant, and leaves them stored',
  })),
  { Backend: AliveByItsOwnClock, caughtBy: 'alive › goes by the instant that it is given' },
  { Backend: AliveOnce, caughtBy: 'alive › tells a row each time its id is named' },
  { Backend: AliveAnyCase, caughtBy: 'alive › compares ids byte for byte' },
  { Backend: AliveOfTheFirstFewHundred, caughtBy: 'alive › takes thousands of ids' },
  { Backend: AliveFromACache, caughtBy: 'alive › sees what was acknowledged before it' },
  { Backend: DeleteReportsTwice, caughtBy: 'delete › reports each row exactly once among many at once' },
  { Backend: DeleteTakesOtherUsersRows, caughtBy: 'delete › by ids of a user: leaves those of others alone' },
  { Backend: DeleteIgnoresTheException, caughtBy: 'delete › by user with an exception: keeps that row' },
  {
    Backend: DeleteLeavesTheOldToken,
    caughtBy: 'delete › by ids: leaves nothing of a row whose token was replaced',
  },
  { Backend: DeleteOfNoIdsDeletesAll, caughtBy: 'delete › by ids: deletes nothing for none' },
  {
    Backend: DeleteHandsOutHashes,
    caughtBy: 'delete › by ids: deletes those rows, expired or not, and says which',
  },
  {
    Backend: ListWithoutExpiry,
    caughtBy:
      'list › leaves expired rows out, also at the very instant, and does not let them use up the limit',
  },
  {
    Backend: ListAtTheInstantOfExpiry,
    caughtBy:
      'list › leaves expired rows out, also at the very instant, and does not let them use up the limit',
  },
  { Backend: ListLeastRecentFirst, caughtBy: 'list › gives whole rows, most recently active first' },
  { Backend: ListByCreationOnly, caughtBy: 'list › gives whole rows, most recently active first' },
  { Backend: ListAnyCase, caughtBy: 'list › leaves the rows of others out, however similar their names' },
  {
    Backend: ListLimitsBeforeItFilters,
    caughtBy:
      'list › leaves expired rows out, also at the very instant, and does not let them use up the limit',
  },
  {
    Backend: PruneTakesLiveRows,
    caughtBy: 'prune › deletes the expired rows, all of them and no others, whatever the size of a batch',
  },
  {
    Backend: PruneLeavesTheInstantOfExpiry,
    caughtBy: 'prune › deletes the expired rows, all of them and no others, whatever the size of a batch',
  },
  {
    Backend: PruneNeverFinishes,
    caughtBy: 'prune › deletes the expired rows, all of them and no others, whatever the size of a batch',
  },
  {
    Backend: PruneSkipsARow,
    caughtBy: 'prune › deletes the expired rows, all of them and no others, whatever the size of a batch',
  },
  { Backend: PruneStopsAtALiveBatch, caughtBy: 'prune › walks on over batches in which nothing has expired' },
  { Backend: PruneIgnoresTheBatchSize, caughtBy: 'prune › looks at no more rows than a batch in one step' },
  {
    Backend: KeysOfTheNewestRows,
    caughtBy: 'keysInUse › gives the key of one active row among many of another key, whichever comes first',
  },
  {
    Backend: KeysInAnyCase,
    caughtBy: 'keysInUse › gives the key ids of the active rows, each once and byte for byte',
  },
  { Backend: KeysOfInsertsAlone, caughtBy: 'keysInUse › gives the key that a row was sealed by anew' },
  {
    Backend: InitClearsTheTable,
    caughtBy: 'init and close › init leaves stored rows alone when it is called again',
  },
];
