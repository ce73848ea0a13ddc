import { MemorySessionBackend } from '../../../../src/backends/memory/memory-session-backend.js';
import type { PayloadChange, TokenChange, Touch } from '../../../../src/core/session-backend.js';
import { pause, type Flaw } from './flaw.js';

class SaveWithoutVersionCheck extends MemorySessionBackend {
  override save(changes: readonly PayloadChange[]): Promise<readonly boolean[]> {
    return super.save(
      changes.map((change) => ({ ...change, expectedVersion: this.rows.get(change.id)?.version ?? 0 })),
    );
  }
}

class SaveOrdersVersions extends MemorySessionBackend {
  override save(changes: readonly PayloadChange[]): Promise<readonly boolean[]> {
    return super.save(
      changes.map((change) => {
        const version = this.rows.get(change.id)?.version ?? 0;
        return { ...change, expectedVersion: version <= change.expectedVersion ? version : -1 };
      }),
    );
  }
}

class SaveRevivesExpiredRows extends MemorySessionBackend {
  override save(changes: readonly PayloadChange[]): Promise<readonly boolean[]> {
    return super.save(changes.map((change) => ({ ...change, now: 0 })));
  }
}

/** The statement for one change is another than that for several. */
class SaveAloneRevivesExpiredRows extends MemorySessionBackend {
  override save(changes: readonly PayloadChange[]): Promise<readonly boolean[]> {
    return super.save(changes.length === 1 ? changes.map((change) => ({ ...change, now: 0 })) : changes);
  }
}

class SaveCreatesRows extends MemorySessionBackend {
  override async save(changes: readonly PayloadChange[]): Promise<readonly boolean[]> {
    const [template] = this.rows.values();
    for (const change of changes) {
      const { id, version, payload } = change;
      if (!this.rows.has(id) && template) this.rows.set(id, { ...template, id, version, payload });
    }
    return super.save(changes);
  }
}

class SaveStopsAtAMiss extends MemorySessionBackend {
  override async save(changes: readonly PayloadChange[]): Promise<readonly boolean[]> {
    const hits = changes.map(({ id }) => this.rows.has(id));
    const end = hits.includes(false) ? hits.indexOf(false) : hits.length;
    return [...(await super.save(changes.slice(0, end))), ...hits.slice(end).map(() => false)];
  }
}

class SaveMovesTimesBack extends MemorySessionBackend {
  override async save(changes: readonly PayloadChange[]): Promise<readonly boolean[]> {
    const hits = await super.save(changes);
    changes.forEach(({ id, lastActiveAt, expiresAt }, index) => {
      const row = this.rows.get(id);
      if (row && hits[index]) this.rows.set(id, { ...row, lastActiveAt, expiresAt });
    });
    return hits;
  }
}

class TouchAloneRevivesExpiredRows extends MemorySessionBackend {
  override touch(touches: readonly Touch[]): Promise<readonly boolean[]> {
    return super.touch(touches.length === 1 ? touches.map((touch) => ({ ...touch, now: 0 })) : touches);
  }
}

class TouchRevivesExpiredRows extends MemorySessionBackend {
  override touch(touches: readonly Touch[]): Promise<readonly boolean[]> {
    return super.touch(touches.map((touch) => ({ ...touch, now: 0 })));
  }
}

class TouchAtTheInstantOfExpiry extends MemorySessionBackend {
  override touch(touches: readonly Touch[]): Promise<readonly boolean[]> {
    return super.touch(touches.map((touch) => ({ ...touch, now: touch.now - 1 })));
  }
}

class TouchPastTheAbsoluteExpiry extends MemorySessionBackend {
  override async touch(touches: readonly Touch[]): Promise<readonly boolean[]> {
    const hits = await super.touch(touches);
    touches.forEach(({ id, expiresAt }, index) => {
      const row = this.rows.get(id);
      if (row && hits[index]) this.rows.set(id, { ...row, expiresAt: Math.max(row.expiresAt, expiresAt) });
    });
    return hits;
  }
}

class TouchGoesBackwards extends MemorySessionBackend {
  override async touch(touches: readonly Touch[]): Promise<readonly boolean[]> {
    const hits = await super.touch(touches);
    touches.forEach(({ id, lastActiveAt }, index) => {
      const row = this.rows.get(id);
      if (row && hits[index]) this.rows.set(id, { ...row, lastActiveAt });
    });
    return hits;
  }
}

class TouchShortensTheExpiry extends MemorySessionBackend {
  override async touch(touches: readonly Touch[]): Promise<readonly boolean[]> {
    const hits = await super.touch(touches);
    touches.forEach(({ id, expiresAt }, index) => {
      const row = this.rows.get(id);
      if (row && hits[index]) {
        this.rows.set(id, { ...row, expiresAt: Math.min(expiresAt, row.absoluteExpiresAt) });
      }
    });
    return hits;
  }
}

class TouchWritesAStaleRowBack extends MemorySessionBackend {
  override async touch(touches: readonly Touch[]): Promise<readonly boolean[]> {
    const before = touches.map(({ id }) => this.rows.get(id));
    await pause();
    for (const row of before) if (row && this.rows.has(row.id)) this.rows.set(row.id, row);
    return super.touch(touches);
  }
}

class TouchSaysFalseWhenNothingChanges extends MemorySessionBackend {
  override async touch(touches: readonly Touch[]): Promise<readonly boolean[]> {
    const before = touches.map(({ id }) => this.rows.get(id)?.lastActiveAt);
    const hits = await super.touch(touches);
    return hits.map(
      (hit, index) => hit && this.rows.get(touches[index]?.id ?? '')?.lastActiveAt !== before[index],
    );
  }
}

class TouchMoreOftenThanAsked extends MemorySessionBackend {
  override touch(touches: readonly Touch[]): Promise<readonly boolean[]> {
    return super.touch(touches.map((touch) => ({ ...touch, unlessActiveAfter: undefined })));
  }
}

class TouchChecksTheConditionTooEarly extends MemorySessionBackend {
  override async touch(touches: readonly Touch[]): Promise<readonly boolean[]> {
    const before = touches.map(({ id }) => this.rows.get(id)?.lastActiveAt ?? 0);
    await pause();
    const due = touches.map((touch, index) => {
      const isRecent = (before[index] ?? 0) > (touch.unlessActiveAfter ?? Infinity);
      return { ...touch, id: isRecent ? '' : touch.id, unlessActiveAfter: undefined };
    });
    return super.touch(due);
  }
}

class ChangeTokenWithTwoWinners extends MemorySessionBackend {
  override async changeToken(change: TokenChange): Promise<boolean> {
    const before = this.rows.get(change.id);
    const isExpected =
      before?.tokenHash === change.expected.tokenHash && before.tokenUsed === change.expected.tokenUsed;
    await pause();
    const { tokenHash = null, tokenUsed = false } = this.rows.get(change.id) ?? {};
    return isExpected && super.changeToken({ ...change, expected: { tokenHash, tokenUsed } });
  }
}

class ChangeTokenIgnoresUse extends MemorySessionBackend {
  override changeToken(change: TokenChange): Promise<boolean> {
    const tokenUsed = this.rows.get(change.id)?.tokenUsed ?? false;
    return super.changeToken({ ...change, expected: { ...change.expected, tokenUsed } });
  }
}

class ChangeTokenIgnoresTheHash extends MemorySessionBackend {
  override changeToken(change: TokenChange): Promise<boolean> {
    const tokenHash = this.rows.get(change.id)?.tokenHash ?? null;
    return super.changeToken({ ...change, expected: { ...change.expected, tokenHash } });
  }
}

class ChangeTokenOfExpiredRows extends MemorySessionBackend {
  override changeToken(change: TokenChange): Promise<boolean> {
    return super.changeToken({ ...change, now: 0 });
  }
}

class ChangeTokenClearsSignIn extends MemorySessionBackend {
  override async changeToken(change: TokenChange): Promise<boolean> {
    return super.changeToken({ ...change, authenticatedAt: change.authenticatedAt ?? change.now });
  }
}

export const BROKEN_CHANGES: readonly Flaw[] = [
  {
    Backend: SaveWithoutVersionCheck,
    caughtBy: 'save › misses, and changes nothing, when the version is another',
  },
  { Backend: SaveOrdersVersions, caughtBy: 'save › compares versions and never orders them' },
  {
    Backend: SaveAloneRevivesExpiredRows,
    caughtBy: 'save › never revives a row whose idle timeout has passed, also at the very instant',
  },
  {
    Backend: SaveRevivesExpiredRows,
    caughtBy: 'save › never revives a row whose idle timeout has passed, also at the very instant',
  },
  {
    Backend: SaveCreatesRows,
    caughtBy: 'save › gives an outcome for each change, and a miss stops no other',
  },
  {
    Backend: SaveStopsAtAMiss,
    caughtBy: 'save › gives an outcome for each change, and a miss stops no other',
  },
  { Backend: SaveMovesTimesBack, caughtBy: 'save › never moves last use or expiry back, each on its own' },
  {
    Backend: TouchAloneRevivesExpiredRows,
    caughtBy: 'touch › never revives a row whose idle timeout has passed, also at the very instant',
  },
  {
    Backend: TouchRevivesExpiredRows,
    caughtBy: 'touch › never revives a row whose idle timeout has passed, also at the very instant',
  },
  {
    Backend: TouchAtTheInstantOfExpiry,
    caughtBy: 'touch › never revives a row whose idle timeout has passed, also at the very instant',
  },
  { Backend: TouchPastTheAbsoluteExpiry, caughtBy: 'touch › never moves the expiry past the absolute one' },
  {
    Backend: TouchGoesBackwards,
    caughtBy: 'touch › never moves last use or expiry back, each on its own, and says true',
  },
  {
    Backend: TouchShortensTheExpiry,
    caughtBy: 'touch › never moves last use or expiry back, each on its own, and says true',
  },
  { Backend: TouchWritesAStaleRowBack, caughtBy: 'touch › keeps the latest of many at once' },
  {
    Backend: TouchSaysFalseWhenNothingChanges,
    caughtBy: 'touch › never moves last use or expiry back, each on its own, and says true',
  },
  {
    Backend: TouchMoreOftenThanAsked,
    caughtBy:
      'touch › leaves a row that was active after the instant given, and takes one that was not, to the millisecond',
  },
  {
    Backend: TouchChecksTheConditionTooEarly,
    caughtBy: 'touch › lets one of many through that except each other',
  },
  { Backend: ChangeTokenWithTwoWinners, caughtBy: 'changeToken › has exactly one winner among many at once' },
  {
    Backend: ChangeTokenIgnoresUse,
    caughtBy:
      'changeToken › misses, and changes nothing, when the token is used but expected not to be, or the reverse',
  },
  {
    Backend: ChangeTokenIgnoresTheHash,
    caughtBy: 'changeToken › misses, and changes nothing, when the hash is another',
  },
  {
    Backend: ChangeTokenOfExpiredRows,
    caughtBy: 'changeToken › misses a row that is not active, also at the very instant of its expiry',
  },
  { Backend: ChangeTokenClearsSignIn, caughtBy: 'changeToken › leaves an authenticatedAt of null alone' },
];
