import type { JsonObject } from '../../src/core/json-data.js';
import {
  applyChanges,
  diffData,
  hasChanges,
  mergeData,
  NO_FLASHES,
  type SessionChanges,
} from '../../src/core/merge-changes.js';

const NOTHING: SessionChanges = { replace: false, set: {}, remove: [], ...NO_FLASHES };
const entry = (id: string) => ({ id, kind: 'info', text: id });

describe('diffData', () => {
  it.each<[string, JsonObject, JsonObject, Pick<SessionChanges, 'set' | 'remove'>]>([
    ['nothing, of equal data', { a: [1, { b: 2 }] }, { a: [1, { b: 2 }] }, { set: {}, remove: [] }],
    ['a key that was added', { a: 1 }, { a: 1, b: 2 }, { set: { b: 2 }, remove: [] }],
    [
      'a key that was changed deep inside, as a whole',
      { a: { b: 1, c: 2 } },
      { a: { b: 3, c: 2 } },
      { set: { a: { b: 3, c: 2 } }, remove: [] },
    ],
    ['a key that was removed', { a: 1, b: 2 }, { b: 2 }, { set: {}, remove: ['a'] }],
    ['null, which is a value', { a: 1 }, { a: null }, { set: { a: null }, remove: [] }],
    ['a key of a name that objects inherit', {}, { toString: 1 }, { set: { toString: 1 }, remove: [] }],
  ])('finds %s', (_name, base, data, changes) => {
    expect(diffData(base, data)).toEqual({ replace: false, ...changes });
  });
});

describe('mergeData', () => {
  it('keeps what others stored under other keys meanwhile', () => {
    const changes = diffData({ a: 1, b: 1 }, { a: 2 });
    expect(mergeData({ a: 1, b: 1, theirs: 3 }, changes)).toEqual({ a: 2, theirs: 3 });
  });

  it('lets the later of two changes of one key win', () => {
    expect(mergeData({ a: 'theirs' }, diffData({ a: 1 }, { a: 'mine' }))).toEqual({ a: 'mine' });
  });

  it('keeps nothing where the data was replaced as a whole', () => {
    expect(mergeData({ theirs: 3 }, { replace: true, set: { a: 1 }, remove: [] })).toEqual({ a: 1 });
  });

  it('leaves what it is given alone', () => {
    const data = Object.freeze({ a: 1, b: 2 });
    expect(mergeData(data, { replace: false, set: { a: 2 }, remove: ['b'] })).toEqual({ a: 2 });
  });
});

describe('applyChanges', () => {
  const content = { data: { a: 1 }, flashes: [entry('old'), entry('read')], meta: { ip: '192.0.2.1' } };
  const changes = { ...NOTHING, set: { b: 2 }, flashesAdded: [entry('new')], flashesRead: ['read'] };

  it('changes data, adds messages and drops those that were read', () => {
    expect(applyChanges(content, changes)).toEqual({
      data: { a: 1, b: 2 },
      flashes: [entry('old'), entry('new')],
      meta: content.meta,
    });
  });

  it('changes nothing more the second time, as when a write is made again', () => {
    const once = applyChanges(content, changes);
    expect(applyChanges(once, changes)).toEqual(once);
  });
});

describe('hasChanges', () => {
  it.each<[Partial<SessionChanges>, boolean]>([
    [{}, false],
    [{ replace: true }, true],
    [{ set: { a: undefined as never } }, true],
    [{ remove: ['a'] }, true],
    [{ flashesAdded: [entry('a')] }, true],
    [{ flashesRead: ['a'] }, true],
  ])('%j: %p', (change, expected) => {
    expect(hasChanges({ ...NOTHING, ...change })).toBe(expected);
  });
});
