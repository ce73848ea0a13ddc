import { isHeldByAnother, leaseFor, longestDelay } from '../../src/core/cleanup-lease.js';
import { HOUR, MINUTE } from './support/open-store.js';

describe('leaseFor', () => {
  it('is over before the next turn, lasts a minute at least, and an hour at most', () => {
    expect(leaseFor(HOUR)).toBe(54 * MINUTE);
    expect([leaseFor(1), leaseFor(1_000), leaseFor(MINUTE)]).toEqual([MINUTE, MINUTE, MINUTE]);
    expect([leaseFor(2 * HOUR), leaseFor(1_000 * HOUR)]).toEqual([HOUR, HOUR]);
  });

  it('is whole milliseconds, as every instant in storage', () => {
    expect(leaseFor(HOUR - 1)).toBe(54 * MINUTE - 1);
  });
});

describe('longestDelay', () => {
  it('is a tenth of the time until the next turn, and a minute at most', () => {
    expect(longestDelay(100_000)).toBeCloseTo(10_000);
    expect(longestDelay(HOUR)).toBe(MINUTE);
  });
});

describe('isHeldByAnother', () => {
  const claim = { holder: 'one', now: 1_000, until: 2_000 };

  it('is so until the lease ends, for everybody but its holder', () => {
    expect(isHeldByAnother(null, claim)).toBe(false);
    expect(isHeldByAnother({ holder: 'other', until: 1_001 }, claim)).toBe(true);
    expect(isHeldByAnother({ holder: 'other', until: 1_000 }, claim)).toBe(false);
    expect(isHeldByAnother({ holder: 'one', until: 1_001 }, claim)).toBe(false);
  });

  it('is not so for more than two hours', () => {
    expect(isHeldByAnother({ holder: 'other', until: 1_000 + 2 * HOUR }, claim)).toBe(true);
    expect(isHeldByAnother({ holder: 'other', until: 1_001 + 2 * HOUR }, claim)).toBe(false);
  });
});
