import {
  firstToken,
  isRotationDue,
  judgeToken,
  reissued,
  renewed,
  rotated,
  tokenState,
  type TokenVerdict,
} from '../../src/core/session-rotation.js';
import type { TokenState } from '../../src/core/session-row.js';

const NOW = 1_000_000;
const hash = (letter: string): string => letter.repeat(64);
const [A, B, C] = [hash('a'), hash('b'), hash('c')];

/** B superseded A at NOW, with a grace of 30 s. */
const used: TokenState = {
  tokenHash: B,
  supersededHash: A,
  tokenIssuedAt: NOW,
  graceUntil: NOW + 30_000,
  tokenUsed: true,
};
const unused: TokenState = { ...used, tokenUsed: false };
const fresh = firstToken(A, NOW);

describe('judgeToken', () => {
  it.each<[string, TokenState, string, number, TokenVerdict]>([
    ['the only token', fresh, A, 0, 'current'],
    ['the only token, later', fresh, A, 9e9, 'current'],
    ['another token beside the only one', fresh, B, 0, 'reuse'],
    ['the current token, first time', unused, B, 0, 'first-use'],
    ['the current token, first time, after the grace', unused, B, 60_000, 'first-use'],
    ['the current token, again', used, B, 0, 'current'],
    ['the current token, again, after the grace', used, B, 60_000, 'current'],
    ['the superseded token within the grace, the current one unused', unused, A, 29_999, 'superseded'],
    ['the superseded token within the grace, the current one used', used, A, 29_999, 'superseded'],
    ['the superseded token at the end of the grace, the current one unused', unused, A, 30_000, 'lost'],
    ['the superseded token at the end of the grace, the current one used', used, A, 30_000, 'reuse'],
    ['the superseded token long after, the current one unused', unused, A, 9e9, 'lost'],
    ['the superseded token long after, the current one used', used, A, 9e9, 'reuse'],
    ['an older token within the grace, the current one unused', unused, C, 29_999, 'stale'],
    ['an older token within the grace, the current one used', used, C, 29_999, 'stale'],
    ['an older token after the grace, the current one unused', unused, C, 30_000, 'reuse'],
    ['an older token after the grace, the current one used', used, C, 30_000, 'reuse'],
    ['any token of a session that has none', firstToken(null, NOW), A, 60_000, 'stale'],
    ['a hash of another length', used, `${B}b`, 60_000, 'reuse'],
    ['an empty hash', unused, '', 60_000, 'reuse'],
  ])('%s', (_name, state, presented, after, verdict) => {
    expect(judgeToken(state, presented, NOW + after)).toBe(verdict);
  });
});

describe('rotated', () => {
  it('supersedes the current token, with a grace, and the new one is unused', () => {
    expect(rotated(fresh, B, NOW + 5, 30_000)).toEqual({
      tokenHash: B,
      supersededHash: A,
      tokenIssuedAt: NOW + 5,
      graceUntil: NOW + 30_005,
      tokenUsed: false,
    });
  });
});

describe('reissued', () => {
  it('drops the lost token, keeps the superseded one, and restarts the grace', () => {
    const state = reissued(unused, C, NOW + 60_000, 30_000);
    expect(state).toEqual({
      tokenHash: C,
      supersededHash: A,
      tokenIssuedAt: NOW + 60_000,
      graceUntil: NOW + 90_000,
      tokenUsed: false,
    });
    expect(judgeToken(state, A, NOW + 89_999)).toBe('superseded');
    expect(judgeToken(state, B, NOW + 89_999)).toBe('stale');
    expect(judgeToken(state, B, NOW + 90_000)).toBe('reuse');
  });
});

describe('renewed', () => {
  it('serves the old token not once more: stale within the grace, reuse afterwards', () => {
    const state = renewed(C, NOW, 30_000);
    expect(judgeToken(state, C, NOW)).toBe('current');
    expect(judgeToken(state, B, NOW + 29_999)).toBe('stale');
    expect(judgeToken(state, B, NOW + 30_000)).toBe('reuse');
  });
});

describe('isRotationDue', () => {
  it('when the token is as old as `every` says, and never without it', () => {
    expect(isRotationDue(fresh, NOW + 899_999, 900_000)).toBe(false);
    expect(isRotationDue(fresh, NOW + 900_000, 900_000)).toBe(true);
    expect(isRotationDue(fresh, NOW + 9e9, null)).toBe(false);
  });
});

describe('tokenState', () => {
  it('is the token side, and nothing else', () => {
    const row = { ...used, id: 'id', version: 3 };
    expect(tokenState(row)).toEqual(used);
  });
});
