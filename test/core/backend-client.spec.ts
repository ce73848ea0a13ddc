import { MemorySessionBackend } from '../../src/backends/memory/memory-session-backend.js';
import { DamagedRowError } from '../../src/core/row-errors.js';
import type { InsertRequest } from '../../src/core/session-backend.js';
import { SessionStoreError } from '../../src/core/session-errors.js';
import type { SessionStore } from '../../src/core/session-store.js';
import { sleep } from '../../src/core/timers.js';
import { hang, OpenMemoryBackend, WrappedBackend, yielding } from './support/backends.js';
import { HOUR, openStore, START } from './support/open-store.js';
import { PROPERTY_SEED } from './support/property-seed.js';
import { SeededRandom } from './support/random.js';

async function openWrapped(timeout = '5s') {
  const opened = openStore({ timeout }, new WrappedBackend(new OpenMemoryBackend()));
  const { session, token } = await opened.store.create({}, 'ada', { n: 1 });
  opened.backend.calls.length = 0;
  return { ...opened, session, token, id: session.id };
}

/** Every method that goes to storage. */
const CALLS: ReadonlyArray<[string, (store: SessionStore, id: string) => Promise<unknown>]> = [
  ['create', (store) => store.create({}, 'ada')],
  ['read', (store, id) => store.read(id)],
  ['load', (store, id) => store.load(id)],
  ['get', (store) => store.get('key')],
  ['put', (store) => store.put('key', { userId: null, data: {} }, '1h')],
  ['cycle', (store, id) => store.cycle(id, 'key', { userId: null, data: {} }, '1h', { sessions: true })],
  ['delete', (store, id) => store.delete(id)],
  ['rotateToken', (store, id) => store.rotateToken(id)],
  ['flush', (store, id) => store.flush(id, {}, START, START + HOUR)],
  ['touch', (store, id) => store.touch(id, START, START + HOUR)],
  ['listForUser', (store) => store.listForUser('ada')],
  ['findSessionsForUser', (store) => store.findSessionsForUser('ada', 1)],
  ['destroyAllForUser', (store) => store.destroyAllForUser('ada')],
  ['destroyAllExcept', (store, id) => store.destroyAllExcept('ada', id)],
  ['destroyAll', (store) => store.destroyAll()],
  ['cleanupExpired', (store) => store.cleanupExpired()],
  ['initSchema', (store) => store.initSchema()],
];

describe.each(CALLS)('%s', (_name, call) => {
  it('is SessionStoreError when the backend fails, with what failed and the cause', async () => {
    const { store, backend, id } = await openWrapped();
    const cause = new Error('connection refused');
    backend.around = () => Promise.reject(cause);
    const failure: unknown = await call(store, id).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(SessionStoreError);
    expect(failure).toMatchObject({ code: 'session_store_unavailable', cause });
    expect(String(failure)).toMatch(/^SessionStoreError: Could not [a-z ]+: connection refused$/);
  });

  it('is SessionStoreError within `timeout` when the backend hangs', async () => {
    const { store, backend, id } = await openWrapped('20ms');
    backend.around = hang;
    const begun = performance.now();
    await expect(call(store, id)).rejects.toThrow(/no answer within 20 ms \(the `timeout` option\)/);
    expect(performance.now() - begun).toBeLessThan(3_000);
  });
});

describe('a backend', () => {
  it('is told when its calls will have been answered, before the first of them', async () => {
    const told: unknown[] = [];
    class TimedBackend extends OpenMemoryBackend {
      override async init(call?: { readonly timeout: number }) {
        told.push(call);
      }
    }
    const { store } = openStore({ timeout: '3s' }, new TimedBackend());
    await store.create({}, 'ada');
    expect(told).toEqual([{ timeout: 3_000 }]);
  });
});

describe('a backend that throws instead of rejecting', () => {
  it('is a failure like any other, and leaves no timer behind', async () => {
    const { store, backend, id } = await openWrapped('20ms');
    backend.around = () => {
      throw new Error('not connected');
    };
    await expect(store.load(id)).rejects.toThrow('Could not read a session: not connected');
    await expect(store.initSchema()).rejects.toThrow('Could not prepare the session storage: not connected');
    backend.around = (_method, call) => call();
    expect(await store.load(id)).not.toBeNull();
  });
});

describe('an outage', () => {
  it('is logged once when it begins, once when it ends, and again the next time', async () => {
    const { store, backend, id, logger } = await openWrapped();
    const outage = async () => {
      backend.around = () => Promise.reject(new Error('connection refused'));
      for (let n = 0; n < 5; n++) await expect(store.load(id)).rejects.toThrow(SessionStoreError);
      backend.around = (_method, call) => call();
      for (let n = 0; n < 5; n++) await store.load(id);
    };
    await outage();
    expect(logger.errors).toEqual([
      'Session storage fails: Could not read a session: connection refused. ' +
        'Requests with a session get 503 until it works again',
    ]);
    expect(logger.warnings).toEqual([expect.stringMatching(/^Session storage works again, after \d+ s$/)]);
    await outage();
    expect([logger.errors.length, logger.warnings.length]).toEqual([2, 2]);
  });

  it('ends without a restart, also when it was there from the start', async () => {
    const { store, backend } = openStore({}, new WrappedBackend(new OpenMemoryBackend()));
    backend.around = () => Promise.reject(new Error('no such host'));
    await expect(store.create({}, 'ada')).rejects.toThrow(
      'Could not prepare the session storage: no such host',
    );
    backend.around = (_method, call) => call();
    const { token } = await store.create({}, 'ada');
    expect(await store.readByToken(token)).not.toBeNull();
    expect(backend.calls).toEqual(['init', 'init', 'insert', 'find']);
  });

  it('ends without a restart also when preparing the table hung', async () => {
    const { store, backend } = openStore(
      { timeout: '20ms' },
      new WrappedBackend(new OpenMemoryBackend(), hang),
    );
    await expect(store.create({}, 'ada')).rejects.toThrow('no answer within 20 ms');
    backend.around = (_method, call) => call();
    await expect(store.create({}, 'ada')).resolves.toMatchObject({ session: { userId: 'ada' } });
  });

  it('is not what refused data is', async () => {
    const { store, logger } = await openWrapped();
    await expect(store.create({}, 'ada', { text: 'x'.repeat(20_000) })).rejects.toThrow(/larger than/);
    expect(logger.errors).toEqual([]);
  });

  it('lets touches in the background fail open, with a warning', async () => {
    const { store, backend, id, logger } = await openWrapped();
    const [row] = await backend.find([id]);
    backend.around = () => Promise.reject(new Error('connection refused'));
    store.parts.touches.record(row!);
    await store.manager.drain();
    expect(logger.warnings).toEqual([
      'The use of a session was not recorded: SessionStoreError: Could not record the use of a session: connection refused',
    ]);
  });
});

describe('an insert that is stored after it was given up', () => {
  /** Storage that does not answer inserts before it is told to. */
  async function openLate() {
    const opened = await openWrapped('20ms');
    let answer = (): void => undefined;
    const isLate = new Promise<void>((resolve) => (answer = resolve));
    opened.backend.around = async (method, call) => {
      const result = await call();
      if (method === 'insert') await isLate;
      return result;
    };
    const answerLate = async () => {
      answer();
      await sleep(0); // and with it all that follows at once
    };
    return { ...opened, answerLate };
  }

  it('leaves no session, whose token nobody has, to count towards a limit', async () => {
    const { store, backend, session, answerLate } = await openLate();
    await expect(store.create({}, 'ada')).rejects.toThrow(SessionStoreError);
    await answerLate();
    expect((await store.listForUser('ada')).map(({ id }) => id)).toEqual([session.id]);
    expect(backend.calls).toContain('delete');
  });

  it('leaves what its id alone leads to', async () => {
    const { store, backend, answerLate } = await openLate();
    await expect(store.put('key', { userId: null, data: { n: 1 } }, '1h')).rejects.toThrow(SessionStoreError);
    await answerLate();
    expect(await store.get('key')).toMatchObject({ data: { n: 1 } });
    expect(backend.calls).not.toContain('delete');
  });

  it('tells the backend, which may not have stored it yet', async () => {
    const told: unknown[] = [];
    let goOn = (): void => undefined;
    const isLate = new Promise<void>((resolve) => (goOn = resolve));
    class AskingBackend extends MemorySessionBackend {
      override async insert(request: InsertRequest) {
        told.push(request.isGivenUp?.());
        await isLate;
        told.push(request.isGivenUp?.());
        return super.insert(request);
      }
    }
    const { store } = openStore({ timeout: '20ms' }, new AskingBackend());
    await expect(store.create({}, 'ada')).rejects.toThrow('no answer within 20 ms');
    goOn();
    await sleep(0);
    expect(told).toEqual([false, true]);
  });
});

describe('a row that cannot be read', () => {
  it('is no outage, however often it is asked for, and said once', async () => {
    class DamagedBackend extends MemorySessionBackend {
      damaged = '';
      override async find(ids: readonly string[]) {
        if (ids.includes(this.damaged)) throw new DamagedRowError('damaged.');
        return super.find(ids);
      }
    }
    const { store, backend, logger } = openStore({}, new DamagedBackend());
    const [{ session }, served] = [await store.create({}, 'ada'), await store.create({}, 'eve')];
    backend.damaged = session.id;
    for (let times = 0; times < 3; times++) {
      const loads = [store.load(session.id), store.load(served.session.id)];
      expect(await Promise.allSettled(loads)).toMatchObject([
        { reason: expect.any(SessionStoreError) as unknown },
        { value: { id: served.session.id } },
      ]);
    }
    expect(logger.errors).toEqual([]);
    expect(logger.warnings).toEqual([
      'A session is not served: Could not read a session: damaged. This is said once',
    ]);
  });

  it('shows that storage works again', async () => {
    const { store, backend, id, logger } = await openWrapped();
    for (const error of [new Error('away'), new DamagedRowError('damaged')]) {
      backend.around = () => Promise.reject(error);
      await expect(store.load(id)).rejects.toThrow(SessionStoreError);
    }
    expect(logger.warnings).toContainEqual(expect.stringMatching(/^Session storage works again/));
  });
});

describe('look-ups of one event-loop turn', () => {
  it('share one `find`, each session asked for once', async () => {
    const { store, backend, id } = await openWrapped();
    const other = (await store.create({}, 'bob')).session.id;
    backend.calls.length = 0;
    const asked: string[][] = [];
    const find = backend.inner.find.bind(backend.inner);
    backend.inner.find = (ids) => (asked.push([...ids]), find(ids));
    const found = await Promise.all([id, other, id, 'unknown', id].map((one) => store.load(one)));
    expect(found.map((session) => session?.id ?? null)).toEqual([id, other, id, null, id]);
    expect(asked).toEqual([[id, other, 'unknown']]);
  });

  it('get records of their own', async () => {
    const { store, id } = await openWrapped();
    const [first, second] = await Promise.all([store.load(id), store.load(id)]);
    first!.data['n'] = 'changed';
    expect(second!.data).toEqual({ n: 1 });
  });

  it('all fail when it fails', async () => {
    const { store, backend, id } = await openWrapped();
    backend.around = () => Promise.reject(new Error('connection refused'));
    const found = await Promise.allSettled([store.load(id), store.load(id), store.load('unknown')]);
    expect(found.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
    expect(backend.count('find')).toBe(1);
  });

  it('never join a `find` under way: after an acknowledged delete nobody sees the session', async () => {
    const { store, backend, token, id } = await openWrapped();
    let answer = (): void => undefined;
    const answered = new Promise<void>((resolve) => (answer = resolve));
    backend.around = async (method, call) => {
      const result = await call();
      if (method === 'find' && backend.count('find') === 1) await answered;
      return result;
    };
    const before = store.readByToken(token);
    await new Promise((resolve) => setImmediate(resolve));
    expect(backend.count('find')).toBe(1);
    expect(await store.delete(id)).toBe(true);
    const after = store.readByToken(token);
    answer();
    expect(await before).not.toBeNull();
    expect(await after).toBeNull();
    expect(backend.count('find')).toBe(2);
  });

  it('started after the end was acknowledged see nothing, in 500 races of readers and a logout', async () => {
    const { store, backend } = await openWrapped();
    backend.around = yielding(new SeededRandom(PROPERTY_SEED));
    const race = async (): Promise<void> => {
      const { session, token } = await store.create({}, null);
      const readers = Array.from({ length: 5 }, () => store.readByToken(token));
      const ended = store.delete(session.id).then(() => store.readByToken(token));
      await Promise.all(readers);
      expect(await ended).toBeNull();
    };
    for (let n = 0; n < 10; n++) await Promise.all(Array.from({ length: 50 }, race));
  });
});

describe('saves that one moment leads to', () => {
  async function saving(count: number) {
    const opened = await openWrapped();
    const { store, backend } = opened;
    const created = await Promise.all(
      Array.from({ length: count }, (_, index) => store.create({}, `u${index}`, { n: 0 })),
    );
    backend.calls.length = 0;
    const ids = created.map(({ session }) => session.id);
    const flushAll = () =>
      Promise.allSettled(ids.map((id) => store.flush(id, { n: 1 }, START, START + HOUR)));
    return { ...opened, ids, flushAll };
  }

  it('go to storage together', async () => {
    const { backend, flushAll } = await saving(5);
    expect(await flushAll()).toEqual(Array.from({ length: 5 }, () => ({ status: 'fulfilled', value: true })));
    expect(backend.calls.filter((method) => method === 'save')).toHaveLength(1);
  });

  it('have an outcome each, also when storage refuses them for one', async () => {
    const { store, backend, ids, flushAll } = await saving(5);
    const whole = backend.inner.save.bind(backend.inner);
    backend.inner.save = (changes) =>
      changes.some(({ id }) => id === ids[2]) ? Promise.reject(new Error('too big')) : whole(changes);
    const outcomes = await flushAll();
    expect(outcomes.map(({ status }) => status === 'fulfilled')).toEqual([true, true, false, true, true]);
    expect((await Promise.all(ids.map((id) => store.load(id)))).map((found) => found?.data['n'])).toEqual([
      1, 1, 0, 1, 1,
    ]);
  });
});
