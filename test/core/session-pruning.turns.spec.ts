import type { CleanupClaim } from '../../src/core/cleanup-lease.js';
import { SessionPruning } from '../../src/core/session-pruning.js';
import { door } from '../support/session-routes.js';
import { OpenMemoryBackend, WrappedBackend } from './support/backends.js';
import { HOUR, MINUTE, openStore, recordEvents } from './support/open-store.js';

/** A replica of an app: everything of its own but the storage and the clock. */
function openReplicas(count: number, storage = new OpenMemoryBackend()) {
  const first = openStore({ ttl: '1h' }, new WrappedBackend(storage));
  const { clock } = first;
  const others = Array.from({ length: count - 1 }, () =>
    openStore({ ttl: '1h', clock }, new WrappedBackend(storage)),
  );
  const replicas = [first, ...others];
  const turns = (interval = HOUR) =>
    Promise.all(replicas.map(({ store }) => store.parts.pruning.takeTurn(10, interval)));
  return {
    replicas,
    clock,
    storage,
    turns,
    prunes: () => replicas.map(({ backend }) => backend.count('prune')),
  };
}

const expire = async ({ replicas, clock }: ReturnType<typeof openReplicas>, count: number) => {
  for (let made = 0; made < count; made++) await replicas[0]?.store.create({}, null);
  clock.advance('1h');
};

/** A storage that has no lease, as one that somebody wrote may have none. */
class LeaselessBackend extends OpenMemoryBackend {
  override readonly leasesCleanup = false;

  override claimCleanup(): Promise<boolean> {
    throw new Error('Nobody is to ask');
  }
}

describe('SessionPruning.takeTurn', () => {
  it('of four replicas at the same minute has one clean up, and the others rest', async () => {
    const opened = openReplicas(4);
    await expire(opened, 25);
    const deleted = await opened.turns();
    expect(deleted.filter((each) => each !== null)).toEqual([25]);
    expect(opened.prunes().toSorted((a, b) => a - b)).toEqual([0, 0, 0, 3]);
    expect(opened.storage.stored.size).toBe(0);
  });

  it('reports of a replica that has rested when it was, that it was no failure, and tells no event', async () => {
    const opened = openReplicas(2);
    await expire(opened, 3);
    const events = opened.replicas.map(({ store }) => recordEvents(store));
    await opened.turns();
    const at = new Date(opened.clock.now());
    const healths = await Promise.all(opened.replicas.map(({ store }) => store.checkHealth()));
    expect(healths.map(({ healthy, lastCleanup }) => ({ healthy, lastCleanup }))).toEqual([
      { healthy: true, lastCleanup: { at, deleted: 3 } },
      { healthy: true, lastCleanup: { at, deleted: 0, rested: true } },
    ]);
    expect(opened.replicas.map(({ store }) => store.parts.pruning.lastSuccessAt)).toEqual([at, at]);
    expect(events.map((each) => each.map(({ name }) => name))).toEqual([['cleanup'], []]);
  });

  it('has one clean up at each turn, and another one once the first is gone', async () => {
    const opened = openReplicas(3);
    const [first, second, third] = opened.replicas.map(({ store }) => store.parts.pruning);
    for (let hour = 0; hour < 3; hour++) {
      await expire(opened, 1);
      expect((await opened.turns()).filter((deleted) => deleted !== null)).toEqual([1]);
    }
    // The first holds the lease and is gone. It is over before the next turn.
    await expire(opened, 1);
    expect(await first?.takeTurn(10, HOUR)).toBe(1);
    opened.clock.advance(54 * MINUTE - 1);
    expect(await second?.takeTurn(10, HOUR)).toBeNull();
    opened.clock.advance(1);
    expect(await second?.takeTurn(10, HOUR)).toBe(0);
    expect(await third?.takeTurn(10, HOUR)).toBeNull();
  });

  it('rests while turns of another one at other minutes keep the storage clean', async () => {
    const opened = openReplicas(2);
    const [early, late] = opened.replicas.map(({ store }) => store.parts.pruning);
    for (let hour = 0; hour < 3; hour++) {
      expect(await early?.takeTurn(10, HOUR)).toBe(0);
      opened.clock.advance('20m');
      expect(await late?.takeTurn(10, HOUR)).toBeNull();
      opened.clock.advance('40m');
    }
  });

  it('is kept off no run that somebody asks for', async () => {
    const opened = openReplicas(2);
    const [holder, other] = opened.replicas.map(({ store }) => store);
    await other?.put('short', { userId: null, data: {} }, '1m');
    expect(await holder?.parts.pruning.takeTurn(10, HOUR)).toBe(0);
    opened.clock.advance('1m');
    expect(await other?.parts.pruning.takeTurn(10, HOUR)).toBeNull();
    expect(await other?.cleanupExpired()).toBe(1);
    expect(await other?.parts.pruning.takeTurn(10, HOUR)).toBeNull(); // and the lease is where it was
  });

  it('claims the lease again during a walk that outlives it, so that no other one begins', async () => {
    const opened = openReplicas(2);
    const [slow, other] = opened.replicas;
    await expire(opened, 35);
    const claims: Partial<CleanupClaim>[] = [];
    const { backend, events } = slow!.store.parts;
    const claim = opened.storage.claimCleanup.bind(opened.storage);
    opened.storage.claimCleanup = (asked) => {
      claims.push({ now: asked.now, until: asked.until });
      return claim(asked);
    };
    const began = opened.clock.now();
    // Each step takes 40 s; the lease is one of a minute, since the turns come every minute.
    const rested: (number | null | undefined)[] = [];
    const pruning = new SessionPruning(backend, opened.clock, events, async () => {
      opened.clock.advance('40s');
      rested.push(await other?.store.parts.pruning.takeTurn(10, MINUTE));
    });
    expect(await pruning.takeTurn(10, MINUTE)).toBe(35);
    expect(rested).toEqual([null, null, null]);
    expect(
      claims.filter(({ now, until }) => Number(until) > Number(now)).map(({ now }) => Number(now) - began),
    ).toEqual([0, 40_000, 40_000, 80_000, 80_000, 120_000, 120_000]);
  });

  it('stops a walk whose lease has gone to another one', async () => {
    const opened = openReplicas(2);
    const [slow, other] = opened.replicas;
    await expire(opened, 35);
    const { backend, events } = slow!.store.parts;
    const taken: (number | null | undefined)[] = [];
    // As if the process had been frozen for an hour between two steps.
    const pruning = new SessionPruning(backend, opened.clock, events, async () => {
      opened.clock.advance('1h');
      taken.push(await other?.store.parts.pruning.takeTurn(10, HOUR));
    });
    expect(await pruning.takeTurn(10, HOUR)).toBe(10);
    expect(taken).toEqual([25]);
    expect(await other?.store.parts.pruning.takeTurn(10, HOUR)).toBe(0); // and it has not been taken away
  });

  it('gives the lease back when the walk fails, so that the next one who comes cleans up', async () => {
    const opened = openReplicas(2);
    const [failing, other] = opened.replicas;
    await expire(opened, 5);
    failing!.backend.around = (method, call) =>
      method === 'prune' ? Promise.reject(new Error('disk full')) : call();
    await expect(failing?.store.parts.pruning.takeTurn(10, HOUR)).rejects.toThrow('disk full');
    expect(failing?.store.parts.pruning.last).toMatchObject({ deleted: 0, error: expect.any(String) });
    expect(await other?.store.parts.pruning.takeTurn(10, HOUR)).toBe(5);
  });

  it('gives the lease back when the app closes', async () => {
    const opened = openReplicas(2);
    const [closing, other] = opened.replicas;
    await expire(opened, 25);
    const resting = door();
    const { backend, clock, events } = closing!.store.parts;
    const pruning = new SessionPruning(backend, clock, events, (_milliseconds, signal) => {
      resting.open();
      return new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
    });
    const deleted = pruning.takeTurn(10, HOUR);
    await resting.opened;
    await pruning.stop();
    expect(await deleted).toBe(10);
    expect(await other?.store.parts.pruning.takeTurn(10, HOUR)).toBe(15);
  });

  it('rejects when the lease cannot be had, and remembers why', async () => {
    const [only] = openReplicas(1).replicas;
    only!.backend.around = (method, call) =>
      method === 'claimCleanup' ? Promise.reject(new Error('disk full')) : call();
    await expect(only?.store.parts.pruning.takeTurn(10, HOUR)).rejects.toThrow(
      'Could not delete expired sessions: disk full',
    );
    expect(only?.store.parts.pruning.last).toMatchObject({ error: expect.stringContaining('disk full') });
    expect(only?.store.parts.pruning.lastSuccessAt).toBeNull();
  });

  it('is one for callers at the same time', async () => {
    const [only] = openReplicas(1).replicas;
    const { pruning } = only!.store.parts;
    expect(await Promise.all([pruning.takeTurn(10, HOUR), pruning.takeTurn(10, HOUR)])).toEqual([0, 0]);
    expect(only?.backend.count('prune')).toBe(1);
  });
});

describe('SessionPruning.takeTurn on a storage without a lease', () => {
  it('has every replica clean up', async () => {
    const opened = openReplicas(3, new LeaselessBackend());
    await expire(opened, 5);
    const deleted = await opened.turns(100); // so that none waits for longer than 10 ms
    expect(deleted.reduce<number>((sum, each) => sum + (each ?? 0), 0)).toBe(5);
    expect(opened.prunes()).toEqual([1, 1, 1]);
  });

  it('waits before it begins, and not any more when the app closes', async () => {
    const [only] = openReplicas(1, new LeaselessBackend()).replicas;
    const { pruning } = only!.store.parts;
    const turn = pruning.takeTurn(10, 1_000 * HOUR);
    await pruning.stop();
    expect(await turn).toBeNull();
    expect(only?.backend.count('prune')).toBe(0);
  });
});
