import { byLastUse, chooseVictims, isCounted } from '../../src/core/session-limit.js';
import { HOUR, START } from './support/open-store.js';

const used = (id: string, lastActiveAt: number) => ({ id, lastActiveAt });
const idsOf = (rows: readonly { id: string }[]) => rows.map(({ id }) => id);

describe('chooseVictims', () => {
  const rows = [used('b', 3), used('a', 2), used('d', 1), used('c', 2)];

  it.each<[number, string[]]>([
    [5, []],
    [4, ['d']],
    [3, ['d', 'a']],
    [2, ['d', 'a', 'c']],
    [1, ['d', 'a', 'c', 'b']],
  ])('makes room for one more among four with a limit of %i: %j', (max, victims) => {
    expect(idsOf(chooseVictims(rows, max))).toEqual(victims);
  });

  it('chooses nobody where there is nobody', () => {
    expect(chooseVictims([], 1)).toEqual([]);
  });

  it('leaves what it is given in its order', () => {
    chooseVictims(rows, 1);
    expect(idsOf(rows)).toEqual(['b', 'a', 'd', 'c']);
  });
});

describe('the order of eviction', () => {
  it('goes by the last use, then by the bytes of the id, not by its UTF-16 code units or a locale', () => {
    const ids = ['\u{1F600}', '\uFF5E', 'ä', 'b', 'a', 'C'];
    const rows = [used('aa', 2), ...ids.map((id) => used(id, 1))];
    expect(idsOf(rows.toSorted(byLastUse))).toEqual(['C', 'a', 'b', 'ä', '\uFF5E', '\u{1F600}', 'aa']);
  });
});

describe('isCounted', () => {
  const row = { userId: 'ada', tokenHash: 'hash', expiresAt: START + HOUR, absoluteExpiresAt: START + HOUR };

  it.each<[string, Partial<typeof row> | { userId: null } | { tokenHash: null }, boolean]>([
    ['an active session of the user', {}, true],
    ['a session that has expired', { expiresAt: START }, false],
    ['a session past its absolute expiry', { absoluteExpiresAt: START }, false],
    ['a session of somebody else', { userId: 'Ada' }, false],
    ['an anonymous session', { userId: null }, false],
    ['the value of a key, which carries no token', { tokenHash: null }, false],
  ])('%s: %j', (_name, change, expected) => {
    expect(isCounted({ ...row, ...change }, 'ada', START)).toBe(expected);
  });
});
