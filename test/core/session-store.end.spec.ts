import { SessionDataError } from '../../src/core/session-errors.js';
import { openStore, recordEvents } from './support/open-store.js';

async function openWithThree() {
  const opened = openStore({ ttl: '1h' });
  const [first, second, bobs] = [
    await opened.store.create({}, 'ada'),
    await opened.store.create({}, 'ada'),
    await opened.store.create({}, 'bob'),
  ];
  return { ...opened, first: first.session.id, second: second.session.id, bobs: bobs.session.id };
}

describe.each(['delete', 'destroy'] as const)('%s', (method) => {
  it('ends a session, and says whether it existed: it is idempotent', async () => {
    const { store, first } = await openWithThree();
    expect(await store[method](first)).toBe(true);
    expect(await store.read(first)).toBeNull();
    expect(await store[method](first)).toBe(false);
    expect(await store[method]('unknown')).toBe(false);
  });

  it('deletes an expired one too, without an event: it had ended before', async () => {
    const { store, clock, first } = await openWithThree();
    clock.advance('1h');
    const events = recordEvents(store);
    expect(await store[method](first)).toBe(true);
    expect(events).toEqual([]);
  });

  it('is true for one of many concurrent callers', async () => {
    const { store, first } = await openWithThree();
    const deleted = await Promise.all(Array.from({ length: 20 }, () => store[method](first)));
    expect(deleted.filter(Boolean)).toHaveLength(1);
  });

  it('rejects what is not an id', async () => {
    const { store } = await openWithThree();
    await expect(store[method]('')).rejects.toThrow(SessionDataError);
  });
});

describe('destroyAllForUser', () => {
  it("ends the user's sessions and nobody else's, and counts the active ones", async () => {
    const { store, bobs } = await openWithThree();
    expect(await store.destroyAllForUser('ada')).toBe(2);
    expect(await store.destroyAllForUser('ada')).toBe(0);
    expect(await store.listForUser('ada')).toEqual([]);
    expect(await store.load(bobs)).not.toBeNull();
  });

  it('takes expired ones away without counting them', async () => {
    const { store, clock, backend } = await openWithThree();
    clock.advance('1h');
    await store.create({}, 'ada');
    expect(await store.destroyAllForUser('ada')).toBe(1);
    expect([...backend.stored.values()].map(({ userId }) => userId)).toEqual(['bob']);
  });

  it('compares user ids byte for byte, and 1 is 1, "1" or 1n', async () => {
    const { store } = openStore();
    for (const userId of ['bob', 'Bob', 'bob ', 'bób', 'bo\u0301b', 1, '01']) await store.create({}, userId);
    expect(await store.destroyAllForUser('bob')).toBe(1);
    expect(await store.destroyAllForUser('1')).toBe(1);
    expect(await store.destroyAllForUser(1n)).toBe(0);
    expect(await store.destroyAllForUser('bób')).toBe(1);
    expect(await store.listForUser('Bob')).toHaveLength(1);
    expect(await store.listForUser('bo\u0301b')).toHaveLength(1);
  });

  it('never takes anonymous sessions for those of a user', async () => {
    const { store } = openStore();
    const { session } = await store.create({}, null);
    expect(await store.destroyAllForUser('null')).toBe(0);
    await expect(store.destroyAllForUser(null as unknown as string)).rejects.toThrow(SessionDataError);
    expect(await store.load(session.id)).not.toBeNull();
  });
});

describe('destroyAllExcept', () => {
  it('ends all sessions of the user but one', async () => {
    const { store, first, bobs } = await openWithThree();
    expect(await store.destroyAllExcept('ada', first)).toBe(1);
    expect((await store.listForUser('ada')).map(({ id }) => id)).toEqual([first]);
    expect(await store.destroyAllExcept('ada', first)).toBe(0);
    expect(await store.load(bobs)).not.toBeNull();
  });

  it("keeps nothing of the user when the id to keep is someone else's or unknown", async () => {
    const { store, bobs } = await openWithThree();
    expect(await store.destroyAllExcept('ada', bobs)).toBe(2);
    expect(await store.load(bobs)).not.toBeNull();
    await store.create({}, 'ada');
    expect(await store.destroyAllExcept('ada', 'unknown')).toBe(1);
  });
});

describe('destroyAll', () => {
  it('ends every session of everybody', async () => {
    const { store, backend } = await openWithThree();
    await store.create({}, null);
    await store.put('key', { userId: null, data: {} }, '1h');
    expect(await store.destroyAll()).toBe(5);
    expect(await store.destroyAll()).toBe(0);
    expect(backend.stored.size).toBe(0);
  });
});
