import { applyChanges, hasChanges } from '../../src/core/merge-changes.js';
import type { FlashEntry, SessionContent } from '../../src/core/session-content.js';
import { WorkingCopy } from '../../src/core/working-copy.js';

const content = (...flashes: FlashEntry[]): SessionContent => ({ data: {}, flashes, meta: {} });
const flash = (id: string): FlashEntry => ({ id, kind: 'info', text: id });
const texts = (copy: WorkingCopy): string[] => copy.readFlashes().map(({ text }) => text);

function save(
  stored: SessionContent,
  copy: WorkingCopy,
  during: () => void = () => undefined,
): SessionContent {
  const snapshot = copy.snapshot();
  during();
  const saved = applyChanges(stored, snapshot.changes);
  copy.rebase(snapshot, saved);
  return saved;
}

describe('flashes', () => {
  it('are read once, without their ids, in order: stored ones first', () => {
    const copy = new WorkingCopy(content(flash('a'), flash('b')));
    copy.addFlash(flash('c'));
    expect(copy.readFlashes()).toEqual([
      { kind: 'info', text: 'a' },
      { kind: 'info', text: 'b' },
      { kind: 'info', text: 'c' },
    ]);
    expect(copy.readFlashes()).toEqual([]);
  });

  it('that were added and read in one request are never stored', () => {
    const copy = new WorkingCopy(content());
    copy.addFlash(flash('a'));
    expect(texts(copy)).toEqual(['a']);
    expect(hasChanges(copy.snapshot().changes)).toBe(false);
  });

  it('that were added are stored, and there for the next request', () => {
    const copy = new WorkingCopy(content(flash('a')));
    copy.addFlash(flash('b'));
    const stored = save(content(flash('a')), copy);
    expect(stored.flashes).toEqual([flash('a'), flash('b')]);
    expect(texts(new WorkingCopy(stored))).toEqual(['a', 'b']);
  });

  it('that were read are removed, and those that others added meanwhile stay', () => {
    const copy = new WorkingCopy(content(flash('a')));
    texts(copy);
    const stored = save(content(flash('a'), flash('other')), copy);
    expect(stored.flashes).toEqual([flash('other')]);
    expect(texts(copy)).toEqual(['other']);
  });

  it('that were stored and then read in the same request are removed by the next save', () => {
    const copy = new WorkingCopy(content());
    copy.addFlash(flash('a'));
    let stored = save(content(), copy);
    expect(texts(copy)).toEqual(['a']);
    stored = save(stored, copy);
    expect(stored.flashes).toEqual([]);
  });

  it('that were added while a save is under way are stored by the next', () => {
    const copy = new WorkingCopy(content());
    copy.addFlash(flash('a'));
    let stored = save(content(), copy, () => copy.addFlash(flash('b')));
    expect(stored.flashes).toEqual([flash('a')]);
    stored = save(stored, copy);
    expect(stored.flashes).toEqual([flash('a'), flash('b')]);
  });

  it('that were read while the save that adds them is under way are not shown again', () => {
    const copy = new WorkingCopy(content());
    copy.addFlash(flash('a'));
    let stored = save(content(), copy, () => expect(texts(copy)).toEqual(['a']));
    expect(texts(copy)).toEqual([]);
    stored = save(stored, copy);
    expect(stored.flashes).toEqual([]);
  });

  it('that a failed save had offered are stored once by the next', () => {
    const copy = new WorkingCopy(content());
    copy.addFlash(flash('a'));
    const afterAll = applyChanges(content(), copy.snapshot().changes);
    expect(save(afterAll, copy).flashes).toEqual([flash('a')]);
  });

  it('stay when data is replaced', () => {
    const copy = new WorkingCopy(content(flash('a')));
    copy.replace({ n: 1 });
    expect(save(content(flash('a')), copy)).toMatchObject({ data: { n: 1 }, flashes: [flash('a')] });
  });
});
