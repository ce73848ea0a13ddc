import {
  applyChanges,
  diffData,
  hasChanges,
  mergeData,
  NO_FLASHES,
  type SessionChanges,
} from '../../src/core/merge-changes.js';
import type { FlashEntry, SessionContent } from '../../src/core/session-content.js';

const NOTHING: SessionChanges = { replace: false, set: {}, remove: [], ...NO_FLASHES };

const flash = (id: string): FlashEntry => ({ id, kind: 'info', text: `text of ${id}` });

const contentOf = (flashes: readonly FlashEntry[]): SessionContent => ({ data: { a: 1 }, flashes, meta: {} });

describe('there is something to save', () => {
  it.each<[string, Partial<SessionChanges>]>([
    ['when the data was replaced, even by nothing', { replace: true }],
    ['when a key was added or changed', { set: { a: 1 } }],
    ['when a key was removed', { remove: ['a'] }],
    ['when a message was added', { flashesAdded: [flash('a')] }],
    ['when a message was read', { flashesRead: ['a'] }],
  ])('%s', (_, changes) => {
    expect(hasChanges({ ...NOTHING, ...changes })).toBe(true);
  });

  it('not when nothing was done', () => {
    expect(hasChanges(NOTHING)).toBe(false);
  });
});

describe('the difference between two states of the data', () => {
  it('names keys that were added, changed and removed, and no others', () => {
    const base = { same: { deep: [1] }, changed: 1, gone: 1 };
    const data = { same: { deep: [1] }, changed: 2, added: null };
    expect(diffData(base, data)).toEqual({
      replace: false,
      set: { changed: 2, added: null },
      remove: ['gone'],
    });
  });

  it('takes a key for new that every object inherits', () => {
    expect(diffData({}, { constructor: 1 }).set).toEqual({ constructor: 1 });
    expect(diffData({ toString: 1 }, {}).remove).toEqual(['toString']);
  });
});

describe('changes of the data', () => {
  it('leave other keys as they are', () => {
    const merged = mergeData(
      { kept: 1, gone: 1, changed: 1 },
      { replace: false, set: { changed: 2 }, remove: ['gone'] },
    );
    expect(merged).toEqual({ kept: 1, changed: 2 });
  });

  it('leave nothing when they replace the data', () => {
    expect(mergeData({ gone: 1 }, { replace: true, set: { a: 1 }, remove: [] })).toEqual({ a: 1 });
  });

  it('leave the object alone that they are made to', () => {
    const data = { a: 1, gone: 1 };
    mergeData(data, { replace: false, set: { a: 2 }, remove: ['gone'] });
    expect(data).toEqual({ a: 1, gone: 1 });
  });
});

describe('changes of the messages', () => {
  it('take away what was read, and put what was added behind the others', () => {
    const changes = { ...NOTHING, flashesRead: ['a'], flashesAdded: [flash('c')] };
    expect(applyChanges(contentOf([flash('a'), flash('b')]), changes).flashes).toEqual([
      flash('b'),
      flash('c'),
    ]);
  });

  it('are made once, however often they are applied', () => {
    const changes = { ...NOTHING, flashesRead: ['a'], flashesAdded: [flash('b')] };
    const once = applyChanges(contentOf([flash('a')]), changes);
    expect(applyChanges(once, changes)).toEqual(once);
  });
});
