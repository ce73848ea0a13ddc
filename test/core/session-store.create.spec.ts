import { SessionLimitError, SessionTooLargeError } from '../../src/core/session-errors.js';
import { OpenMemoryBackend, WrappedBackend, yielding } from './support/backends.js';
import { DAY, HOUR, openStore, START } from './support/open-store.js';
import { PROPERTY_SEED } from './support/property-seed.js';
import { SeededRandom } from './support/random.js';

const ULID = /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/;

describe('create', () => {
  it('stores a session of the user, with its data, meta and lifetimes', async () => {
    const { store } = openStore({ ttl: '2h', absoluteTtl: '7d' });
    const { session } = await store.create({ ip: '192.0.2.1' }, 'ada', { cart: ['book'] });
    expect(session).toEqual({
      id: expect.stringMatching(ULID),
      userId: 'ada',
      data: { cart: ['book'] },
      meta: { ip: '192.0.2.1' },
      integrity: 'intact',
      createdAt: new Date(START),
      authenticatedAt: new Date(START),
      lastActiveAt: new Date(START),
      expiresAt: new Date(START + 2 * HOUR),
      absoluteExpiresAt: new Date(START + 7 * DAY),
    });
    expect(await store.read(session.id)).toEqual(session);
  });

  it('returns a token that leads to the session', async () => {
    const { store } = openStore();
    const { session, token } = await store.create({}, 'ada');
    expect(token.sessionId).toBe(session.id);
    expect(await store.readByToken(token)).toEqual(session);
  });

  it('gives every session its own id and token, ids in order of creation within one millisecond', async () => {
    const { store } = openStore({ maxPerUser: false });
    const created = await Promise.all(Array.from({ length: 200 }, () => store.create({}, 'ada')));
    const ids = created.map(({ session }) => session.id);
    expect(new Set(ids).size).toBe(200);
    expect(ids.toSorted()).toEqual(ids);
    expect(new Set(created.map(({ token }) => token.reveal())).size).toBe(200);
  });

  it('stores an anonymous session: nobody proved who they are, and `anonymousTtl` applies', async () => {
    const { store } = openStore({ anonymousTtl: '10m' });
    const { session } = await store.create({}, null, { cart: [] });
    expect(session).toMatchObject({ userId: null, authenticatedAt: null });
    expect(session.expiresAt).toEqual(new Date(START + HOUR / 6));
  });

  it('never lets the idle expiry pass the absolute one', async () => {
    const { store, backend } = openStore({ ttl: '2h', absoluteTtl: '1h' });
    const { session } = await store.create({}, 'ada');
    expect(session.expiresAt).toEqual(new Date(START + HOUR));
    expect(backend.row(session.id)).toMatchObject({ idleTtl: 2 * HOUR, expiresAt: START + HOUR });
  });

  it('does not share data with its caller', async () => {
    const { store } = openStore();
    const data = { cart: ['book'] };
    const { session } = await store.create({}, 'ada', data);
    data.cart.push('pen');
    expect(session.data).toEqual({ cart: ['book'] });
    session.data['cart'] = 'changed';
    expect((await store.load(session.id))?.data).toEqual({ cart: ['book'] });
  });

  it('refuses data or meta that is too large, and stores nothing', async () => {
    const { store, backend } = openStore();
    await expect(store.create({}, 'ada', { text: 'x'.repeat(20_000) })).rejects.toThrow(SessionTooLargeError);
    await expect(store.create({ agent: 'x'.repeat(5_000) }, 'ada')).rejects.toThrow(/meta of 5012 bytes/);
    expect(backend.stored.size).toBe(0);
  });
});

describe('create, when the user has `maxPerUser` sessions', () => {
  it('leaves exactly the latest 5 of 200 concurrent sign-ins', async () => {
    const { store } = openStore({ maxPerUser: 5 });
    const created = await Promise.all(Array.from({ length: 200 }, (_, n) => store.create({}, 'ada', { n })));
    const left = await store.findSessionsForUser('ada', 100);
    expect(left.map(({ data }) => data['n'])).toEqual([199, 198, 197, 196, 195]);
    const served = await Promise.all(created.map(({ token }) => store.readByToken(token)));
    expect(served.slice(0, 195).every((session) => session === null)).toBe(true);
    expect(served.slice(195).map((session) => session?.data['n'])).toEqual([195, 196, 197, 198, 199]);
  });

  it('leaves exactly 5 of 200 concurrent sign-ins in two processes on a slow database, too', async () => {
    const backend = new WrappedBackend(new OpenMemoryBackend(), yielding(new SeededRandom(PROPERTY_SEED)));
    const stores = [openStore({ maxPerUser: 5 }, backend).store, openStore({ maxPerUser: 5 }, backend).store];
    await Promise.all(Array.from({ length: 200 }, (_, n) => stores[n % 2]!.create({}, 'ada')));
    expect(await stores[0]!.listForUser('ada')).toHaveLength(5);
  });

  it('evicts the least recently active, not the oldest', async () => {
    const { store, clock } = openStore({ maxPerUser: 2 });
    const [first, second] = [await store.create({}, 'ada'), await store.create({}, 'ada')];
    clock.advance('1m');
    await store.touch(first.session.id, clock.now(), clock.now() + HOUR);
    const third = await store.create({}, 'ada');
    expect(await store.load(second.session.id)).toBeNull();
    expect((await store.listForUser('ada')).map(({ id }) => id)).toEqual([
      third.session.id,
      first.session.id,
    ]);
  });

  it('never makes the new session the victim, even when every other one was active later', async () => {
    const { store } = openStore({ maxPerUser: 1 });
    const first = await store.create({}, 'ada');
    await store.touch(first.session.id, START + HOUR, START + 2 * HOUR);
    const second = await store.create({}, 'ada');
    expect((await store.listForUser('ada')).map(({ id }) => id)).toEqual([second.session.id]);
  });

  it('counts only active sessions of the same user that carry a token', async () => {
    const { store, clock } = openStore({ maxPerUser: 2, onLimit: 'reject', ttl: '1h' });
    await store.create({}, 'ada');
    clock.advance('1h');
    await store.create({}, 'Ada');
    await store.create({}, null);
    await store.put('a key', { userId: 'ada', data: {} }, '1h');
    await store.create({}, 'ada');
    await store.create({}, 'ada');
    await expect(store.create({}, 'ada')).rejects.toThrow(SessionLimitError);
  });

  it('ends as many as are too many after the limit was lowered', async () => {
    const { store, backend } = openStore({ maxPerUser: 6 });
    for (let n = 0; n < 6; n++) await store.create({}, 'ada', { n });
    const lowered = openStore({ maxPerUser: 3 }, backend);
    lowered.clock.advance(1);
    await lowered.store.create({}, 'ada', { n: 6 });
    const left = await lowered.store.findSessionsForUser('ada', 9);
    expect(left.map(({ data }) => data['n'])).toEqual([6, 5, 4]);
  });

  it("refuses the new one with `onLimit: 'reject'`: the others stay, and of concurrent sign-ins no more get in", async () => {
    const { store, backend } = openStore({ maxPerUser: 5, onLimit: 'reject' });
    const attempts = await Promise.allSettled(Array.from({ length: 50 }, () => store.create({}, 'ada')));
    expect(attempts.filter(({ status }) => status === 'fulfilled')).toHaveLength(5);
    const refused = attempts.flatMap((one) => (one.status === 'rejected' ? [one.reason as unknown] : []));
    expect(refused).toHaveLength(45);
    expect(refused.every((reason) => reason instanceof SessionLimitError)).toBe(true);
    expect(String(refused[0])).toMatch(/already has 5 active sessions .*`maxPerUser`.*`onLimit` is 'reject'/);
    expect(backend.stored.size).toBe(5);
  });

  it('does not limit anonymous sessions, nor anyone with `maxPerUser: false`', async () => {
    const limited = openStore({ maxPerUser: 1 });
    for (let n = 0; n < 5; n++) await limited.store.create({}, null);
    expect(limited.backend.stored.size).toBe(5);
    const unlimited = openStore({ maxPerUser: false });
    for (let n = 0; n < 30; n++) await unlimited.store.create({}, 'ada');
    expect(unlimited.backend.stored.size).toBe(30);
  });
});
