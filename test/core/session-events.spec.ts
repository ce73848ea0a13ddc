import { SessionEvents } from '../../src/core/session-events.js';
import { SessionStore } from '../../src/core/session-store.js';
import { hang, OpenMemoryBackend, WrappedBackend } from './support/backends.js';
import { HOUR, openStore, recordEvents, START } from './support/open-store.js';

const at = new Date(START);

async function openRecorded(options = {}) {
  const opened = openStore({ ttl: '1h', ...options });
  return { ...opened, events: recordEvents(opened.store) };
}

describe('the events of', () => {
  it('a sign-in: created, authenticated', async () => {
    const { store, events } = await openRecorded();
    const { session } = await store.create({}, 'ada');
    const event = { sessionId: session.id, userId: 'ada', at };
    expect(events).toEqual([
      { name: 'created', ...event },
      { name: 'authenticated', ...event },
    ]);
  });

  it('an anonymous visit: created', async () => {
    const { store, events } = await openRecorded();
    const { session } = await store.create({}, null);
    expect(events).toEqual([{ name: 'created', sessionId: session.id, userId: null, at }]);
  });

  it('a sign-in over the limit: evicted too, for each session that had to go', async () => {
    const { store, events } = await openRecorded({ maxPerUser: 1 });
    const { session } = await store.create({}, 'ada');
    events.length = 0;
    await store.create({}, 'ada');
    expect(events.map(({ name }) => name)).toEqual(['created', 'authenticated', 'evicted']);
    expect(events[2]).toEqual({ name: 'evicted', sessionId: session.id, userId: 'ada', at });
  });

  it('the key-value face: created when it is new, revoked as replaced when it is cycled away', async () => {
    const { store, events } = await openRecorded();
    await store.put('a', { userId: 'ada', data: {} }, '1h');
    await store.put('a', { userId: 'ada', data: {} }, '1h');
    await store.cycle('a', 'b', { userId: 'ada', data: {} }, '1h');
    expect(events).toEqual([
      { name: 'created', sessionId: 'a', userId: 'ada', at },
      { name: 'created', sessionId: 'b', userId: 'ada', at },
      { name: 'revoked', sessionId: 'a', userId: 'ada', at, reason: 'replaced' },
    ]);
  });

  it('a rotation: rotated', async () => {
    const { store, events } = await openRecorded();
    const { session } = await store.create({}, 'ada');
    events.length = 0;
    await store.rotateToken(session.id);
    expect(events).toEqual([{ name: 'rotated', sessionId: session.id, userId: 'ada', at }]);
  });

  it('a token that comes back after it was replaced: reuse, and revoked for it, once', async () => {
    const { store, clock, events } = await openRecorded();
    const { session, token } = await store.create({}, 'ada');
    await store.readByToken(await store.rotateToken(session.id, { grace: '30s' }));
    clock.advance('30s');
    events.length = 0;
    await Promise.all([store.readByToken(token), store.readByToken(token), store.readByToken(token)]);
    const event = { sessionId: session.id, userId: 'ada', at: new Date(clock.now()) };
    expect(events).toEqual([
      { name: 'reuse', ...event },
      { name: 'revoked', ...event, reason: 'reuse' },
    ]);
  });

  it('ending sessions: revoked, for each that was active', async () => {
    const { store, events } = await openRecorded();
    const [one, two] = [await store.create({}, 'ada'), await store.create({}, 'ada')];
    const three = await store.create({}, 'bob');
    events.length = 0;
    await store.delete(one.session.id);
    await store.delete(one.session.id);
    await store.destroyAllForUser('ada');
    await store.destroyAll();
    expect(events).toEqual(
      [one, two, three].map(({ session: { id, userId } }) => ({
        name: 'revoked',
        sessionId: id,
        userId,
        at,
        reason: 'revoked',
      })),
    );
  });

  it('a token that meets an expired session: expired', async () => {
    const { store, clock, events } = await openRecorded();
    const { session, token } = await store.create({}, 'ada');
    clock.advance('1h');
    events.length = 0;
    expect(await store.readByToken(token)).toBeNull();
    expect(events).toEqual([
      { name: 'expired', sessionId: session.id, userId: 'ada', at: new Date(clock.now()) },
    ]);
  });

  it('a token that keeps meeting an expired session: expired, once, and once more for another', async () => {
    const { store, clock, events } = await openRecorded();
    const tokens = [(await store.create({}, 'ada')).token, (await store.create({}, 'bob')).token];
    clock.advance('1h');
    events.length = 0;
    for (let n = 0; n < 300; n++) await Promise.all(tokens.map((token) => store.readByToken(token)));
    expect(events.map(({ name, userId }) => [name, userId])).toEqual([
      ['expired', 'ada'],
      ['expired', 'bob'],
    ]);
  });

  it('a token that keeps meeting an altered payload: tampered, once', async () => {
    const { store, backend, events } = await openRecorded();
    const { session, token } = await store.create({}, 'ada');
    backend.tamper(session.id, { userId: 'bob' });
    events.length = 0;
    for (let n = 0; n < 300; n++) expect(await store.readByToken(token)).toBeNull();
    expect(events.map(({ name }) => name)).toEqual(['tampered']);
  });

  it('reading, writing data and use: none', async () => {
    const { store, events } = await openRecorded();
    const { session, token } = await store.create({}, 'ada');
    events.length = 0;
    await store.readByToken(token);
    await store.load(session.id);
    await store.listForUser('ada');
    await store.flush(session.id, { n: 1 }, START, START + HOUR);
    await store.touch(session.id, START, START + HOUR);
    await store.checkHealth();
    expect(events).toEqual([]);
  });
});

describe('an event', () => {
  it('never holds a token, data, meta or a hash', async () => {
    const { store, clock, backend, events } = await openRecorded({ maxPerUser: 1 });
    const { token } = await store.create({ ip: '203.0.113.7' }, 'ada', { secret: 'xyzzy' });
    const { session, token: second } = await store.create({ ip: '203.0.113.7' }, 'ada', { secret: 'xyzzy' });
    const hash = backend.row(session.id).tokenHash ?? '';
    const third = await store.rotateToken(session.id);
    await store.readByToken(third);
    clock.advance('1m');
    await store.readByToken(second);
    expect(new Set(events.map(({ name }) => name))).toEqual(
      new Set(['created', 'authenticated', 'evicted', 'rotated', 'reuse', 'revoked']),
    );
    const text = JSON.stringify(events);
    const secrets = [token, second, third].map((one) => one.reveal().slice(26));
    for (const secret of [...secrets, hash, '203.0.113.7', 'xyzzy']) expect(text).not.toContain(secret);
    const keys = new Set(events.flatMap((event) => Object.keys(event)));
    expect(keys).toEqual(new Set(['name', 'sessionId', 'userId', 'at', 'reason']));
  });

  it('comes after the commit, and before the caller hears of it', async () => {
    const order: string[] = [];
    const backend = new WrappedBackend(new OpenMemoryBackend(), async (method, call) => {
      const result = await call();
      order.push(`${method} committed`);
      return result;
    });
    const { store } = openStore({}, backend);
    store.events.on('created', () => order.push('created told'));
    store.events.on('revoked', () => order.push('revoked told'));
    const { session } = await store.create({}, 'ada');
    order.push('create resolved');
    await store.delete(session.id);
    expect(order).toEqual([
      'init committed',
      'insert committed',
      'created told',
      'create resolved',
      'delete committed',
      'revoked told',
    ]);
  });

  it('does not come when nothing was stored', async () => {
    const { store, backend } = openStore({ timeout: '20ms' }, new WrappedBackend(new OpenMemoryBackend()));
    const { session } = await store.create({}, 'ada');
    const events = recordEvents(store);
    backend.around = hang;
    await expect(store.create({}, 'ada')).rejects.toThrow('no answer');
    await expect(store.delete(session.id)).rejects.toThrow('no answer');
    await expect(store.rotateToken(session.id)).rejects.toThrow('no answer');
    expect(events).toEqual([]);
  });
});

describe('a listener', () => {
  async function createWith(listener: () => unknown, store: SessionStore) {
    const heard: string[] = [];
    store.events.on('created', () => heard.push('before'));
    store.events.on('created', listener);
    store.events.on('created', () => heard.push('after'));
    const { session } = await store.create({}, 'ada');
    await new Promise((resolve) => setImmediate(resolve));
    return { heard, session };
  }

  it.each<[string, () => unknown]>([
    ['throws', () => { throw new Error('listener is broken'); }], // prettier-ignore
    ['rejects', () => Promise.reject(new Error('listener is broken'))],
  ])('that %s harms neither the caller nor other listeners, and is logged', async (_name, listener) => {
    const { store, logger } = openStore();
    const { heard, session } = await createWith(listener, store);
    expect(heard).toEqual(['before', 'after']);
    expect(await store.load(session.id)).toEqual(session);
    expect(logger.warnings).toEqual([
      expect.stringMatching(/^A listener for the session event 'created' failed: Error: listener is broken/),
    ]);
  });

  it('is not awaited', async () => {
    const { store } = openStore();
    const { heard } = await createWith(hang, store);
    expect(heard).toEqual(['before', 'after']);
  });

  it('hears no more once it has unsubscribed, also from within', async () => {
    const { store } = openStore();
    const heard: string[] = [];
    const stop = store.events.on('created', () => heard.push('always'));
    const stopOnce: () => void = store.events.on('created', () => {
      heard.push('once');
      stopOnce();
    });
    await store.create({}, null);
    await store.create({}, null);
    stop();
    stop();
    await store.create({}, null);
    expect(heard).toEqual(['always', 'once', 'always']);
  });

  it('hears only its own event', () => {
    const events = new SessionEvents();
    const heard: number[] = [];
    events.on('cleanup', ({ count }) => heard.push(count));
    events.emit('cleanup', { at, count: 3 });
    events.emit('created', { sessionId: 'id', userId: null, at });
    expect(heard).toEqual([3]);
  });
});
