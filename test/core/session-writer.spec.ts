import { SessionConflictError, SessionGoneError } from '../../src/core/session-errors.js';
import type { SessionStore } from '../../src/core/session-store.js';
import { type ContentWrite, unused, usedAt } from '../../src/core/session-writer.js';
import { hang, OpenMemoryBackend, WrappedBackend, yielding } from './support/backends.js';
import { HOUR, MINUTE, openStore, START } from './support/open-store.js';
import { PROPERTY_SEED } from './support/property-seed.js';
import { SeededRandom } from './support/random.js';

const increment: ContentWrite['apply'] = (content) => ({
  ...content,
  data: { ...content.data, n: Number(content.data['n'] ?? 0) + 1 },
});

async function openSlow(timeout = '10s', around = yielding(new SeededRandom(PROPERTY_SEED))) {
  const backend = new WrappedBackend(new OpenMemoryBackend());
  const opened = openStore({ timeout }, backend);
  const { session, token } = await opened.store.create({}, 'ada', { n: 0 });
  backend.around = around;
  const n = async () => (await opened.store.read(session.id))?.data['n'];
  const write = (store: SessionStore = opened.store, apply = increment) =>
    store.parts.writer.write({ id: session.id, use: unused, apply });
  /** Another process on the same database. */
  const elsewhere = () => openStore({ timeout }, backend).store;
  return { ...opened, id: session.id, token, n, write, elsewhere };
}

describe('writes of one session, on a backend that gives way at every call', () => {
  it('lose nothing: 50 parallel increments make 50', async () => {
    const { n, write } = await openSlow();
    await Promise.all(Array.from({ length: 50 }, () => write()));
    expect(await n()).toBe(50);
  });

  it('lose nothing with two processes either: 2 × 25 make 50', async () => {
    const { store, n, write, elsewhere } = await openSlow();
    const stores = [store, elsewhere()];
    await Promise.all(Array.from({ length: 50 }, (_, index) => write(stores[index % 2])));
    expect(await n()).toBe(50);
  });

  it('lose nothing when what the caller has read is stale by then', async () => {
    const { store, id, n } = await openSlow();
    const row = (await store.parts.backend.lookUp(id))!;
    const known = { row, content: store.parts.sealer.open(row) };
    await Promise.all(
      Array.from({ length: 20 }, () =>
        store.parts.writer.write({ id, known, use: unused, apply: increment }),
      ),
    );
    expect(await n()).toBe(20);
  });

  it('queue in the process: they do not conflict with each other', async () => {
    const { backend, write } = await openSlow();
    backend.calls.length = 0;
    await Promise.all(Array.from({ length: 30 }, () => write()));
    expect(backend.count('save')).toBe(30);
  });

  it('merge: parallel flushes of different keys all survive, from two processes', async () => {
    const { store, id, elsewhere } = await openSlow();
    const stores = [store, elsewhere()];
    const keys = Array.from({ length: 40 }, (_, index) => `key${index}`);
    const flushes = keys.map((key, index) =>
      stores[index % 2]!.flush(id, { n: 0, [key]: index }, START, START + HOUR, { n: 0 }),
    );
    expect(await Promise.all(flushes)).toEqual(keys.map(() => true));
    const stored = (await store.read(id))?.data;
    expect(stored).toEqual({ n: 0, ...Object.fromEntries(keys.map((key, index) => [key, index])) });
  });

  it('do not wait for writes of other sessions', async () => {
    const { store, write } = await openSlow();
    const other = (await store.create({}, 'bob')).session.id;
    let release = (): void => undefined;
    const released = new Promise<void>((resolve) => (release = resolve));
    const slow = write(store, async (content) => (await released, increment(content)));
    await store.parts.writer.write({ id: other, use: unused, apply: increment });
    release();
    await slow;
  });

  it('cost one statement when nothing disturbs them', async () => {
    const { store, backend, id } = await openSlow();
    const row = (await store.parts.backend.lookUp(id))!;
    backend.calls.length = 0;
    const known = { row, content: store.parts.sealer.open(row) };
    await store.parts.writer.write({ id, known, use: unused, apply: increment });
    expect(backend.calls).toEqual(['save']);
    backend.calls.length = 0;
    await store.parts.writer.write({ id, known, use: unused, apply: () => null });
    expect(backend.calls).toEqual([]);
  });

  it('go on after one that failed', async () => {
    const { store, n, write } = await openSlow();
    const failing = write(store, () => Promise.reject(new Error('the handler threw')));
    const following = write();
    await expect(failing).rejects.toThrow('the handler threw');
    await following;
    expect(await n()).toBe(1);
  });
});

describe('a write and the end of its session', () => {
  it('never bring it back: 1,000 logouts during slow writes', async () => {
    const { store, backend } = await openSlow();
    const inner = backend.inner as OpenMemoryBackend;
    await inner.delete({ userId: 'ada' });
    let gone = 0;
    const round = async () => {
      const { session } = await store.create({}, null, { n: 0 });
      const writes = [
        store.parts.writer.write({ id: session.id, use: usedAt(START), apply: increment }),
        store.flush(session.id, { n: 9 }, START, START + HOUR),
        store.touch(session.id, START + 1, START + HOUR),
      ];
      const [deleted, ...written] = await Promise.allSettled([store.delete(session.id), ...writes]);
      expect(deleted).toEqual({ status: 'fulfilled', value: true });
      if (written[0]?.status === 'rejected') {
        expect(written[0].reason).toBeInstanceOf(SessionGoneError);
        gone++;
      }
      expect(written.slice(1).every(({ status }) => status === 'fulfilled')).toBe(true);
      expect(await store.read(session.id)).toBeNull();
    };
    for (let n = 0; n < 20; n++) await Promise.all(Array.from({ length: 50 }, round));
    expect(inner.stored.size).toBe(0);
    expect(gone).toBeGreaterThan(100);
  });

  it('is SessionGoneError when it expires, or passes to another user, under way', async () => {
    const { store, clock, id, write } = await openSlow();
    const expiring = write(store, (content) => (clock.advance('24h'), increment(content)));
    await expect(expiring).rejects.toThrow(SessionGoneError);
    await store.put('key', { userId: 'ada', data: {} }, '1h');
    const passing = store.parts.writer.write({
      id: 'key',
      userId: 'ada',
      use: unused,
      apply: async (content) => {
        await store.put('key', { userId: 'bob', data: {} }, '1h');
        return increment(content);
      },
    });
    await expect(passing).rejects.toThrow(SessionGoneError);
    expect((await store.get('key'))?.data).toEqual({});
    expect((await store.read(id))?.data).toEqual({ n: 0 });
  });

  it('does not write to a session that was stored anew under the same id', async () => {
    const { store } = await openSlow();
    await store.put('key', { userId: null, data: { life: 1 } }, '1h');
    const row = (await store.parts.backend.lookUp('key'))!;
    const known = { row, content: store.parts.sealer.open(row) };
    await store.delete('key');
    await store.put('key', { userId: null, data: { life: 2 } }, '1h');
    await store.parts.writer.write({ id: 'key', known, use: unused, apply: increment });
    expect((await store.get('key'))?.data).toEqual({ life: 2, n: 1 });
  });
});

describe('a write that others keep disturbing', () => {
  it('is SessionConflictError after the timeout, and says what to do', async () => {
    const { store, elsewhere, n, write } = await openSlow('50ms', (_method, call) => call());
    const other = elsewhere();
    const disturbed = write(store, async (content) => {
      await write(other);
      return { ...content, data: { n: 'mine' } };
    });
    await expect(disturbed).rejects.toThrow(SessionConflictError);
    await expect(disturbed).rejects.toThrow(
      /for 50 ms \(the `timeout` option\)\. Nothing was saved: try again, and keep slow work out of `update\(fn\)`/,
    );
    expect(await n()).toEqual(expect.any(Number));
  });

  it('is SessionConflictError too when several before it take too long, and they are not disturbed', async () => {
    const { store, backend, n, write } = await openSlow('50ms', (_method, call) => call());
    let release = (): void => undefined;
    const released = new Promise<void>((resolve) => (release = resolve));
    const slowly: ContentWrite['apply'] = async (content) => (await released, increment(content));
    const slow = [write(store, slowly), write(store, slowly)];
    let reads = 0;
    backend.around = async (method, call) => {
      if (method === 'find' && ++reads === 2) await slow[0]; // the second has its turn while the first goes on
      return call();
    };
    await expect(write()).rejects.toThrow(SessionConflictError);
    release();
    await Promise.all(slow);
    await write();
    expect(await n()).toBe(3);
  });

  it('does not wait for ever behind one that hangs: the session stays writable', async () => {
    const { store, n, write } = await openSlow('50ms', (_method, call) => call());
    void write(store, hang);
    for (let round = 0; round < 3; round++) await write();
    expect(await n()).toBe(3);
  });
});

describe('use, recorded with a write', () => {
  it('moves the idle expiry, and never back', async () => {
    const { store, clock, id } = await openSlow();
    clock.advance('10m');
    const write = (at: number) => store.parts.writer.write({ id, use: usedAt(at), apply: increment });
    await write(clock.now());
    await write(START + MINUTE);
    expect(await store.read(id)).toMatchObject({
      lastActiveAt: new Date(START + 10 * MINUTE),
      expiresAt: new Date(START + 24 * HOUR + 10 * MINUTE),
    });
  });

  it('is left alone by a write that does not count as use', async () => {
    const { store, clock, id, write } = await openSlow();
    clock.advance('10m');
    await write();
    expect(await store.read(id)).toMatchObject({ lastActiveAt: new Date(START), data: { n: 1 } });
  });
});
