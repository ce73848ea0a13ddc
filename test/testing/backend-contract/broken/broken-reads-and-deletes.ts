import { MemorySessionBackend } from '../../../../src/backends/memory/memory-session-backend.js';
import type {
  ListRequest,
  PruneResult,
  PruneStep,
  RowSelection,
} from '../../../../src/core/session-backend.js';
import type { EndedRow, SessionRow } from '../../../../src/core/session-row.js';
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
    return super.delete(selection !== 'all' && 'ids' in selection ? { ids: selection.ids } : selection);
  }
}

class DeleteIgnoresTheException extends MemorySessionBackend {
  override delete(selection: RowSelection): Promise<readonly EndedRow[]> {
    return super.delete(selection === 'all' || 'ids' in selection ? selection : { userId: selection.userId });
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
    const isEmpty = selection !== 'all' && 'ids' in selection && selection.ids.length === 0;
    return super.delete(isEmpty ? 'all' : selection);
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
    return { ...result, next: result.next ?? step.after ?? '' };
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

class CountsExpiredRows extends MemorySessionBackend {
  override countByKey(): Promise<ReadonlyMap<string, number>> {
    return super.countByKey(0);
  }
}

class CountsTheOldestForTheNewest extends MemorySessionBackend {
  override async countByKey(now: number, newest?: number): Promise<ReadonlyMap<string, number>> {
    const counts = await super.countByKey(now);
    return newest === undefined ? counts : new Map([...counts].slice(0, 1));
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
    Backend: CountsExpiredRows,
    caughtBy: 'countByKey › does not count expired rows, also at the very instant',
  },
  {
    Backend: CountsTheOldestForTheNewest,
    caughtBy: 'countByKey › may leave out all but the newest when asked for them',
  },
  {
    Backend: InitClearsTheTable,
    caughtBy: 'init and close › init leaves stored rows alone when it is called again',
  },
];
