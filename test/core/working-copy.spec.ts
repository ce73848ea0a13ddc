import type { JsonObject } from '../../src/core/json-data.js';
import { applyChanges, hasChanges } from '../../src/core/merge-changes.js';
import type { FlashEntry, SessionContent } from '../../src/core/session-content.js';
import { SessionDataError } from '../../src/core/session-errors.js';
import { WorkingCopy } from '../../src/core/working-copy.js';

const contentOf = (data: JsonObject, flashes: FlashEntry[] = []): SessionContent => ({
  data,
  flashes,
  meta: {},
});
const flash = (id: string): FlashEntry => ({ id, kind: 'info', text: `text of ${id}` });

/** Storage that one working copy saves to, with others writing in between. */
class Stored {
  constructor(public content: SessionContent) {}

  open(): WorkingCopy {
    return new WorkingCopy(this.content);
  }

  save(copy: WorkingCopy, during: () => void = () => undefined): void {
    const snapshot = copy.snapshot();
    during();
    this.content = applyChanges(this.content, snapshot.changes);
    copy.rebase(snapshot, this.content);
  }

  /** What another request stores. */
  write(data: JsonObject): void {
    this.content = contentOf({ ...this.content.data, ...data }, [...this.content.flashes]);
  }
}

describe('a working copy', () => {
  it('has no changes when it was only read', () => {
    const copy = new WorkingCopy(contentOf({ cart: [1] }, [flash('a')]));
    expect(copy.isUntouched).toBe(true);
    expect(copy.data).toEqual({ cart: [1] });
    expect(copy.isUntouched).toBe(false);
    expect(hasChanges(copy.snapshot().changes)).toBe(false);
  });

  it('notices changes however deep, and only those', () => {
    const copy = new WorkingCopy(contentOf({ cart: { items: [{ n: 1 }] }, other: [1], gone: 1 }));
    (copy.data['cart'] as { items: { n: number }[] }).items[0]!.n = 2;
    delete copy.data['gone'];
    expect(copy.snapshot().changes).toMatchObject({
      replace: false,
      set: { cart: { items: [{ n: 2 }] } },
      remove: ['gone'],
    });
  });

  it('has no changes when a change was taken back', () => {
    const copy = new WorkingCopy(contentOf({ a: 1 }));
    copy.data['a'] = 2;
    copy.data['b'] = 3;
    copy.data['a'] = 1;
    delete copy.data['b'];
    expect(hasChanges(copy.snapshot().changes)).toBe(false);
  });

  it('leaves what it was made from alone', () => {
    const stored = contentOf({ cart: [1] });
    const copy = new WorkingCopy(stored);
    (copy.data['cart'] as number[]).push(2);
    expect(stored.data).toEqual({ cart: [1] });
  });

  it('refuses data that is not JSON when changes are taken, and goes on when that is mended', () => {
    const copy = new WorkingCopy(contentOf({ a: 1 }));
    copy.data['n'] = 1n as unknown as number;
    expect(() => copy.snapshot()).toThrow(SessionDataError);
    copy.data['n'] = 1;
    expect(copy.snapshot().changes.set).toEqual({ n: 1 });
  });
});

describe('saving', () => {
  it('keeps the identity of data and of what is in it', () => {
    const stored = new Stored(contentOf({ cart: { items: [1] } }));
    const copy = stored.open();
    const { data } = copy;
    const cart = data['cart'] as { items: number[] };
    cart.items.push(2);
    stored.save(copy);
    expect(copy.data).toBe(data);
    expect(copy.data['cart']).toBe(cart);
    cart.items.push(3);
    stored.save(copy);
    expect(stored.content.data).toEqual({ cart: { items: [1, 2, 3] } });
  });

  it('leaves nothing to save', () => {
    const stored = new Stored(contentOf({ a: 1 }));
    const copy = stored.open();
    copy.data['a'] = 2;
    stored.save(copy);
    expect(hasChanges(copy.snapshot().changes)).toBe(false);
  });

  it('merges with what others have stored meanwhile, in storage and in data', () => {
    const stored = new Stored(contentOf({ a: 1, b: 1, c: 1 }));
    const copy = stored.open();
    copy.data['a'] = 2;
    stored.write({ b: 2, d: 2 });
    stored.save(copy);
    expect(stored.content.data).toEqual({ a: 2, b: 2, c: 1, d: 2 });
    expect(copy.data).toEqual(stored.content.data);
    expect(hasChanges(copy.snapshot().changes)).toBe(false);
  });

  it('shows a key that another one removed as removed', () => {
    const stored = new Stored(contentOf({ a: 1, b: 1 }));
    const copy = stored.open();
    copy.data['a'] = 2;
    stored.content = contentOf({ a: 1 });
    stored.save(copy);
    expect(copy.data).toEqual({ a: 2 });
  });

  it('does not touch what a failed save took', () => {
    const copy = new WorkingCopy(contentOf({ a: 1 }));
    copy.data['a'] = 2;
    copy.addFlash(flash('f'));
    copy.snapshot();
    expect(copy.snapshot().changes).toMatchObject({ set: { a: 2 }, flashesAdded: [flash('f')] });
  });

  it('keeps a Date in data a Date, and does not save it twice', () => {
    const stored = new Stored(contentOf({}));
    const copy = stored.open();
    const date = new Date(0);
    (copy.data as Record<string, unknown>)['at'] = date;
    stored.save(copy);
    expect(stored.content.data).toEqual({ at: '1970-01-01T00:00:00.000Z' });
    expect(copy.data['at']).toBe(date);
    expect(hasChanges(copy.snapshot().changes)).toBe(false);
  });
});

describe('what is changed while a save is under way', () => {
  it('is neither saved by it nor lost', () => {
    const stored = new Stored(contentOf({ a: 1, b: 1 }));
    const copy = stored.open();
    copy.data['a'] = 2;
    stored.save(copy, () => {
      copy.data['a'] = 3;
      copy.data['c'] = 3;
      delete copy.data['b'];
      stored.write({ d: 4 });
    });
    expect(stored.content.data).toEqual({ a: 2, b: 1, d: 4 });
    expect(copy.data).toEqual({ a: 3, c: 3, d: 4 });
    expect(copy.snapshot().changes).toMatchObject({ set: { a: 3, c: 3 }, remove: ['b'] });
    stored.save(copy);
    expect(stored.content.data).toEqual({ a: 3, c: 3, d: 4 });
  });

  it('wins over what others have stored under the same key', () => {
    const stored = new Stored(contentOf({ a: 1 }));
    const copy = stored.open();
    copy.data['x'] = 1;
    stored.save(copy, () => {
      copy.data['a'] = 'mine';
      stored.write({ a: 'theirs' });
    });
    expect(copy.data['a']).toBe('mine');
    stored.save(copy);
    expect(stored.content.data).toEqual({ a: 'mine', x: 1 });
  });

  it('may be the replacement of everything: it stays one', () => {
    const stored = new Stored(contentOf({ a: 1 }));
    const copy = stored.open();
    copy.data['x'] = 1;
    stored.save(copy, () => {
      copy.replace({ only: 'this' });
      stored.write({ theirs: true });
    });
    expect(stored.content.data).toEqual({ a: 1, x: 1, theirs: true });
    expect(copy.data).toEqual({ only: 'this' });
    expect(copy.snapshot().changes).toMatchObject({ replace: true, set: { only: 'this' } });
    stored.write({ later: true });
    stored.save(copy);
    expect(stored.content.data).toEqual({ only: 'this' });
  });

  it('may not be JSON: the save stands, and the next one refuses', () => {
    const stored = new Stored(contentOf({ a: 1 }));
    const copy = stored.open();
    copy.data['a'] = 2;
    stored.save(copy, () => {
      copy.data['n'] = 1n as unknown as number;
      stored.write({ theirs: true });
    });
    expect(stored.content.data).toEqual({ a: 2, theirs: true });
    expect(() => copy.snapshot()).toThrow(SessionDataError);
    copy.data['n'] = 1;
    stored.save(copy);
    expect(stored.content.data).toEqual({ a: 2, n: 1, theirs: true });
    expect(copy.data).toEqual(stored.content.data);
  });
});

describe('what a glance tells', () => {
  const opened = (): WorkingCopy => new WorkingCopy(contentOf({ a: 1 }, [flash('a')]));

  it('is nothing to save when nothing was done, and when data was only read', () => {
    const copy = opened();
    expect([copy.isUntouched, copy.isUnchanged]).toEqual([true, true]);
    expect(copy.data).toEqual({ a: 1 });
    expect([copy.isUntouched, copy.isUnchanged]).toEqual([false, true]);
  });

  it.each<[string, (copy: WorkingCopy) => unknown]>([
    ['data was changed', (copy) => (copy.data['a'] = 2)],
    ['data was replaced, if only by the same', (copy) => copy.replace({ a: 1 })],
    ['a message was added', (copy) => copy.addFlash(flash('b'))],
    ['a message was read', (copy) => copy.readFlashes()],
  ])('is no such thing when %s', (_, change) => {
    const copy = opened();
    change(copy);
    expect([copy.isUntouched, copy.isUnchanged]).toEqual([false, false]);
  });

  it('is nothing to save once all of it is stored', () => {
    const stored = new Stored(contentOf({ a: 1 }, [flash('a')]));
    const copy = stored.open();
    copy.readFlashes();
    copy.addFlash(flash('b'));
    copy.data['a'] = 2;
    stored.save(copy);
    expect(copy.isUnchanged).toBe(true);
    expect(hasChanges(copy.snapshot().changes)).toBe(false);
  });
});

describe('data that is read for the first time after a save', () => {
  it('is what was stored by then, with what others wrote', () => {
    const stored = new Stored(contentOf({ a: 1 }));
    const copy = stored.open();
    copy.addFlash(flash('a'));
    stored.save(copy, () => stored.write({ theirs: true }));
    expect(copy.data).toEqual({ a: 1, theirs: true });
  });
});

describe('replacing data', () => {
  it('leaves nothing of what is stored, nor of what others store meanwhile', () => {
    const stored = new Stored(contentOf({ a: 1, b: 1 }));
    const copy = stored.open();
    copy.replace({ c: 1 });
    stored.write({ d: 1 });
    stored.save(copy);
    expect(stored.content.data).toEqual({ c: 1 });
    expect(copy.data).toEqual({ c: 1 });
  });

  it('is over once it is stored: later changes merge again', () => {
    const stored = new Stored(contentOf({ a: 1 }));
    const copy = stored.open();
    copy.replace({ c: 1 });
    stored.save(copy);
    copy.data['e'] = 1;
    stored.write({ d: 1 });
    stored.save(copy);
    expect(stored.content.data).toEqual({ c: 1, d: 1, e: 1 });
  });

  it('with the same data is still a change: what others stored goes', () => {
    const stored = new Stored(contentOf({ a: 1 }));
    const copy = stored.open();
    copy.replace({ a: 1 });
    expect(hasChanges(copy.snapshot().changes)).toBe(true);
  });

  it('takes a copy, and refuses at once what is not JSON', () => {
    const copy = new WorkingCopy(contentOf({ a: 1 }));
    const data = { list: [1] };
    copy.replace(data);
    data.list.push(2);
    expect(copy.data).toEqual({ list: [1] });
    expect(() => copy.replace({ n: 1n })).toThrow(SessionDataError);
    expect(() => copy.replace(null)).toThrow(SessionDataError);
    expect(copy.data).toEqual({ list: [1] });
  });
});
