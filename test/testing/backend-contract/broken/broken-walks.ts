import { MemorySessionBackend } from '../../../../src/backends/memory/memory-session-backend.js';
import type { WalkResult, WalkStep } from '../../../../src/core/session-backend.js';
import { compareBytes, type Flaw } from './flaw.js';

class WalkIncludesExpiredRows extends MemorySessionBackend {
  override walk(step: WalkStep): Promise<WalkResult> {
    return super.walk({ ...step, now: 0 });
  }
}

class WalkAtTheInstantOfExpiry extends MemorySessionBackend {
  override walk(step: WalkStep): Promise<WalkResult> {
    return super.walk({ ...step, now: step.now - 1 });
  }
}

class WalkRepeatsARow extends MemorySessionBackend {
  override async walk(step: WalkStep): Promise<WalkResult> {
    const result = await super.walk(step);
    const { batchSize } = step;
    // As with `id >= ?`: the next page begins with the row that this one ended with.
    return result.next === null || batchSize === 1 ? result : { ...result, next: this.#before(result.next) };
  }

  #before(id: string): string {
    const smaller = [...this.rows.keys()].filter((one) => compareBytes(one, id) < 0);
    return smaller.toSorted(compareBytes).at(-1) ?? '';
  }
}

class WalkSkipsARow extends MemorySessionBackend {
  override async walk(step: WalkStep): Promise<WalkResult> {
    const result = await super.walk(step);
    const { next } = result;
    if (next === null) return result;
    const larger = [...this.rows.keys()].filter((one) => compareBytes(one, next) > 0);
    return { ...result, next: larger.toSorted(compareBytes)[0] ?? next };
  }
}

/** As with OFFSET: what ends meanwhile shifts those behind it. */
class WalkCountsRows extends MemorySessionBackend {
  #page = 0;

  override async walk(step: WalkStep): Promise<WalkResult> {
    this.#page = step.cursor === null ? 0 : this.#page + 1;
    const rows = [...this.rows.values()]
      .toSorted((a, b) => compareBytes(a.id, b.id))
      .slice(this.#page * step.batchSize, (this.#page + 1) * step.batchSize);
    const active = rows.filter((row) => Math.min(row.expiresAt, row.absoluteExpiresAt) > step.now);
    return { rows: active, next: rows.length < step.batchSize ? null : (rows.at(-1)?.id ?? null) };
  }
}

class WalkStopsAtAnEmptyBatch extends MemorySessionBackend {
  override async walk(step: WalkStep): Promise<WalkResult> {
    const result = await super.walk(step);
    return result.rows.length === 0 ? { rows: [], next: null } : result;
  }
}

class WalkNeverFinishes extends MemorySessionBackend {
  override async walk(step: WalkStep): Promise<WalkResult> {
    const result = await super.walk(step);
    return { ...result, next: result.next ?? step.cursor ?? '' };
  }
}

class WalkGivesEverythingAtOnce extends MemorySessionBackend {
  override walk(step: WalkStep): Promise<WalkResult> {
    return super.walk({ ...step, batchSize: 1_000_000 });
  }
}

/** Bounded by what it gives and not by what it looks at. */
class WalkSearchesTheWholeTable extends MemorySessionBackend {
  override async walk(step: WalkStep): Promise<WalkResult> {
    const { rows } = await super.walk({ ...step, batchSize: 1_000_000 });
    const page = rows.slice(0, step.batchSize);
    return { rows: page, next: page.length < step.batchSize ? null : (page.at(-1)?.id ?? null) };
  }
}

class WalkIgnoresTheLimit extends MemorySessionBackend {
  override walk(step: WalkStep): Promise<WalkResult> {
    return super.walk({ ...step, limit: 1_000_000 });
  }
}

/** Goes on behind the rows that it has looked at, and not behind those that it has given. */
class WalkDropsWhatIsOverTheLimit extends MemorySessionBackend {
  override async walk(step: WalkStep): Promise<WalkResult> {
    const { rows, next } = await super.walk({ ...step, limit: 1_000_000 });
    return { rows: rows.slice(0, step.limit), next };
  }
}

class WalkIgnoresActivity extends MemorySessionBackend {
  override walk(step: WalkStep): Promise<WalkResult> {
    return super.walk({ ...step, activeSince: null });
  }
}

class WalkIsStrictAboutActivity extends MemorySessionBackend {
  override walk(step: WalkStep): Promise<WalkResult> {
    const { activeSince } = step;
    return super.walk({ ...step, activeSince: activeSince === null ? null : activeSince + 1 });
  }
}

class WalkGivesEverybody extends MemorySessionBackend {
  override walk(step: WalkStep): Promise<WalkResult> {
    return super.walk({ ...step, authenticated: null });
  }
}

class WalkTakesNoneForUsers extends MemorySessionBackend {
  override walk(step: WalkStep): Promise<WalkResult> {
    return super.walk({ ...step, authenticated: step.authenticated === true ? true : null });
  }
}

class WalkGivesRowsWithTokensOnly extends MemorySessionBackend {
  override async walk(step: WalkStep): Promise<WalkResult> {
    const result = await super.walk(step);
    return { ...result, rows: result.rows.filter(({ tokenHash }) => tokenHash !== null) };
  }
}

class WalkHandsOutItsOwnRows extends MemorySessionBackend {
  override async walk(step: WalkStep): Promise<WalkResult> {
    const result = await super.walk(step);
    return { ...result, rows: result.rows.map((row) => this.rows.get(row.id) ?? row) };
  }
}

class WalkDeletesExpiredRows extends MemorySessionBackend {
  override async walk(step: WalkStep): Promise<WalkResult> {
    const result = await super.walk(step);
    await this.prune({ now: step.now, cursor: step.cursor, batchSize: step.batchSize });
    return result;
  }
}

const WHOLE = 'walk › gives the active rows of everybody, whole, whatever the size of a batch';
const BOUNDED = 'walk › looks at no more rows than a batch in one step, whether or not it gives them';
const LIMITED = 'walk › gives no more rows than the limit, and goes on behind the last of them';
const SINCE = 'walk › leaves out rows that have not been active since, but not at that very instant';
const USERS = 'walk › gives the rows with a user, those without, or both';

export const BROKEN_WALKS: readonly Flaw[] = [
  { Backend: WalkIncludesExpiredRows, caughtBy: WHOLE },
  { Backend: WalkAtTheInstantOfExpiry, caughtBy: WHOLE },
  { Backend: WalkRepeatsARow, caughtBy: WHOLE },
  { Backend: WalkSkipsARow, caughtBy: WHOLE },
  {
    Backend: WalkCountsRows,
    caughtBy: 'walk › gives a row that stays exactly once, whatever begins and ends meanwhile',
  },
  { Backend: WalkStopsAtAnEmptyBatch, caughtBy: WHOLE },
  { Backend: WalkNeverFinishes, caughtBy: WHOLE },
  { Backend: WalkGivesEverythingAtOnce, caughtBy: BOUNDED },
  { Backend: WalkSearchesTheWholeTable, caughtBy: BOUNDED },
  { Backend: WalkIgnoresTheLimit, caughtBy: LIMITED },
  { Backend: WalkDropsWhatIsOverTheLimit, caughtBy: LIMITED },
  { Backend: WalkIgnoresActivity, caughtBy: SINCE },
  { Backend: WalkIsStrictAboutActivity, caughtBy: SINCE },
  { Backend: WalkGivesEverybody, caughtBy: USERS },
  { Backend: WalkTakesNoneForUsers, caughtBy: USERS },
  { Backend: WalkGivesRowsWithTokensOnly, caughtBy: WHOLE },
  {
    Backend: WalkHandsOutItsOwnRows,
    caughtBy: 'walk › gives rows that belong to the caller: changing their bytes changes nothing stored',
  },
  { Backend: WalkDeletesExpiredRows, caughtBy: WHOLE },
];
