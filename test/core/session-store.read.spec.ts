import type { SessionStore } from '../../src/core/session-store.js';
import { SessionDataError, SessionStoreError, SessionTamperedError } from '../../src/core/session-errors.js';
import { OpenMemoryBackend, WrappedBackend } from './support/backends.js';
import { KEY, openStore, OTHER_KEY, recordEvents, START } from './support/open-store.js';

function openCounted(options = {}) {
  return openStore(options, new WrappedBackend(new OpenMemoryBackend()));
}

describe('readByToken', () => {
  it('gives the session for its token, as an object or as text', async () => {
    const { store } = openStore();
    const { session, token } = await store.create({ ip: '192.0.2.1' }, 'ada', { cart: [1] });
    expect(await store.readByToken(token)).toEqual(session);
    expect(await store.readByToken(token.reveal())).toEqual(session);
  });

  it('gives null once the session has ended', async () => {
    const { store } = openStore();
    const { session, token } = await store.create({}, 'ada');
    await store.delete(session.id);
    expect(await store.readByToken(token)).toBeNull();
  });

  it('gives null from the very millisecond of the expiry', async () => {
    const { store, clock } = openStore({ ttl: '1h' });
    const { token } = await store.create({}, 'ada');
    clock.advance(3_599_999);
    expect(await store.readByToken(token)).not.toBeNull();
    clock.advance(1);
    expect(await store.readByToken(token)).toBeNull();
  });

  it('gives null for a genuine token of another session under the same id', async () => {
    const { store, backend } = openStore();
    const { session, token } = await store.create({}, 'ada');
    backend.tamper(session.id, { tokenHash: '0'.repeat(64) });
    expect(await store.readByToken(token)).toBeNull();
  });

  it('does not write', async () => {
    const { store, backend } = openCounted();
    const { token } = await store.create({}, 'ada');
    backend.calls.length = 0;
    for (let n = 0; n < 3; n++) await store.readByToken(token);
    expect(backend.calls).toEqual(['find', 'find', 'find']);
  });

  it('gives null for a payload that was altered, tells it as an event, and leaves the row to be revoked', async () => {
    const { store, backend } = openStore();
    const { session, token } = await store.create({}, 'ada');
    const payload = Buffer.from(backend.row(session.id).payload);
    payload[payload.length - 1]! ^= 1;
    backend.tamper(session.id, { payload });
    const events = recordEvents(store);
    expect(await store.readByToken(token)).toBeNull();
    expect(events).toEqual([{ name: 'tampered', sessionId: session.id, userId: 'ada', at: new Date(START) }]);
    expect(await store.delete(session.id)).toBe(true);
  });

  it('rejects when the payload names a key that is not configured: an operator made a mistake', async () => {
    const { store, backend } = openStore({ key: [KEY, OTHER_KEY] });
    const { token } = await store.create({}, 'ada');
    const elsewhere = openStore({ key: [OTHER_KEY, KEY] }, backend).store;
    const moved = await elsewhere.create({}, 'bob');
    backend.tamper(token.sessionId, { payload: backend.row(moved.session.id).payload });
    const shrunk = openStore({ key: KEY }, backend).store;
    await expect(shrunk.readByToken(token)).rejects.toThrow(SessionStoreError);
    await expect(shrunk.readByToken(token)).rejects.toThrow(/which the configured `key` does not contain/);
  });
});

describe('readByToken, with what no key confirms', () => {
  it('touches no storage, and counts', async () => {
    const { store, backend } = openCounted();
    const { token } = await store.create({}, 'ada');
    const good = token.reveal();
    const foreign = (await openStore({ key: OTHER_KEY }).store.create({}, 'ada')).token.reveal();
    const unkeyed = (await openStore({ plaintext: true }).store.create({}, 'ada')).token.reveal();
    const junk = [
      '',
      ' ',
      'x',
      good.slice(0, -1),
      `${good}A`,
      ` ${good}`,
      `${good}\n`,
      good.toLowerCase(),
      `${good.slice(0, 26)}.${good.slice(27)}`,
      `${good}, ${good}`,
      '\0'.repeat(91),
      'A'.repeat(91),
      '7'.repeat(91),
      'x'.repeat(100_000),
      '💥'.repeat(45),
      '%00',
      '__proto__',
      foreign,
      unkeyed,
    ];
    backend.calls.length = 0;
    for (const text of junk) expect(await store.readByToken(text)).toBeNull();
    expect(backend.calls).toEqual([]);
    expect((await store.checkHealth()).refusedTokens).toBe(junk.length);
  });

  it('refuses every change of one character', async () => {
    const { store, backend } = openCounted();
    const good = (await store.create({}, 'ada')).token.reveal();
    backend.calls.length = 0;
    for (let at = 0; at < good.length; at++) {
      const other = good[at] === '0' ? '1' : '0';
      expect(await store.readByToken(good.slice(0, at) + other + good.slice(at + 1))).toBeNull();
    }
    expect(backend.calls).toEqual([]);
  });

  it.each([[undefined], [null], [42], [{}], [[]], [Buffer.from('x')]])(
    'takes %p for a bad token',
    async (value) => {
      const { store } = openStore();
      expect(await store.readByToken(value as unknown as string)).toBeNull();
    },
  );
});

describe.each(['read', 'load', 'get'] as const)('%s', (method) => {
  const found = (store: SessionStore, id: string) =>
    method === 'get' ? store.get(id, { sessions: true }) : store[method](id);

  it('gives the session by its public id', async () => {
    const { store } = openStore();
    const { session } = await store.create({}, 'ada', { n: 1 });
    expect(await found(store, session.id)).toEqual(session);
  });

  it('gives null for an id that is not stored', async () => {
    const { store } = openStore();
    expect(await found(store, 'unknown')).toBeNull();
  });

  it('rejects what is not an id', async () => {
    const { store } = openStore();
    for (const id of ['', 'a\0b', 'x'.repeat(256), '\ud800', null as unknown as string]) {
      await expect(found(store, id)).rejects.toThrow(SessionDataError);
    }
  });

  it('rejects with SessionTamperedError when the payload was altered', async () => {
    const { store, backend } = openStore();
    const { session } = await store.create({}, 'ada');
    const payload = Buffer.from(backend.row(session.id).payload);
    payload[40]! ^= 4;
    backend.tamper(session.id, { payload });
    await expect(found(store, session.id)).rejects.toThrow(SessionTamperedError);
    await expect(found(store, session.id)).rejects.toThrow(/Revoke the session/);
  });
});

describe('an expired session', () => {
  it('is there for read, and not for load and get', async () => {
    const { store, clock } = openStore({ ttl: '1h' });
    const { session } = await store.create({}, 'ada', { n: 1 });
    clock.advance('1h');
    expect(await store.read(session.id)).toEqual(session);
    expect(await store.load(session.id)).toBeNull();
    expect(await store.get(session.id)).toBeNull();
  });

  it('is also one whose absolute expiry has come, whatever storage says of the idle one', async () => {
    const { store, backend, clock } = openStore({ ttl: '1h', absoluteTtl: '2h' });
    const { session } = await store.create({}, 'ada');
    backend.tamper(session.id, { expiresAt: START + 9e9 });
    clock.advance('2h');
    expect(await store.load(session.id)).toBeNull();
    expect((await store.read(session.id))?.expiresAt).toEqual(session.absoluteExpiresAt);
  });
});
