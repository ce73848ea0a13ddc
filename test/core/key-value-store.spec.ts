import {
  SessionConflictError,
  SessionDataError,
  SessionGoneError,
  SessionOptionsError,
  SessionStoreError,
  SessionTooLargeError,
} from '../../src/core/session-errors.js';
import type { KeyOptions, KeyValueStore } from '../../src/core/key-value-store.js';
import type { SessionStore } from '../../src/core/session-store.js';
import type { SessionRecord } from '../../src/core/session-record.js';
import { DAY, HOUR, openStore, recordEvents, START } from './support/open-store.js';

describe.each(['save', 'put'] as const)('%s', (method) => {
  it('inserts under any id, with the idle timeout given', async () => {
    const { store } = openStore({ absoluteTtl: '2d' });
    for (const id of ['a', 'pre:1/2 %', '💥', 'x'.repeat(255), '__proto__']) {
      const session = await store[method](id, { userId: 7, data: { n: 1 } }, '3h');
      expect(session).toMatchObject({
        id,
        userId: '7',
        data: { n: 1 },
        meta: {},
        createdAt: new Date(START),
      });
      expect(session.expiresAt).toEqual(new Date(START + 3 * HOUR));
      expect(session.absoluteExpiresAt).toEqual(new Date(START + 2 * DAY));
      expect(session.authenticatedAt).toEqual(new Date(START));
      expect(await store.get(id)).toEqual(session);
    }
  });

  it('replaces all data, and keeps createdAt, authenticatedAt and the absolute expiry', async () => {
    const { store, clock } = openStore({ absoluteTtl: '2d' });
    const first = await store[method]('key', { userId: 'ada', data: { a: 1 } }, '1h');
    clock.advance('30m');
    const second = await store[method]('key', { userId: 'ada', data: { b: 2 } }, '10h');
    expect(second.data).toEqual({ b: 2 });
    expect(second.createdAt).toEqual(first.createdAt);
    expect(second.authenticatedAt).toEqual(first.authenticatedAt);
    expect(second.absoluteExpiresAt).toEqual(first.absoluteExpiresAt);
    expect(second.lastActiveAt).toEqual(new Date(clock.now()));
    expect(second.expiresAt).toEqual(new Date(clock.now() + 10 * HOUR));
    expect(await store.get('key')).toEqual(second);
  });

  it('stores the new idle timeout for later use too', async () => {
    const { store, backend } = openStore();
    await store[method]('key', { userId: 'ada', data: {} }, '1h');
    await store[method]('key', { userId: 'ada', data: {} }, '2h');
    expect(backend.row('key').idleTtl).toBe(2 * HOUR);
  });

  it('over a session, when that is said, keeps token and meta of the same owner', async () => {
    const { store } = openStore();
    const { session, token } = await store.create({ ip: '192.0.2.1' }, 'ada', { a: 1 });
    await store[method](session.id, { userId: 'ada', data: { b: 2 } }, '1h', { sessions: true });
    expect(await store.readByToken(token)).toMatchObject({ data: { b: 2 }, meta: { ip: '192.0.2.1' } });
  });

  it('takes token and meta away when the owner changes, and the old token ends nothing', async () => {
    const { store, clock } = openStore();
    const { session, token } = await store.create({ ip: '192.0.2.1' }, 'ada', { a: 1 });
    clock.advance('10m');
    const events = recordEvents(store);
    const taken = await store[method](session.id, { userId: 'bob', data: {} }, '1h', { sessions: true });
    expect(taken).toMatchObject({ userId: 'bob', meta: {}, data: {} });
    expect(taken.authenticatedAt).toEqual(new Date(clock.now()));
    expect(await store.readByToken(token)).toBeNull();
    expect(await store.get(session.id)).toEqual(taken);
    expect(events).toEqual([]);
  });

  it('starts anew where the old one has expired', async () => {
    const { store, clock } = openStore();
    await store[method]('key', { userId: 'ada', data: { a: 1 } }, '1h');
    clock.advance('1h');
    const session = await store[method]('key', { userId: 'ada', data: {} }, '1h');
    expect(session).toMatchObject({
      createdAt: new Date(clock.now()),
      authenticatedAt: new Date(clock.now()),
    });
    expect(session.absoluteExpiresAt).toEqual(new Date(clock.now() + 30 * DAY));
  });

  it('is cut at the absolute expiry that it keeps', async () => {
    const { store, clock } = openStore({ absoluteTtl: '90m' });
    await store[method]('key', { userId: null, data: {} }, '1h');
    clock.advance('59m');
    const session = await store[method]('key', { userId: null, data: {} }, '1h');
    expect(session.expiresAt).toEqual(new Date(START + 1.5 * HOUR));
    clock.advance('31m');
    expect(await store.get('key')).toBeNull();
  });

  it('counts towards no limit', async () => {
    const { store } = openStore({ maxPerUser: 1 });
    const { session } = await store.create({}, 'ada');
    for (const key of ['a', 'b', 'c']) await store[method](key, { userId: 'ada', data: {} }, '1h');
    expect(await store.load(session.id)).not.toBeNull();
    expect(await store.listForUser('ada')).toHaveLength(4);
  });

  it('refuses what cannot be stored, and leaves what is', async () => {
    const { store } = openStore();
    const before = await store[method]('key', { userId: 'ada', data: { a: 1 } }, '1h');
    const put = (id: string, data: object, ttl: string | number = '1h', userId = 'ada') =>
      store[method](id, { userId, data }, ttl);
    await expect(put('', {})).rejects.toThrow(SessionDataError);
    await expect(put('x'.repeat(256), {})).rejects.toThrow('at most 255 characters');
    await expect(put('key', { n: 1n })).rejects.toThrow(SessionDataError);
    await expect(put('key', { a: 'x'.repeat(1_000_000) })).rejects.toThrow(SessionTooLargeError);
    await expect(put('key', {}, 3600)).rejects.toThrow(SessionOptionsError);
    await expect(put('key', {}, '1h', '')).rejects.toThrow(SessionDataError);
    expect(await store.get('key')).toEqual(before);
  });

  it('replaces a row that does not open, but not one whose key is not configured', async () => {
    const { store, backend } = openStore();
    await store[method]('key', { userId: 'ada', data: { a: 1 } }, '1h');
    backend.tamper('key', { payload: Buffer.alloc(99, 2) });
    await store[method]('key', { userId: 'ada', data: { b: 2 } }, '1h');
    expect((await store.get('key'))?.data).toEqual({ b: 2 });
    backend.tamper('key', { payload: Buffer.alloc(99, 1) });
    const replaced = store[method]('key', { userId: 'ada', data: { c: 3 } }, '1h');
    await expect(replaced).rejects.toThrow(SessionStoreError);
    expect(backend.row('key').payload).toEqual(Buffer.alloc(99, 1));
  });

  it('keeps one of many concurrent writers, whole', async () => {
    const { store, backend } = openStore();
    await Promise.all(
      Array.from({ length: 50 }, (_, n) =>
        store[method]('key', { userId: 'ada', data: { n, twice: 2 * n } }, '1h'),
      ),
    );
    const session = await store.get('key');
    expect(session?.data['twice']).toBe(2 * Number(session?.data['n']));
    expect(backend.stored.size).toBe(1);
  });
});

describe('cycle', () => {
  it('ends the old and stores the new in one step, with what was proved and promised', async () => {
    const { store, clock, backend } = openStore({ absoluteTtl: '2d' });
    const old = await store.put('old', { userId: 'ada', data: { a: 1 } }, '1h');
    clock.advance('10m');
    const session = await store.cycle('old', 'new', { userId: 'ada', data: { b: 2 } }, '3h');
    expect(session).toMatchObject({ id: 'new', userId: 'ada', data: { b: 2 } });
    expect(session.createdAt).toEqual(old.createdAt);
    expect(session.authenticatedAt).toEqual(old.authenticatedAt);
    expect(session.absoluteExpiresAt).toEqual(old.absoluteExpiresAt);
    expect(session.expiresAt).toEqual(new Date(clock.now() + 3 * HOUR));
    expect(await store.get('old')).toBeNull();
    expect(await store.get('new')).toEqual(session);
    expect([...backend.stored.keys()]).toEqual(['new']);
    expect(backend.row('new').idleTtl).toBe(3 * HOUR);
  });

  it('signs in: the new owner is proved now', async () => {
    const { store, clock } = openStore();
    await store.put('old', { userId: null, data: {} }, '1h');
    clock.advance('10m');
    const session = await store.cycle('old', 'new', { userId: 'ada', data: {} }, '1h');
    expect(session).toMatchObject({ userId: 'ada', authenticatedAt: new Date(clock.now()) });
  });

  it('takes the token of the old session away', async () => {
    const { store } = openStore();
    const { session, token } = await store.create({ ip: '192.0.2.1' }, 'ada');
    const next = await store.cycle(session.id, 'new', { userId: 'ada', data: {} }, '1h', { sessions: true });
    expect(next.meta).toEqual({ ip: '192.0.2.1' });
    expect(await store.readByToken(token)).toBeNull();
    expect(await store.get('new')).not.toBeNull();
  });

  it('is SessionGoneError when the old one is missing or has expired, and stores nothing', async () => {
    const { store, clock } = openStore();
    const cycle = () => store.cycle('old', 'new', { userId: 'ada', data: {} }, '1h');
    await expect(cycle()).rejects.toThrow(SessionGoneError);
    await store.put('old', { userId: 'ada', data: {} }, '1h');
    clock.advance('1h');
    await expect(cycle()).rejects.toThrow(SessionGoneError);
    expect(await store.read('new')).toBeNull();
  });

  it('is SessionConflictError when the new id is taken, and leaves both untouched', async () => {
    const { store } = openStore();
    const old = await store.put('old', { userId: 'ada', data: { a: 1 } }, '1h');
    const other = await store.put('new', { userId: 'bob', data: { b: 2 } }, '1h');
    for (const id of ['new', 'old']) {
      const cycled = store.cycle('old', id, { userId: 'ada', data: {} }, '1h');
      await expect(cycled).rejects.toThrow(SessionConflictError);
    }
    expect(await store.get('old')).toEqual(old);
    expect(await store.get('new')).toEqual(other);
  });

  it('is won by one of two concurrent callers', async () => {
    const { store } = openStore();
    await store.put('old', { userId: 'ada', data: {} }, '1h');
    const cycled = await Promise.allSettled(
      ['a', 'b', 'c'].map((id) => store.cycle('old', id, { userId: 'ada', data: {} }, '1h')),
    );
    expect(cycled.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected']);
    expect(await store.listForUser('ada')).toHaveLength(1);
  });

  it('refuses data that cannot be stored, and leaves the old one', async () => {
    const { store } = openStore();
    const old = await store.put('old', { userId: 'ada', data: { a: 1 } }, '1h');
    const cycled = store.cycle('old', 'new', { userId: 'ada', data: { a: 'x'.repeat(20_000) } }, '1h');
    await expect(cycled).rejects.toThrow(SessionTooLargeError);
    expect(await store.get('old')).toEqual(old);
  });
});

describe('a key that is the id of a session with a token', () => {
  const STATE = { userId: 'mallory', data: { planted: true } };

  const DOORS: ReadonlyArray<[string, (store: SessionStore, id: string, options?: KeyOptions) => unknown]> = [
    ['get', (store, id, options) => store.get(id, options)],
    ['put', (store, id, options) => store.put(id, STATE, '1h', options)],
    ['save', (store, id, options) => store.save(id, STATE, '1h', options)],
    ['cycle', (store, id, options) => store.cycle(id, 'new', STATE, '1h', options)],
  ];

  it.each(DOORS)('is refused by %s: nothing is read, and nothing changes', async (_name, call) => {
    for (const userId of ['ada', 'mallory', null]) {
      const { store, backend } = openStore();
      const { session, token } = await store.create({}, userId, { secret: 1 });
      const before = new Map(backend.stored);
      const events = recordEvents(store);
      for (const options of [undefined, {}, { sessions: false }, { sessions: 'yes' as unknown as boolean }]) {
        const refused: unknown = await Promise.resolve(call(store, session.id, options)).catch(String);
        expect(refused).toMatch(/^SessionConflictError: The key is the id of a session that carries a token/);
      }
      expect(backend.stored).toEqual(before);
      expect(events).toEqual([]);
      expect((await store.readByToken(token))?.data).toEqual({ secret: 1 });
    }
  });

  it.each(DOORS)('is taken by %s when that is said', async (_name, call) => {
    const { store } = openStore();
    const { session } = await store.create({}, 'ada', { secret: 1 });
    expect(await call(store, session.id, { sessions: true })).not.toBeNull();
  });

  it.each(DOORS)('is a key as any other for %s when the session has ended', async (name, call) => {
    for (const end of ['delete', 'expire']) {
      const { store, clock } = openStore();
      const { session } = await store.create({}, 'ada', { secret: 1 });
      if (end === 'delete') await store.delete(session.id);
      else clock.advance('24h');
      const said: unknown = await Promise.resolve(call(store, session.id)).catch(String);
      if (name === 'get') expect(said).toBeNull();
      else if (name === 'cycle') expect(said).toMatch(/^SessionGoneError/);
      else expect(said).toMatchObject({ userId: 'mallory', data: { planted: true } });
    }
  });

  it.each(DOORS.slice(1))('is noticed by %s also when it begins under way', async (_name, call) => {
    const { store, backend } = openStore();
    await store.put('key', { userId: 'ada', data: { a: 1 } }, '1h');
    const insert = backend.insert.bind(backend);
    backend.insert = (request) => {
      backend.tamper('key', { tokenHash: 'e'.repeat(64) });
      return insert(request);
    };
    await expect(call(store, 'key')).rejects.toThrow(SessionConflictError);
    expect((await store.load('key'))?.data).toEqual({ a: 1 });
  });

  it('is what `load` and `read`, which take ids of sessions, are for', async () => {
    const { store } = openStore();
    const { session } = await store.create({}, 'ada', { a: 1 });
    expect(await store.load(session.id)).toEqual(session);
    expect(await store.read(session.id)).toEqual(session);
  });
});

describe('a SessionStore as a KeyValueStore', () => {
  it('gets, puts, deletes and prunes', async () => {
    const { store, clock } = openStore();
    const values: KeyValueStore<string, { userId: null; data: object }, SessionRecord> = store;
    expect(await values.get('key')).toBeNull();
    await values.put('key', { userId: null, data: { a: 1 } }, '1h');
    await values.put('other', { userId: null, data: {} }, '2h');
    expect((await values.get('key'))?.data).toEqual({ a: 1 });
    expect(await values.delete('other')).toBe(true);
    expect(await values.delete('other')).toBe(false);
    clock.advance('1h');
    expect(await values.pruneExpired()).toBe(1);
    expect(await values.get('key')).toBeNull();
  });
});
