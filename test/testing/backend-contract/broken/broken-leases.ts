import { MemorySessionBackend } from '../../../../src/backends/memory/memory-session-backend.js';
import type { CleanupClaim } from '../../../../src/core/cleanup-lease.js';
import type { PruneResult, PruneStep } from '../../../../src/core/session-backend.js';
import { row } from '../../../../src/testing/backend-contract/contract-rule.js';
import { type Flaw, pause } from './flaw.js';

/** The last claim that was given, by the rows of a storage: both backends on it know it. */
const CLAIMS = new WeakMap<object, CleanupClaim>();

class LeaseForEverybody extends MemorySessionBackend {
  override async claimCleanup(): Promise<boolean> {
    return true;
  }
}

class LeaseForNobodyElse extends MemorySessionBackend {
  #holder: string | null = null;

  override async claimCleanup({ holder }: CleanupClaim): Promise<boolean> {
    this.#holder ??= holder;
    return this.#holder === holder;
  }
}

class LeaseThatIsNotExtended extends MemorySessionBackend {
  override async claimCleanup(claim: CleanupClaim): Promise<boolean> {
    const last = CLAIMS.get(this.rows);
    if (last?.holder === claim.holder && claim.until > claim.now && claim.now < last.until) return true;
    const isHeld = await super.claimCleanup(claim);
    if (isHeld) CLAIMS.set(this.rows, claim);
    return isHeld;
  }
}

class LeaseEndsALittleLate extends MemorySessionBackend {
  override claimCleanup(claim: CleanupClaim): Promise<boolean> {
    return super.claimCleanup({ ...claim, until: claim.until + 1 });
  }
}

class LeaseIsGivenBackByAnybody extends MemorySessionBackend {
  override async claimCleanup(claim: CleanupClaim): Promise<boolean> {
    const holder = CLAIMS.get(this.rows)?.holder ?? '';
    if (claim.until <= claim.now) await super.claimCleanup({ ...claim, holder });
    const isHeld = await super.claimCleanup(claim);
    if (isHeld) CLAIMS.set(this.rows, claim);
    return isHeld;
  }
}

class LeaseIsNeverGivenBack extends MemorySessionBackend {
  override claimCleanup(claim: CleanupClaim): Promise<boolean> {
    return claim.until > claim.now ? super.claimCleanup(claim) : Promise.resolve(true);
  }
}

class LeaseOfAnyLength extends MemorySessionBackend {
  #until = 0;
  #holder = '';

  override async claimCleanup({ holder, now, until }: CleanupClaim): Promise<boolean> {
    if (this.#until > now && this.#holder !== holder) return false;
    this.#until = until;
    this.#holder = holder;
    return true;
  }
}

/** Reads, and then writes. */
class LeaseIsNotAtomic extends MemorySessionBackend {
  #lease: CleanupClaim | null = null;

  override async claimCleanup(claim: CleanupClaim): Promise<boolean> {
    const { holder, now } = claim;
    const isFree = this.#lease === null || this.#lease.until <= now || this.#lease.holder === holder;
    await pause();
    if (isFree) this.#lease = claim;
    return isFree;
  }
}

class LeaseIsPruned extends MemorySessionBackend {
  #hasLease = false;

  override claimCleanup(claim: CleanupClaim): Promise<boolean> {
    this.#hasLease = true;
    return super.claimCleanup(claim);
  }

  override async prune(step: PruneStep): Promise<PruneResult> {
    const result = await super.prune(step);
    return this.#hasLease ? { ...result, deleted: result.deleted + 1 } : result;
  }
}

class LeaseIsStoredAsASession extends MemorySessionBackend {
  override async claimCleanup(claim: CleanupClaim): Promise<boolean> {
    const isHeld = await super.claimCleanup(claim);
    if (isHeld) this.rows.set('lease', row('lease', { userId: null }));
    return isHeld;
  }
}

const ONE =
  'claimCleanup › gives the lease to one holder until it ends, to the millisecond, and then to the next';
const BACK = 'claimCleanup › takes it back from the holder, and from nobody else';
const NO_SESSION = 'claimCleanup › keeps it as no session: nothing gives, counts, deletes or ends it';

export const BROKEN_LEASES: readonly Flaw[] = [
  { Backend: LeaseForEverybody, caughtBy: ONE },
  { Backend: LeaseForNobodyElse, caughtBy: ONE },
  { Backend: LeaseEndsALittleLate, caughtBy: ONE },
  {
    Backend: LeaseThatIsNotExtended,
    caughtBy: 'claimCleanup › gives it to the holder again, who may so hold it for longer',
  },
  { Backend: LeaseIsGivenBackByAnybody, caughtBy: BACK },
  { Backend: LeaseIsNeverGivenBack, caughtBy: BACK },
  {
    Backend: LeaseOfAnyLength,
    caughtBy: 'claimCleanup › is not kept off by a lease that a clock has written which was far ahead',
  },
  {
    Backend: LeaseIsNotAtomic,
    caughtBy: 'claimCleanup › gives it to one of many who claim it at the same time',
  },
  { Backend: LeaseIsPruned, caughtBy: NO_SESSION },
  { Backend: LeaseIsStoredAsASession, caughtBy: NO_SESSION },
];
