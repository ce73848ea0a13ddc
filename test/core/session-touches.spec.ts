import type { Touch } from '../../src/core/session-backend.js';
import { SessionStore } from '../../src/core/session-store.js';
import { hang, OpenMemoryBackend, WrappedBackend } from './support/backends.js';
import { HOUR, KEY, MINUTE, openStore, START } from './support/open-store.js';

/** The reference backend that keeps the touches it was sent, one list for each call. */
class TouchedBackend extends OpenMemoryBackend {
  readonly batches: (readonly Touch[])[] = [];

  override touch(touches: readonly Touch[]): Promise<readonly boolean[]> {
    this.batches.push(touches);
    return super.touch(touches);
  }
}

/** `count` sessions with an idle timeout of an hour and a touch interval of five minutes, unused for ten. */
async function openIdle(count: number) {
  const opened = openStore({ ttl: '1h', touchInterval: '5m', maxPerUser: false }, new TouchedBackend());
  const { store, backend, clock } = opened;
  const created = await Promise.all(Array.from({ length: count }, () => store.create({}, 'ada')));
  const ids = created.map(({ session }) => session.id);
  clock.advance('10m');
  return { ...opened, ids, touch: (id: string) => store.parts.touches.record(backend.row(id)) };
}

const NOW = START + 10 * MINUTE;

describe('touches', () => {
  it('of one session at the same time are one', async () => {
    const { store, backend, ids, touch } = await openIdle(1);
    for (let n = 0; n < 10; n++) touch(ids[0]!);
    await store.manager.drain();
    expect(backend.batches.map((batch) => batch.map(({ id }) => id))).toEqual([ids]);
    expect(backend.row(ids[0]!)).toMatchObject({ lastActiveAt: NOW, expiresAt: NOW + HOUR });
  });

  it('of a session that waits for its touch change nothing of that: the first use counts', async () => {
    const { store, backend, clock, ids, touch } = await openIdle(1);
    touch(ids[0]!);
    clock.advance('1m');
    touch(ids[0]!);
    await store.manager.drain();
    expect(backend.row(ids[0]!)).toMatchObject({ lastActiveAt: NOW, expiresAt: NOW + HOUR });
  });

  it('of a session whose touch is under way are none', async () => {
    const wrapped = new WrappedBackend(new OpenMemoryBackend());
    const { store, clock } = openStore({ ttl: '1h' }, wrapped);
    const { session } = await store.create({}, 'ada');
    clock.advance('59m');
    clock.advance('59s');
    const [row] = await wrapped.find([session.id]);
    let answer = (): void => undefined;
    wrapped.around = async (method, call) => {
      if (method === 'touch') await new Promise<void>((resolve) => (answer = resolve));
      return call();
    };
    store.parts.touches.record(row!); // about to expire, so sent at once
    expect(wrapped.count('touch')).toBe(1);
    store.parts.touches.record(row!);
    answer();
    await store.manager.drain();
    expect(wrapped.count('touch')).toBe(1);
  });

  it.each<[string, (ids: readonly string[]) => readonly string[]]>([
    ['that', (ids) => ids],
    ['the opposite', (ids) => ids.toReversed()],
    ['another', (ids) => [...ids.filter((_, n) => n % 2 > 0), ...ids.filter((_, n) => n % 2 === 0)]],
  ])('of many sessions share a round trip, in the order of their ids: used in %s order', async (_, order) => {
    const { store, backend, ids, touch } = await openIdle(20);
    for (const id of order(ids)) touch(id);
    await store.manager.drain();
    expect(backend.batches.map((batch) => batch.map(({ id }) => id))).toEqual([ids.toSorted()]);
  });

  it('are written by themselves, soon', async () => {
    const { backend, ids, touch } = await openIdle(1);
    const written = new Promise<void>((resolve) => {
      const original = backend.touch.bind(backend);
      backend.touch = (touches) => original(touches).finally(resolve);
    });
    touch(ids[0]!);
    expect(backend.batches).toEqual([]);
    await written;
    expect(backend.row(ids[0]!).lastActiveAt).toBe(NOW);
  });

  it('do not wait when many do already', async () => {
    const { store, backend, ids, touch } = await openIdle(501);
    for (const id of ids) touch(id);
    expect(backend.batches.map((batch) => batch.length)).toEqual([500]);
    await store.manager.drain();
    expect(backend.batches.map((batch) => batch.length)).toEqual([500, 1]);
  });

  it('do not wait while the session is about to end', async () => {
    const { store, backend, clock, ids, touch } = await openIdle(2);
    clock.advance(50 * MINUTE - 2_000);
    touch(ids[0]!);
    expect(backend.batches).toEqual([]);
    clock.advance(1);
    touch(ids[1]!);
    expect(backend.batches).toHaveLength(1);
    await store.manager.drain();
    expect(backend.row(ids[1]!).expiresAt).toBe(clock.now() + HOUR);
  });

  it('never revive a session that expired while they waited', async () => {
    const { store, backend, clock, ids, touch } = await openIdle(1);
    const before = backend.row(ids[0]!);
    touch(ids[0]!);
    clock.advance('50m');
    await store.manager.drain();
    expect(backend.row(ids[0]!)).toEqual(before);
  });

  it('of two replicas within one interval are one write', async () => {
    const { store, backend, clock, ids, touch } = await openIdle(1);
    const replica = new SessionStore(backend, { key: KEY, clock, ttl: '1h', touchInterval: '5m' });
    const row = backend.row(ids[0]!);
    touch(row.id);
    await store.manager.drain();
    clock.advance('1m');
    replica.parts.touches.record(row); // it had read the row before
    await replica.manager.drain();
    expect(backend.row(row.id).lastActiveAt).toBe(NOW);
    clock.advance('4m');
    replica.parts.touches.record(row);
    await replica.manager.drain();
    expect(backend.row(row.id).lastActiveAt).toBe(NOW + 5 * MINUTE);
  });

  it('fail open, with one warning for all that went together', async () => {
    const { store, backend, logger, ids, touch } = await openIdle(3);
    backend.touch = () => Promise.reject(new Error('connection refused'));
    for (const id of ids) touch(id);
    await store.manager.drain();
    expect(logger.warnings).toEqual([
      expect.stringContaining('The use of 3 sessions was not recorded: SessionStoreError'),
    ]);
  });

  it('of a backend that hangs are given up after the timeout', async () => {
    const wrapped = new WrappedBackend(new OpenMemoryBackend());
    const { store, logger } = openStore({ timeout: '20ms' }, wrapped);
    const { session } = await store.create({}, 'ada');
    const [row] = await wrapped.find([session.id]);
    wrapped.around = hang;
    store.parts.touches.record(row!);
    await store.manager.drain();
    expect(logger.warnings).toEqual([expect.stringContaining('no answer within 20 ms')]);
  });
});
