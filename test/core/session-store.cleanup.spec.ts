import { jest } from '@jest/globals';
import { SessionOptionsError } from '../../src/core/session-errors.js';
import { restAfter, SessionPruning } from '../../src/core/session-pruning.js';
import { door } from '../support/session-routes.js';
import { OpenMemoryBackend, WrappedBackend } from './support/backends.js';
import { openStore, recordEvents } from './support/open-store.js';

async function openWith(expired: number, live: number) {
  const opened = openStore({ ttl: '1h' }, new WrappedBackend(new OpenMemoryBackend()));
  for (let n = 0; n < expired; n++) await opened.store.create({}, null);
  opened.clock.advance('1h');
  for (let n = 0; n < live; n++) await opened.store.create({}, null);
  return { ...opened, rows: (opened.backend.inner as OpenMemoryBackend).stored };
}

describe.each(['cleanupExpired', 'pruneExpired'] as const)('%s', (method) => {
  it('deletes what has expired, counts it, and leaves the rest', async () => {
    const { store, rows } = await openWith(7, 3);
    expect(await store[method]()).toBe(7);
    expect(rows.size).toBe(3);
    expect(await store[method]()).toBe(0);
  });
});

describe('cleanupExpired', () => {
  it('walks in batches, so that no step is long', async () => {
    const { store, backend, rows } = await openWith(25, 6);
    expect(await store.cleanupExpired(10)).toBe(25);
    expect(backend.count('prune')).toBe(4);
    expect(rows.size).toBe(6);
  });

  it('rests between two steps, longer after one that took long, and not after the last', async () => {
    const { store, backend } = await openWith(25, 0);
    const rests: number[] = [];
    const pause = async (milliseconds: number) => void rests.push(milliseconds);
    const pruning = new SessionPruning(store.parts.backend, store.manager.clock, store.events, pause);
    expect(await pruning.run(10)).toBe(25);
    expect(backend.count('prune')).toBe(3);
    expect(rests).toHaveLength(2);
    expect([restAfter(2), restAfter(50), restAfter(60_000)]).toEqual([18, 450, 500]);
  });

  it('ends its rest when the store is closed, and begins no other step', async () => {
    const { store, backend } = await openWith(25, 0);
    const { backend: guarded, clock } = store.parts;
    const resting = door();
    const pause = (_milliseconds: number, signal: AbortSignal) => {
      resting.open();
      return new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
    };
    const pruning = new SessionPruning(guarded, clock, store.events, pause);
    const deleted = pruning.run(10);
    await resting.opened;
    await pruning.stop();
    expect(await deleted).toBe(10);
    expect(backend.count('prune')).toBe(1);
  });

  it('is done once for concurrent callers, and all get the number', async () => {
    const { store, backend } = await openWith(5, 0);
    expect(
      await Promise.all([store.cleanupExpired(), store.cleanupExpired(), store.cleanupExpired()]),
    ).toEqual([5, 5, 5]);
    expect(backend.count('prune')).toBe(1);
  });

  it('tells the number as an event, and remembers it for health', async () => {
    const { store, clock } = await openWith(5, 0);
    const events = recordEvents(store);
    await store.cleanupExpired();
    const at = new Date(clock.now());
    expect(events).toEqual([{ name: 'cleanup', at, count: 5 }]);
    expect((await store.checkHealth()).lastCleanup).toEqual({ at, deleted: 5 });
  });

  it('rejects when storage fails, remembers why, and works again afterwards', async () => {
    const { store, backend, clock } = await openWith(25, 0);
    const events = recordEvents(store);
    backend.around = (method, call) =>
      method === 'prune' && backend.count('prune') > 1 ? Promise.reject(new Error('disk full')) : call();
    await expect(store.cleanupExpired(10)).rejects.toThrow('Could not delete expired sessions: disk full');
    expect(events).toEqual([]);
    const health = await store.checkHealth();
    expect(health.lastCleanup).toEqual({
      at: new Date(clock.now()),
      deleted: 10,
      error: 'Could not delete expired sessions: disk full',
    });
    backend.around = (_method, call) => call();
    expect(await store.cleanupExpired(10)).toBe(15);
    expect((await store.checkHealth()).lastCleanup).toEqual({ at: new Date(clock.now()), deleted: 15 });
  });

  it.each([[0], [-1], [1.5], [Number.NaN], ['10' as unknown as number]])(
    'rejects a batch size of %p',
    async (size) => {
      const { store } = openStore();
      await expect(store.cleanupExpired(size)).rejects.toThrow(SessionOptionsError);
      await expect(store.cleanupExpired(size)).rejects.toThrow(
        /`batchSize`: expected an integer of at least 1, got/,
      );
    },
  );
});

describe('startCleanup', () => {
  beforeEach(() => void jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick', 'performance'] }));
  afterEach(() => void jest.useRealTimers());

  const settled = () => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));

  it('cleans up every interval until it is stopped', async () => {
    const { store, clock, backend } = openStore({ ttl: '1h' });
    const cleanup = store.startCleanup('10m');
    await store.create({}, null);
    clock.advance('2h');
    jest.advanceTimersByTime(600_000 - 1);
    await settled();
    expect(backend.stored.size).toBe(1);
    jest.advanceTimersByTime(1);
    await settled();
    expect(backend.stored.size).toBe(0);

    await store.create({}, null);
    clock.advance('2h');
    cleanup.stop();
    cleanup.stop();
    jest.advanceTimersByTime(6_000_000);
    await settled();
    expect(backend.stored.size).toBe(1);
  });

  it('logs a failure, and tries again at the next interval', async () => {
    const { store, clock, backend, logger } = openStore(
      { ttl: '1h' },
      new WrappedBackend(new OpenMemoryBackend()),
    );
    await store.create({}, null);
    clock.advance('2h');
    backend.around = () => Promise.reject(new Error('disk full'));
    const cleanup = store.startCleanup('10m');
    jest.advanceTimersByTime(600_000);
    await settled();
    expect(logger.warnings).toEqual([
      'Session clean-up failed: SessionStoreError: Could not delete expired sessions: disk full',
    ]);
    backend.around = (_method, call) => call();
    jest.advanceTimersByTime(600_000);
    await settled();
    expect((await store.checkHealth()).lastCleanup?.deleted).toBe(1);
    cleanup.stop();
  });

  it('does not take an interval beyond the range of timers for the shortest one', async () => {
    const { store, backend } = openStore({}, new WrappedBackend(new OpenMemoryBackend()));
    const cleanup = store.startCleanup('30d');
    jest.advanceTimersByTime(1_000);
    await settled();
    expect(backend.count('prune')).toBe(0);
    cleanup.stop();
  });

  it.each([[0], [-5], ['often'], ['']])('refuses an interval of %p', (interval) => {
    const { store } = openStore();
    expect(() => store.startCleanup(interval)).toThrow(SessionOptionsError);
    expect(() => store.startCleanup(interval)).toThrow(/`interval`: expected a positive duration/);
  });
});
