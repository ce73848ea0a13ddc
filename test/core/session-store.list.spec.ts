import { SessionDataError } from '../../src/core/session-errors.js';
import { HOUR, KEY, openStore, OTHER_KEY, START } from './support/open-store.js';

async function openWithFive() {
  const opened = openStore({ ttl: '1h' });
  const ids: string[] = [];
  for (let n = 0; n < 5; n++) {
    ids.push((await opened.store.create({ device: n }, 'ada', { n })).session.id);
    opened.clock.advance('1m');
  }
  const order = async (method: 'listForUser' | 'findSessionsForUser', limit = 100) =>
    (await opened.store[method]('ada', limit)).map(({ id }) => ids.indexOf(id));
  return { ...opened, ids, order };
}

describe('listForUser', () => {
  it('lists active sessions, most recently active first', async () => {
    const { store, clock, ids, order } = await openWithFive();
    expect(await order('listForUser')).toEqual([4, 3, 2, 1, 0]);
    await store.touch(ids[1]!, clock.now(), clock.now() + HOUR);
    clock.advance('1m');
    await store.flush(ids[3]!, {}, clock.now(), clock.now() + HOUR);
    expect(await order('listForUser')).toEqual([3, 1, 4, 2, 0]);
  });

  it('leaves out what has expired, and other users', async () => {
    const { store, clock, order } = await openWithFive();
    await store.create({}, 'bob');
    clock.advance('56m');
    expect(await order('listForUser')).toEqual([4, 3, 2]);
    expect(await store.listForUser('nobody')).toEqual([]);
  });

  it('gives whole records, without tokens or hashes', async () => {
    const { store, backend } = openStore();
    const { session, token } = await store.create({ ip: '192.0.2.1' }, 'ada', { n: 1 });
    const [listed] = await store.listForUser('ada');
    expect(listed).toEqual(session);
    const text = JSON.stringify(Object.entries(listed!));
    expect(text).not.toContain(backend.row(session.id).tokenHash);
    expect(text).not.toContain(token.reveal().slice(26));
  });

  it('orders sessions of one instant by id, latest first', async () => {
    const { store } = openStore();
    const ids: string[] = [];
    for (let n = 0; n < 8; n++) ids.push((await store.create({}, 'ada')).session.id);
    expect((await store.listForUser('ada')).map(({ id }) => id)).toEqual(ids.toReversed());
    expect((await store.findSessionsForUser('ada', 8)).map(({ id }) => id)).toEqual(ids.toReversed());
  });

  it('rejects what is not a user id', async () => {
    const { store } = openStore();
    await expect(store.listForUser('')).rejects.toThrow(SessionDataError);
    await expect(store.listForUser(undefined as unknown as string)).rejects.toThrow(SessionDataError);
  });
});

describe('findSessionsForUser', () => {
  it('lists newest first, whenever they were active, and `limit` at most', async () => {
    const { store, clock, ids, order } = await openWithFive();
    await store.touch(ids[0]!, clock.now(), clock.now() + HOUR);
    expect(await order('findSessionsForUser')).toEqual([4, 3, 2, 1, 0]);
    expect(await order('findSessionsForUser', 2)).toEqual([4, 3]);
    expect(await order('findSessionsForUser', 0)).toEqual([]);
  });

  it('applies the limit to active sessions only', async () => {
    const { clock, order } = await openWithFive();
    clock.advance('57m');
    expect(await order('findSessionsForUser', 2)).toEqual([4, 3]);
    clock.advance('1m');
    expect(await order('findSessionsForUser', 2)).toEqual([4]);
  });

  it.each([
    [-1],
    [1.5],
    [Number.NaN],
    [Infinity],
    ['5' as unknown as number],
    [undefined as unknown as number],
  ])('rejects a limit of %p', async (limit) => {
    const { store } = openStore();
    await expect(store.findSessionsForUser('ada', limit)).rejects.toThrow(SessionDataError);
    await expect(store.findSessionsForUser('ada', limit)).rejects.toThrow(
      /expected an integer of at least 0, got/,
    );
  });
});

describe.each(['listForUser', 'findSessionsForUser'] as const)('%s, with rows that do not open', (method) => {
  it('marks them, without data and meta, so that they can be revoked', async () => {
    const { store, backend } = openStore({ key: [OTHER_KEY, KEY] });
    const foreign = await store.create({ ip: '192.0.2.1' }, 'ada', { n: 0 });
    const shrunk = openStore({ key: KEY }, backend);
    const altered = await shrunk.store.create({ ip: '192.0.2.1' }, 'ada', { n: 1 });
    const planted = await shrunk.store.create({}, 'ada');
    const good = await shrunk.store.create({}, 'ada', { n: 3 });
    backend.tamper(altered.session.id, { payload: Buffer.from(backend.row(good.session.id).payload) });
    backend.tamper(planted.session.id, { payload: Buffer.from('\0[{},[],{"n":2}]') });

    const listed = await shrunk.store[method]('ada', 10);
    const shown = Object.fromEntries(
      listed.map(({ id, integrity, data, meta }) => [id, { integrity, data, meta }]),
    );
    expect(shown).toEqual({
      [foreign.session.id]: { integrity: 'unknown-key', data: {}, meta: {} },
      [altered.session.id]: { integrity: 'tampered', data: {}, meta: {} },
      [planted.session.id]: { integrity: 'tampered', data: {}, meta: {} },
      [good.session.id]: { integrity: 'intact', data: { n: 3 }, meta: {} },
    });
    expect(listed.every(({ createdAt }) => createdAt.getTime() === START)).toBe(true);
    for (const { id } of listed) expect(await shrunk.store.delete(id)).toBe(true);
  });
});
