import { CLOCK_TOLERANCE, readReplaced } from '../../src/core/replaced-tokens.js';
import {
  firstToken,
  caughtUp,
  isKnownToken,
  isRotationDue,
  type RotationFacts,
  judgeToken,
  nextGeneration,
  reissued,
  renewed,
  rotated,
  tokenState,
  type TokenVerdict,
} from '../../src/core/rotation-policy.js';
import type { TokenState } from '../../src/core/session-row.js';

const NOW = 1_000_000;
const GRACE = 30_000;
const hash = (letter: string): string => letter.repeat(64);
const [A, B, C, D, E] = [hash('a'), hash('b'), hash('c'), hash('d'), hash('e')];
const AT = { clock: 'mine', grace: GRACE };

/** C superseded B at NOW, and B superseded A an hour earlier: generations 2, 1 and 0. */
const long = rotated(firstToken(A, NOW - 7_200_000), B, { ...AT, now: NOW - 3_600_000 });
const unused = rotated({ ...long, tokenUsed: true }, C, { ...AT, now: NOW });
const used: TokenState = { ...unused, tokenUsed: true };
const fresh = firstToken(A, NOW);

const judge = (state: TokenState, letterHash: string, generation: number, after: number, clock = 'mine') =>
  judgeToken(state, { hash: letterHash, generation }, { now: NOW + after, clock });

describe('judgeToken', () => {
  it.each<[string, TokenState, string, number, number, TokenVerdict]>([
    ['the only token', fresh, A, 0, 0, 'current'],
    ['the only token, later', fresh, A, 0, 9e9, 'current'],
    ['the current token, first time', unused, C, 2, 0, 'first-use'],
    ['the current token, first time, after the grace', unused, C, 2, 60_000, 'first-use'],
    ['the current token, again', used, C, 2, 0, 'current'],
    ['the current token, again, after the grace', used, C, 2, 60_000, 'current'],
    ['the superseded token within the grace, the current one unused', unused, B, 1, 29_999, 'superseded'],
    ['the superseded token within the grace, the current one used', used, B, 1, 29_999, 'superseded'],
    ['the superseded token at the end of the grace, the current one unused', unused, B, 1, 30_000, 'lost'],
    ['the superseded token at the end of the grace, the current one used', used, B, 1, 30_000, 'reuse'],
    ['the superseded token long after, the current one unused', unused, B, 1, 9e9, 'lost'],
    ['the superseded token long after, the current one used', used, B, 1, 9e9, 'reuse'],
    [
      'an older token within the grace of the last rotation, the current one unused',
      unused,
      A,
      0,
      0,
      'reuse',
    ],
    [
      'an older token within the grace of the last rotation, the current one used',
      used,
      A,
      0,
      29_999,
      'reuse',
    ],
    ['a token from before generations were counted', used, A, -1, 0, 'reuse'],
    ['a newer token, the current one unused', unused, D, 3, 0, 'ahead'],
    ['a newer token, the current one used', used, D, 7, 9e9, 'ahead'],
    ['another token of the same generation, the current one unused', unused, D, 2, 9e9, 'ahead'],
    [
      'another token of the same generation within the grace, the current one used',
      used,
      D,
      2,
      29_999,
      'stale',
    ],
    [
      'another token of the same generation after the grace, the current one used',
      used,
      D,
      2,
      30_000,
      'reuse',
    ],
    ['any token of a session that has none', firstToken(null, NOW), A, 0, 60_000, 'none'],
    ['a hash of another length', used, `${C}c`, 2, 60_000, 'reuse'],
    ['an empty hash', used, '', 2, 60_000, 'reuse'],
  ])('%s', (_name, state, presented, generation, after, verdict) => {
    expect(judge(state, presented, generation, after)).toBe(verdict);
  });

  it('of an older token goes by when that was replaced, however often somebody rotated since', () => {
    let state = used;
    for (let n = 1; n <= 5; n++)
      state = { ...rotated(state, hash(`${n}`), { ...AT, now: NOW + 1_000 * n }), tokenUsed: true };
    // B was replaced at NOW, C a second later, the first of the others another second later.
    expect(judge(state, B, 1, 29_999)).toBe('stale');
    expect(judge(state, B, 1, 31_000)).toBe('reuse');
    expect(judge(state, hash('1'), 3, 31_999)).toBe('stale');
    expect(judge(state, A, 0, 5_000)).toBe('reuse');
  });

  it('never takes a token for reused within its grace, and always does soon after, at whatever rate others rotate', () => {
    for (const pause of [1, 10, 100, 999, 1_000, 7_000, 20_000, 29_999, 30_000, 31_000, 120_000, 600_000]) {
      let state = fresh;
      const replacedAt: number[] = [];
      for (let n = 0; n < 400; n++) {
        const now = NOW + pause * (n + 1);
        state = { ...rotated(state, hash('x'), { ...AT, now }), tokenUsed: true };
        replacedAt.push(now);
        expect(state.replacedTokens.length).toBeLessThan(512);
        if (n % 20 !== 0) continue;
        for (let generation = 0; generation < n; generation++) {
          const age = now - (replacedAt[generation] as number);
          const verdict = judgeToken(state, { hash: hash('y'), generation }, { now, clock: 'mine' });
          if (age < GRACE) expect(verdict).toBe('stale');
          if (age >= GRACE + (2 * CLOCK_TOLERANCE + GRACE) / 8) expect(verdict).toBe('reuse');
        }
      }
    }
  });

  it('by another clock says reuse only when no clock that is a minute off could say otherwise', () => {
    const verdicts = (after: number) => [
      judge(unused, B, 1, after, 'other'),
      judge(used, B, 1, after, 'other'),
      judge(used, D, 2, after, 'other'),
    ];
    expect(verdicts(29_999)).toEqual(['superseded', 'superseded', 'stale']);
    expect(verdicts(30_000)).toEqual(['superseded', 'stale', 'stale']);
    expect(verdicts(30_000 + CLOCK_TOLERANCE - 1)).toEqual(['superseded', 'stale', 'stale']);
    expect(verdicts(30_000 + CLOCK_TOLERANCE)).toEqual(['lost', 'reuse', 'reuse']);
  });

  it('trusts its own clock alone, also when two of them take turns', () => {
    const next = rotated(used, D, { ...AT, clock: 'other', now: NOW + 1 });
    const inUse = { ...next, tokenUsed: true };
    expect(['mine', 'other'].map((clock) => judge(inUse, C, 2, 60_000, clock))).toEqual(['stale', 'reuse']);
    expect(['mine', 'other'].map((clock) => judge(inUse, B, 1, 60_000, clock))).toEqual(['stale', 'stale']);
    const later = { ...rotated(next, E, { ...AT, clock: 'other', now: NOW + 3_600_000 }), tokenUsed: true };
    expect(judge(later, D, 3, 3_630_000, 'other')).toBe('reuse');
    expect(judge(later, D, 3, 3_630_000, 'mine')).toBe('stale');
    expect(judge(later, C, 2, 3_600_001, 'other')).toBe('reuse');
  });
});

describe('rotated', () => {
  it('supersedes the current token, with a grace, and the new one is unused and of the next generation', () => {
    const next = rotated(fresh, B, { ...AT, now: NOW + 5 });
    expect(next).toEqual({
      tokenHash: B,
      supersededHash: A,
      tokenIssuedAt: NOW + 5,
      graceUntil: NOW + 30_005,
      tokenUsed: false,
      tokenGeneration: 1,
      replacedTokens: '-mine',
    });
    expect(nextGeneration(next)).toBe(2);
  });
});

describe('reissued', () => {
  it('drops the lost token, keeps the superseded one, and restarts the grace', () => {
    const state = reissued(unused, D, { ...AT, now: NOW + 60_000 });
    expect(state).toMatchObject({
      tokenHash: D,
      supersededHash: B,
      tokenIssuedAt: NOW + 60_000,
      graceUntil: NOW + 90_000,
      tokenUsed: false,
      tokenGeneration: 3,
    });
    expect(judge(state, B, 1, 89_999)).toBe('superseded');
    expect(judge(state, C, 2, 89_999)).toBe('stale');
    expect(judge(state, C, 2, 90_000)).toBe('reuse');
  });

  it('gives each dropped token a grace of its own, however often another one is dropped', () => {
    let state = unused;
    for (let n = 1; n <= 10; n++) state = reissued(state, hash(`${n}`), { ...AT, now: NOW + 31_000 * n });
    expect(judge(state, B, 1, 340_000)).toBe('lost');
    expect(judge(state, C, 2, 100_000)).toBe('reuse');
    expect(judge(state, hash('9'), 11, 339_999)).toBe('stale');
    const next = {
      ...rotated({ ...state, tokenUsed: true }, D, { ...AT, now: NOW + 311_000 }),
      tokenUsed: true,
    };
    expect(judge(next, B, 1, 339_999)).toBe('stale');
    expect(judge(next, B, 1, 340_000)).toBe('reuse');
  });

  it('ends with so many tokens that got lost one after the other: somebody throws them away', () => {
    let state = unused;
    let count = 0;
    for (let now = 30_000; judge(state, B, 1, now) === 'lost'; now += 30_000) {
      state = reissued(state, hash('x'), { ...AT, now: NOW + now });
      count++;
    }
    expect(count).toBe(20);
    expect(judge(state, B, 1, 30_000 * 21)).toBe('reuse');
  });
});

describe('renewed', () => {
  const state = renewed(used, D, { ...AT, now: NOW + 60_000 });
  const inUse = { ...state, tokenUsed: true };

  it('serves the old token not once more: stale within the grace, reuse afterwards when the new one is in use', () => {
    expect(judge(state, D, 3, 60_000)).toBe('first-use');
    expect(judge(inUse, D, 3, 60_000)).toBe('current');
    for (const one of [state, inUse]) expect(judge(one, C, 2, 89_999)).toBe('stale');
    expect(judge(inUse, C, 2, 90_000)).toBe('reuse');
  });

  it('takes the return of the old token for a lost response while nobody has used the new one, and serves it no more', () => {
    expect(judge(state, C, 2, 90_000)).toBe('stale');
    expect(judge(state, C, 2, 9e9)).toBe('stale');
  });
});

describe('caughtUp', () => {
  it('makes a newer token the current one, in use; what storage took for it is superseded', () => {
    const state = caughtUp(used, { hash: E, generation: 9 }, { ...AT, now: NOW + 60_000 });
    expect(state).toMatchObject({ tokenHash: E, supersededHash: C, tokenGeneration: 9, tokenUsed: true });
    expect(judge(state, E, 9, 60_000)).toBe('current');
    expect(judge(state, C, 2, 89_999)).toBe('superseded');
    expect(judge(state, C, 2, 90_000)).toBe('reuse');
    expect(judge(state, D, 5, 89_999)).toBe('stale');
    expect(judge(state, D, 5, 90_000)).toBe('reuse');
    expect(judge(state, B, 1, 60_000)).toBe('reuse');
  });

  it('supersedes a token that somebody has used', () => {
    const state = caughtUp(used, { hash: E, generation: 3 }, { ...AT, now: NOW + 60_000 });
    expect(state.supersededHash).toBe(C);
    expect(readReplaced(state.replacedTokens).superseded).toBeNull();
  });

  it('drops a token that nobody has used: the one before stays the superseded one', () => {
    const state = caughtUp(unused, { hash: E, generation: 3 }, { ...AT, now: NOW + 60_000 });
    expect(state.supersededHash).toBe(B);
    expect(readReplaced(state.replacedTokens).superseded).toBe(1);
  });
});

describe('isKnownToken', () => {
  it.each([
    ['the current one', C, true],
    ['the superseded one', B, true],
    ['an older one', A, false],
    ['one that was never there', E, false],
  ])('of %s', (_, letterHash, isKnown) => {
    expect(isKnownToken(used, { hash: letterHash, generation: 2 })).toBe(isKnown);
  });
});

describe('isRotationDue', () => {
  const facts = { standing: 'current', transport: 'cookie', isWanted: false, now: NOW, every: null } as const;

  it('when the token is as old as `every` says, and never without it', () => {
    expect(isRotationDue(fresh, { ...facts, now: NOW + 899_999, every: 900_000 })).toBe(false);
    expect(isRotationDue(fresh, { ...facts, now: NOW + 900_000, every: 900_000 })).toBe(true);
    expect(isRotationDue(fresh, { ...facts, now: NOW + 9e9 })).toBe(false);
  });

  it.each<[string, Partial<RotationFacts>, boolean]>([
    ['when it is asked for', { isWanted: true }, true],
    ['when the response with the last new token was lost', { standing: 'lost' }, true],
    ['not of a superseded token, even if it is asked for', { standing: 'superseded', isWanted: true }, false],
    ['not of a bearer token, even if it is asked for', { transport: 'bearer', isWanted: true }, false],
  ])('%s', (_, changed, isDue) => {
    expect(isRotationDue(fresh, { ...facts, ...changed })).toBe(isDue);
  });
});

describe('tokenState', () => {
  it('is the token side, and nothing else', () => {
    const row = { ...used, id: 'id', version: 3 };
    expect(tokenState(row)).toEqual(used);
  });
});
