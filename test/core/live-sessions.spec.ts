import { createHook } from 'node:async_hooks';
import type { EndReason, LiveConnection } from '../../src/core/live-sessions.js';
import { LiveSessions } from '../../src/core/live-sessions.js';
import type { SessionStoreOptions } from '../../src/core/session-options.js';
import { setImmediate } from '../../src/core/timers.js';
import { hang, OpenMemoryBackend, WrappedBackend } from './support/backends.js';
import { HOUR, MINUTE, openStore, recordEvents, START } from './support/open-store.js';

/** Milliseconds between two sweeps, where a test waits for one. */
const RECHECK = 5;

/** Something open that says why it was ended. */
class Stream implements LiveConnection {
  readonly reasons: EndReason[] = [];
  #tell: (reason: EndReason) => void = () => undefined;
  readonly ended = new Promise<EndReason>((resolve) => (this.#tell = resolve));

  end(reason: EndReason): void {
    this.reasons.push(reason);
    this.#tell(reason);
  }
}

/** A store, and what is open in a process that looks every few milliseconds. */
function open(options: SessionStoreOptions = {}, recheck = RECHECK) {
  const memory = new OpenMemoryBackend();
  const backend = new WrappedBackend(memory);
  const opened = openStore({ ttl: '1h', ...options }, backend);
  const { store, logger } = opened;
  const { events } = store.parts;
  const live = new LiveSessions(store.parts.backend, store.parts.clock, events, recheck, logger);
  opens.push(live);
  const rowOf = async (user: string | null = 'ada') => {
    const { session } = await store.create({}, user);
    return memory.row(session.id);
  };
  return { ...opened, backend, memory, live, rowOf };
}

/** Another process on the same storage. */
function replica({ memory, clock }: ReturnType<typeof open>, options: SessionStoreOptions = {}) {
  const other = openStore({ ttl: '1h', clock, ...options }, memory);
  return other.store;
}

const opens: LiveSessions[] = [];
afterEach(() => Promise.all(opens.splice(0).map((live) => live.stop())));

/** When the sweeps under way, and one that began after them, have ended. */
async function swept(backend: WrappedBackend): Promise<void> {
  const before = backend.count('alive');
  while (backend.count('alive') < before + 2) await new Promise((resolve) => setImmediate(resolve));
}

/** When so many look-ups have been asked for, and the answer to the last one has come. */
async function lookedUp(backend: WrappedBackend, count: number): Promise<void> {
  while (backend.count('alive') < count) await new Promise((resolve) => setImmediate(resolve));
  for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
}

describe('what is open for a session that this process ends', () => {
  it.each<[string, EndReason]>([
    ['delete', 'revoked'],
    ['destroyAllForUser', 'revoked'],
    ['destroyAll', 'revoked'],
  ])('ends before %s resolves', async (method, reason) => {
    const { store, live, rowOf } = open({}, HOUR);
    const row = await rowOf();
    const stream = new Stream();
    live.add(row, stream);
    if (method === 'delete') await store.delete(row.id);
    else if (method === 'destroyAllForUser') await store.destroyAllForUser('ada');
    else await store.destroyAll();
    expect(stream.reasons).toEqual([reason]);
    expect(live.size).toBe(0);
  });

  it.each<EndReason>(['logout', 'logout-others', 'logout-all', 'client-change', 'reuse', 'replaced'])(
    'is told the reason %s',
    async (reason) => {
      const { store, live, rowOf } = open({}, HOUR);
      const row = await rowOf();
      const stream = new Stream();
      live.add(row, stream);
      await store.manager.end({ ids: [row.id] }, reason as 'logout');
      expect(stream.reasons).toEqual([reason]);
    },
  );

  it('ends when the user has too many', async () => {
    const { live, rowOf } = open({ maxPerUser: 1 }, HOUR);
    const stream = new Stream();
    live.add(await rowOf(), stream);
    await rowOf();
    expect(stream.reasons).toEqual(['evicted']);
  });

  it('ends when a request finds that it has expired', async () => {
    const { store, clock, memory, live } = open({}, HOUR);
    const { session, token } = await store.create({}, 'ada');
    const stream = new Stream();
    live.add(memory.row(session.id), stream);
    clock.advance('1h');
    expect(await store.readByToken(token)).toBeNull();
    expect(stream.reasons).toEqual(['expired']);
  });

  it('ends when another session takes its place', async () => {
    const { store, live } = open({}, HOUR);
    await store.put('cart', { userId: null, data: {} }, '1h');
    const stream = new Stream();
    const [row] = await store.parts.backend.alive(['cart'], store.parts.clock.now());
    live.add(row!, stream);
    await store.cycle('cart', 'order', { userId: null, data: {} }, '1h');
    expect(stream.reasons).toEqual(['replaced']);
  });

  it('ends also where 1,000 are open for it, and nothing that is open for others', async () => {
    const { store, live, rowOf } = open({}, HOUR);
    const [row, other] = [await rowOf(), await rowOf()];
    const streams = Array.from({ length: 1_000 }, () => new Stream());
    for (const stream of streams) live.add(row, stream);
    const kept = new Stream();
    live.add(other, kept);
    await store.delete(row.id);
    expect(streams.every(({ reasons }) => reasons.length === 1)).toBe(true);
    expect(kept.reasons).toEqual([]);
  });

  it('ends whatever others throw, which is logged', async () => {
    const { store, logger, live, rowOf } = open({}, HOUR);
    const row = await rowOf();
    const stream = new Stream();
    const fail = (): never => {
      throw new Error('socket hang up');
    };
    live.add(row, { end: fail });
    live.add(row, stream);
    await store.delete(row.id);
    expect(stream.reasons).toEqual(['revoked']);
    expect(logger.errors).toEqual([
      expect.stringMatching(
        /^What was open for a session that has ended could not be ended: Error: socket hang up/,
      ),
    ]);
  });

  it('is not told once its registration was taken back, not even by another one that ends', async () => {
    const { store, live, rowOf } = open({}, HOUR);
    const row = await rowOf();
    const [closed, later] = [new Stream(), new Stream()];
    const first = live.add(row, closed);
    live.add(row, { end: () => last.takeBack() });
    const last = live.add(row, later);
    first.takeBack();
    first.takeBack();
    await store.delete(row.id);
    expect([closed.reasons, later.reasons]).toEqual([[], []]);
  });

  it('may be opened twice by one connection, and each is taken back by itself', async () => {
    const { store, live, rowOf } = open({}, HOUR);
    const row = await rowOf();
    const stream = new Stream();
    const first = live.add(row, stream);
    live.add(row, stream);
    first.takeBack();
    await store.delete(row.id);
    expect(stream.reasons).toEqual(['revoked']);
  });
});

describe('what is open for a session that another process ends', () => {
  it('ends with the next look-up, and no event is told again', async () => {
    const opened = open();
    const { store, live, rowOf } = opened;
    const row = await rowOf();
    const stream = new Stream();
    live.add(row, stream);
    const events = recordEvents(store);
    await replica(opened).delete(row.id);
    expect(await stream.ended).toBe('revoked');
    expect(events).toEqual([]);
  });

  it('is taken for replaced when the other process ends a session of nobody, as a sign-in does', async () => {
    const opened = open();
    const { store, live, rowOf } = opened;
    const other = replica(opened);
    const [visitor, own] = [new Stream(), new Stream()];
    const [row, kept] = [await rowOf(null), await rowOf(null)];
    live.add(row, visitor);
    live.add(kept, own);
    await other.delete(row.id);
    expect(await visitor.ended).toBe('replaced');
    await store.delete(kept.id); // this process knows better
    expect(await own.ended).toBe('revoked');
  });

  it('ends when the other process evicts it, or ends everybody', async () => {
    const opened = open({ maxPerUser: 1 });
    const { live, rowOf } = opened;
    const [ada, bob] = [new Stream(), new Stream()];
    live.add(await rowOf('ada'), ada);
    live.add(await rowOf('bob'), bob);
    const other = replica(opened, { maxPerUser: 1 });
    await other.create({}, 'ada');
    expect(await ada.ended).toBe('revoked');
    await other.destroyAll();
    expect(await bob.ended).toBe('revoked');
  });

  it('ends at its idle expiry, unless the session was used elsewhere', async () => {
    const opened = open();
    const { backend, clock, live, rowOf } = opened;
    const [idle, used] = [await rowOf(), await rowOf()];
    const [ended, kept] = [new Stream(), new Stream()];
    live.add(idle, ended);
    live.add(used, kept);
    clock.advance('59m');
    const now = clock.now();
    await replica(opened).touch(used.id, new Date(now), new Date(now + HOUR));
    clock.advance('1m');
    expect(await ended.ended).toBe('expired');
    await swept(backend);
    expect(kept.reasons).toEqual([]);
    clock.advance('59m');
    expect(await kept.ended).toBe('expired');
  });

  it('ends as expired when the row was pruned before the look-up', async () => {
    const opened = open();
    const stream = new Stream();
    opened.live.add(await opened.rowOf(), stream);
    opened.clock.advance('1h');
    await replica(opened).cleanupExpired();
    expect(await stream.ended).toBe('expired');
  });

  it('ends when its id has another owner', async () => {
    const opened = open();
    const { live, rowOf } = opened;
    const row = await rowOf('ada');
    const stream = new Stream();
    live.add(row, stream);
    await replica(opened).put(row.id, { userId: 'bob', data: {} }, '1h', { sessions: true });
    expect(await stream.ended).toBe('replaced');
  });

  it('stays open whatever becomes of its payload, its token and the keys', async () => {
    const { store, backend, memory, live, rowOf } = open();
    const row = await rowOf();
    const stream = new Stream();
    live.add(row, stream);
    memory.tamper(row.id, { payload: Buffer.from('junk'), keyId: 'nobody knows', version: 7 });
    await store.rotateToken(row.id);
    await swept(backend);
    expect(stream.reasons).toEqual([]);
  });

  it('stays open when the clock is set back, and ends by the clock afterwards', async () => {
    let present = START;
    const { backend, live, rowOf } = open({ clock: { now: () => present } });
    const stream = new Stream();
    live.add(await rowOf(), stream);
    present -= 3 * HOUR;
    await swept(backend);
    expect(stream.reasons).toEqual([]);
    present += 4 * HOUR;
    expect(await stream.ended).toBe('expired');
  });
});

describe('an outage of storage', () => {
  it('ends nothing, and what ended meanwhile ends when storage is back', async () => {
    const opened = open();
    const { backend, memory, logger, live, rowOf } = opened;
    const rows = await Promise.all([rowOf('ada'), rowOf('bob')]);
    const streams = rows.map((row) => {
      const stream = new Stream();
      live.add(row, stream);
      return stream;
    });
    backend.around = () => Promise.reject(new Error('ECONNREFUSED'));
    await swept(backend);
    await memory.delete({ ids: [rows[0].id] });
    await swept(backend);
    expect(streams.map(({ reasons }) => reasons)).toEqual([[], []]);
    expect(logger.errors).toEqual([
      'Session storage fails: Could not check open sessions: ECONNREFUSED. Requests with a session get 503 ' +
        'until it works again',
    ]);
    backend.around = (_method, call) => call();
    expect(await streams[0]?.ended).toBe('revoked');
    expect(streams[1]?.reasons).toEqual([]);
  });

  it('ends what is past its absolute expiry all the same: nothing moves that', async () => {
    const { backend, clock, live, rowOf } = open({ ttl: '2h', absoluteTtl: '1h' });
    const stream = new Stream();
    live.add(await rowOf(), stream);
    backend.around = () => Promise.reject(new Error('ECONNREFUSED'));
    clock.advance('1h');
    expect(await stream.ended).toBe('expired');
  });

  it('ends nothing of the batches behind the one that failed, until the next look-up', async () => {
    const { backend, memory, live, rowOf } = open({}, HOUR);
    const row = await rowOf();
    const streams = Array.from({ length: 1_001 }, (_, index) => {
      const stream = new Stream();
      memory.plant({ ...row, id: `s-${index}` });
      live.add({ ...row, id: `s-${index}` }, stream);
      return stream;
    });
    await memory.delete({ userId: 'ada' });
    let calls = 0;
    backend.around = (_method, call) => (++calls === 2 ? Promise.reject(new Error('ECONNREFUSED')) : call());
    live.recheck('all');
    await streams[499]?.ended;
    await lookedUp(backend, 2);
    expect(streams.filter(({ reasons }) => reasons.length > 0)).toHaveLength(500);
    live.recheck('all');
    await streams[1_000]?.ended;
    expect(streams.every(({ reasons }) => reasons.length === 1)).toBe(true);
  });
});

describe('a session that ends just then', () => {
  it('while the look-up is under way ends with the next one', async () => {
    const opened = open();
    const { backend, memory, live, rowOf } = opened;
    const row = await rowOf();
    const stream = new Stream();
    let go = (): void => undefined;
    const reached = new Promise<void>((arrive) => {
      backend.around = async (_method, call) => {
        const answer = await call(); // it is still there
        arrive();
        await new Promise<void>((resolve) => (go = resolve));
        return answer;
      };
    });
    live.add(row, stream);
    await reached;
    await memory.delete({ ids: [row.id] });
    backend.around = (_method, call) => call();
    go();
    expect(await stream.ended).toBe('revoked');
  });

  it('before it is opened ends it after one look-up, with the reason', async () => {
    const { store, backend, live, rowOf } = open({}, HOUR);
    const row = await rowOf();
    await store.manager.end({ ids: [row.id] }, 'logout');
    const stream = new Stream();
    live.add(row, stream);
    expect(await stream.ended).toBe('logout');
    expect(backend.count('alive')).toBe(1);
  });

  it('before it is opened, and is back in storage since, leaves it open', async () => {
    const { store, backend, memory, live, rowOf } = open({}, HOUR);
    const row = await rowOf();
    await store.delete(row.id);
    memory.plant(row); // a restored backup
    const stream = new Stream();
    live.add(row, stream);
    await lookedUp(backend, 1);
    expect(stream.reasons).toEqual([]);
    expect(live.size).toBe(1);
  });

  it('ends once, also where the connection that ends opens another one', async () => {
    const { store, backend, live, rowOf } = open({}, HOUR);
    const row = await rowOf();
    const again = new Stream();
    live.add(row, { end: () => void live.add(row, again) });
    await store.delete(row.id);
    expect(again.reasons).toEqual([]);
    expect(await again.ended).toBe('revoked');
    expect(backend.count('alive')).toBe(1);
  });
});

describe('the look-ups', () => {
  it('ask for 500 ids each, one after the other, and for each session once', async () => {
    const { backend, memory, live, rowOf } = open({}, HOUR);
    const row = await rowOf();
    const ids = Array.from({ length: 1_200 }, (_, index) => `s-${index}`);
    for (const id of ids) {
      memory.plant({ ...row, id });
      live.add({ ...row, id }, new Stream());
      live.add({ ...row, id }, new Stream());
    }
    const asked: (readonly string[])[] = [];
    const alive = memory.alive.bind(memory);
    memory.alive = (some, now) => {
      asked.push(some);
      return alive(some, now);
    };
    live.recheck('all');
    await lookedUp(backend, 3);
    expect(asked.map(({ length }) => length)).toEqual([500, 500, 200]);
    expect(asked.flat()).toEqual(ids);
  });

  it('that are wanted while one is under way are one, which begins when that has ended', async () => {
    const { backend, live, rowOf } = open({}, MINUTE);
    const rows = [await rowOf(), await rowOf()] as const;
    for (const row of rows) live.add(row, new Stream());
    let go = (): void => undefined;
    backend.around = (method, call) =>
      method === 'alive' ? new Promise<void>((resolve) => (go = resolve)).then(call) : call();
    live.recheck('all');
    await lookedUp(backend, 1);
    for (let n = 0; n < 100; n++) live.recheck([rows[n % 2]!.id, 'nobody']);
    await lookedUp(backend, 1);
    expect(backend.count('alive')).toBe(1);
    backend.around = (_method, call) => call();
    go();
    await lookedUp(backend, 2);
    await live.stop();
    expect(backend.count('alive')).toBe(2);
  });

  it('are none for ids that nothing is open for', async () => {
    const { backend, live, rowOf } = open({}, HOUR);
    live.recheck('all');
    live.add(await rowOf(), new Stream());
    live.recheck(['nobody', 'else']);
    await live.stop();
    expect(backend.count('alive')).toBe(0);
  });

  it('end when nothing is open any more, and begin again with the next one', async () => {
    const { backend, live, rowOf } = open();
    const row = await rowOf();
    const timers = new Map<number, NodeJS.Timeout>();
    const hook = createHook({
      init: (id, type, _by, timer) => type === 'Timeout' && timers.set(id, timer as NodeJS.Timeout),
      destroy: (id) => timers.delete(id),
    }).enable();
    const registration = live.add(row, new Stream());
    hook.disable();
    const [timer] = timers.values();
    expect(timer?.hasRef()).toBe(false); // it does not keep the process alive
    expect(Reflect.get(timer!, '_destroyed')).toBe(false);
    registration.takeBack();
    expect(Reflect.get(timer!, '_destroyed')).toBe(true);
    expect(backend.count('alive')).toBe(0);
    live.add(row, new Stream());
    await swept(backend);
  });

  it('end when the store is closed, which ends nothing that is open', async () => {
    const { store, backend, memory } = open();
    const { session } = await store.create({}, 'ada');
    const stream = new Stream();
    store.manager.live.add(memory.row(session.id), stream);
    await store.close();
    store.manager.live.recheck('all');
    store.manager.live.add(memory.row(session.id), new Stream());
    expect(stream.reasons).toEqual([]);
    expect(backend.count('alive')).toBe(0);
  });

  it('that are under way when the store is closed are waited for, no longer than `timeout`', async () => {
    const { store, backend, memory } = open({ timeout: '50ms', live: { recheck: '100ms' } });
    const { session } = await store.create({}, 'ada');
    store.manager.live.add(memory.row(session.id), new Stream());
    backend.around = (method, call) => (method === 'alive' ? hang() : call());
    store.manager.live.recheck('all');
    await lookedUp(backend, 1);
    await expect(store.close()).resolves.toBeUndefined();
  });
});

describe('what is open for a session that a request is about to replace', () => {
  /** When whatever could have ended it by now has done so. */
  const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 4 * RECHECK));

  it('ends when the last response that replaces it has left, and others end at once', async () => {
    const { store, live, rowOf } = open();
    const [row, other] = [await rowOf(), await rowOf('bob')];
    const [stream, apart] = [new Stream(), new Stream()];
    live.add(row, stream);
    live.add(other, apart);
    const [one, two] = [live.hold(row.id), live.hold(row.id)];
    await store.delete(row.id);
    await store.delete(other.id);
    expect(apart.reasons).toEqual(['revoked']);
    await settled(); // in which it is looked for
    one();
    one();
    expect(stream.reasons).toEqual([]);
    two();
    expect(stream.reasons).toEqual(['revoked']);
  });

  it('does not end when the sign-in fails, and ends later as ever', async () => {
    const { store, live, rowOf } = open();
    const row = await rowOf();
    const stream = new Stream();
    live.add(row, stream);
    live.hold(row.id)();
    await settled();
    expect(stream.reasons).toEqual([]);
    await store.delete(row.id);
    expect(stream.reasons).toEqual(['revoked']);
  });

  it('ends in any case when the response takes too long', async () => {
    const { store, live, rowOf } = open();
    const row = await rowOf();
    const stream = new Stream();
    live.add(row, stream);
    live.hold(row.id, 2 * RECHECK);
    await store.delete(row.id);
    expect(stream.reasons).toEqual([]);
    expect(await stream.ended).toBe('revoked');
  });
});
