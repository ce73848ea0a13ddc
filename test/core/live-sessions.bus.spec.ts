import type { EndedSessions, SessionBus } from '../../src/core/session-bus.js';
import type { EndReason } from '../../src/core/live-sessions.js';
import { setImmediate } from '../../src/core/timers.js';
import { hang, OpenMemoryBackend, WrappedBackend } from './support/backends.js';
import { openStore } from './support/open-store.js';

/** A bus within this process, as a server between processes would be one. */
class MemoryBus implements SessionBus {
  readonly published: EndedSessions[] = [];
  readonly #listeners = new Set<(ended: EndedSessions) => void>();

  get listeners(): number {
    return this.#listeners.size;
  }

  publish(ended: EndedSessions): unknown {
    this.published.push(ended);
    for (const listener of this.#listeners) listener(ended);
    return undefined;
  }

  subscribe(listener: (ended: EndedSessions) => void): () => unknown {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

/** Two processes on one storage and one bus, which look for themselves once an hour. */
function openPair(bus: SessionBus) {
  const memory = new OpenMemoryBackend();
  const backend = new WrappedBackend(memory);
  const live = { recheck: '1h', bus };
  const { store, logger } = openStore({ live, maxPerUser: false }, backend);
  const other = openStore({ live, maxPerUser: false }, memory);
  stores.push(store, other.store);
  const stream = async (user = 'ada') => {
    const { session } = await store.create({}, user);
    let tell: (reason: EndReason) => void = () => undefined;
    const ended = new Promise<EndReason>((resolve) => (tell = resolve));
    store.manager.live.add(memory.row(session.id), { end: (reason) => tell(reason) });
    return { id: session.id, ended };
  };
  return { memory, backend, store, logger, other: other.store, stream };
}

const stores: { close(): Promise<void> }[] = [];
afterEach(() => Promise.all(stores.splice(0).map((store) => store.close())));

const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('a bus', () => {
  it('makes what is open end when another process has ended its session, whatever that does', async () => {
    const { other, backend, stream } = openPair(new MemoryBus());
    const [one, two, three] = [await stream(), await stream('bob'), await stream('bob')];
    await other.delete(one.id);
    expect(await one.ended).toBe('revoked');
    expect(backend.count('alive')).toBe(1);
    await other.destroyAllForUser('bob');
    expect([await two.ended, await three.ended]).toEqual(['revoked', 'revoked']);
    expect(backend.count('alive')).toBe(2);
  });

  it('carries what ends in one turn together, and more than 200 as all', async () => {
    const bus = new MemoryBus();
    const { other } = openPair(bus);
    const create = (count: number) =>
      Promise.all(Array.from({ length: count }, async () => (await other.create({}, 'ada')).session.id));
    const few = await create(200);
    await other.destroyAllForUser('ada');
    await other.manager.drain();
    await create(201);
    await other.destroyAll();
    await other.manager.drain();
    expect(bus.published.map((ended) => (ended === 'all' ? ended : [...ended].toSorted()))).toEqual([
      few.toSorted(),
      'all',
    ]);
  });

  it('carries evictions, and nothing that is not the end of a session', async () => {
    const bus = new MemoryBus();
    const { store } = openStore({ live: { bus }, maxPerUser: 1 });
    stores.push(store);
    const { session } = await store.create({}, 'ada');
    await store.rotateToken(session.id);
    await store.create({}, 'ada');
    await store.manager.drain();
    expect(bus.published).toEqual([[session.id]]);
  });

  it('ends nothing by itself: what somebody made up is looked up', async () => {
    const bus = new MemoryBus();
    const { backend, stream } = openPair(bus);
    const open = await stream();
    let hasEnded = false;
    void open.ended.then(() => (hasEnded = true));
    bus.publish([open.id]);
    bus.publish('all');
    for (const junk of [null, 7, { length: 3 }, [null, 7, {}], 'none'])
      bus.publish(junk as unknown as EndedSessions);
    while (backend.count('alive') < 2) await turn();
    for (let n = 0; n < 5; n++) await turn();
    expect(hasEnded).toBe(false);
  });

  it('that is flooded makes one look-up follow the other, with a rest between', async () => {
    const bus = new MemoryBus();
    const { backend, stream } = openPair(bus);
    await stream();
    let running = 0;
    let most = 0;
    backend.around = async (_method, call) => {
      most = Math.max(most, ++running);
      await turn();
      running--;
      return call();
    };
    for (let n = 0; n < 1_000; n++) bus.publish('all');
    while (backend.count('alive') < 2) await turn();
    for (let n = 0; n < 20; n++) await turn();
    expect([most, backend.count('alive')]).toEqual([1, 2]);
  });

  it('asks storage nothing where nothing is open, or other ids are', async () => {
    const bus = new MemoryBus();
    const { backend, store, stream } = openPair(bus);
    store.manager.live.start();
    bus.publish('all');
    await stream();
    bus.publish(['somebody', 'else']);
    await turn();
    expect(backend.count('alive')).toBe(0);
  });

  it('is listened to once, and left when the store is closed, after the last publication', async () => {
    const bus = new MemoryBus();
    const { store, stream } = openPair(bus);
    store.manager.live.start();
    const open = await stream();
    await stream();
    expect(bus.listeners).toBe(1);
    await store.delete(open.id);
    await store.close();
    expect(bus.published).toEqual([[open.id]]);
    expect(bus.listeners).toBe(0);
    store.manager.live.start();
    expect(bus.listeners).toBe(0);
  });

  it.each<[string, () => unknown]>([
    ['throws', () => fail()],
    ['rejects', () => Promise.reject(new Error('no route to host'))],
  ])('that %s is logged once, until it works again', async (_, failing) => {
    let isDown = true;
    const bus: SessionBus = {
      publish: () => (isDown ? failing() : undefined),
      subscribe: () => fail(),
    };
    const { store, logger } = openPair(bus);
    store.manager.live.start();
    const end = async () => {
      await store.delete((await store.create({}, 'ada')).session.id);
      await store.manager.drain();
    };
    await end();
    await end();
    isDown = false;
    await end();
    isDown = true;
    await end();
    const line = (what: string) =>
      `Could not ${what} \`live.bus\`: Error: no route to host. Other processes find sessions that have ended each \`live.recheck\``;
    expect(logger.warnings).toEqual([line('subscribe to'), line('publish to'), line('publish to')]);
  });

  it('that never answers holds up neither who ends a session nor the end of the process', async () => {
    const bus: SessionBus = { publish: hang, subscribe: () => hang };
    const { store, logger } = openStore({ live: { bus }, timeout: '20ms' });
    store.manager.live.start();
    const { session } = await store.create({}, 'ada');
    expect(await store.delete(session.id)).toBe(true);
    await store.close();
    expect(logger.warnings).toEqual([
      expect.stringMatching(
        /^Could not publish to `live\.bus`: Error: no answer within 20 ms \(the `timeout` option\)\./,
      ),
      expect.stringMatching(
        /^Could not leave `live\.bus`: Error: no answer within 20 ms \(the `timeout` option\)\./,
      ),
    ]);
  });
});

describe("`bus: 'storage'`", () => {
  it('is that of the storage', async () => {
    const bus = new MemoryBus();
    class WithBus extends OpenMemoryBackend {
      override bus(): SessionBus {
        return bus;
      }
    }
    const { store, logger } = openStore({ live: { bus: 'storage' } }, new WithBus());
    stores.push(store);
    store.manager.live.start();
    expect(bus.listeners).toBe(1);
    expect(logger.warnings).toEqual([]);
  });

  it('is said to be missing where a storage has none, and polling goes on', async () => {
    const { store, logger, backend } = openStore({ live: { bus: 'storage', recheck: '100ms' } });
    stores.push(store);
    expect(logger.warnings).toEqual([
      '`live.bus`: the storage of sessions has none of its own, as PostgreSQL has. Sessions that other processes end are ' +
        'found each `live.recheck`',
    ]);
    const { session } = await store.create({}, 'ada');
    const ended = new Promise<EndReason>((end) => {
      store.manager.live.add(backend.row(session.id), { end });
    });
    await backend.delete({ userId: 'ada' });
    expect(await ended).toBe('revoked');
  });
});

function fail(): never {
  throw new Error('no route to host');
}
