import { NO_FLASHES } from '../../src/core/merge-changes.js';
import { SessionConflictError, SessionStoreError } from '../../src/core/session-errors.js';
import type { SessionStoreOptions } from '../../src/core/session-options.js';
import { newKin, SessionToken } from '../../src/core/session-token.js';
import { ManualClock } from '../../src/testing/manual-clock.js';
import { OpenMemoryBackend, WrappedBackend } from './support/backends.js';
import { KEY, openStore, OTHER_KEY, recordEvents } from './support/open-store.js';

/** A session with three tokens, each replaced by the next one right away, with a grace of 30 seconds. */
async function openThree(options: SessionStoreOptions = {}) {
  const memory = new OpenMemoryBackend();
  const backend = new WrappedBackend(memory);
  const opened = openStore({ rotation: { grace: '30s' }, key: [KEY, OTHER_KEY], ...options }, backend);
  const { store } = opened;
  const { resolver, issuer, sealer } = store.parts;
  const { session, token: oldest } = await store.create({}, 'ada', { n: 1 });
  const { id } = session;
  const rotate = async (): Promise<SessionToken> => {
    const token = await store.rotateToken(id, { grace: '30s' });
    await resolver.resolveAny(token);
    return token;
  };
  const superseded = await rotate();
  const current = await rotate();
  const { marks, ...content } = sealer.open(memory.row(id));
  const { kin } = marks!;
  /** From now on it is a session of the time before tokens shared anything; or of one that marked something else. */
  const grow = (marksThen?: object) =>
    memory.tamper(id, sealer.seal(marksThen ? { ...content, marks: marksThen } : content, id, 'ada'));
  const spoil = () => {
    const payload = Buffer.from(memory.row(id).payload);
    payload[40]! ^= 4;
    memory.tamper(id, { payload });
  };
  const present = async (token: SessionToken, arrivedAt?: number) =>
    (await resolver.resolveAny(token, {}, arrivedAt))?.standing ?? null;
  const standsStill = () => memory.stored.has(id);
  backend.calls.length = 0;
  return {
    ...opened,
    memory,
    id,
    oldest,
    superseded,
    current,
    kin,
    issuer,
    resolver,
    grow,
    spoil,
    present,
    standsStill,
  };
}

describe('a token that was replaced', () => {
  it('counts from when the head of its request arrived, not from when it is looked at', async () => {
    const { present, superseded, clock, standsStill } = await openThree();
    const arrivedAt = clock.now();
    clock.advance('1h');
    expect(await present(superseded, arrivedAt)).toBe('superseded');
    expect(standsStill()).toBe(true);
    expect(await present(superseded)).toBeNull();
    expect(standsStill()).toBe(false);
  });

  it.each([
    ['the superseded one', 'superseded', 30_000, false],
    ['an older one, within the grace', 'oldest', 0, true],
    ['an older one', 'oldest', 30_000, true],
  ] as const)(
    'and comes back to a session that does not open ends it only where storage knows the token: %s',
    async (_, which, after, isLeft) => {
      const { present, spoil, standsStill, clock, ...tokens } = await openThree();
      spoil();
      if (after > 0) clock.advance(after);
      expect(await present(tokens[which])).toBeNull();
      expect(standsStill()).toBe(isLeft);
    },
  );

  it('is told once where several requests bring it at once', async () => {
    const { present, superseded, clock, store } = await openThree();
    const events = recordEvents(store);
    clock.advance('30s');
    await Promise.all([present(superseded), present(superseded), present(superseded)]);
    expect(events.map(({ name }) => name)).toEqual(['reuse', 'revoked']);
  });

  it('cannot be told from a made-up one under a key that is not there any more', async () => {
    const { oldest, memory, id } = await openThree();
    const { store: other } = openStore({ key: [OTHER_KEY, KEY] });
    memory.tamper(id, other.parts.sealer.seal({ data: {}, flashes: [], meta: {} }, id, 'ada'));
    const shrunk = openStore({ key: KEY }, memory).store;
    await expect(shrunk.parts.resolver.resolveAny(oldest)).rejects.toThrow(SessionStoreError);
  });
});

describe('a token that storage does not know', () => {
  it.each<
    [generation: number, of: 'kin' | 'nobody', after: number, standing: string | null, isLeft: boolean]
  >([
    [1, 'kin', 0, 'unserved', true],
    [1, 'kin', 30_000, null, false],
    [3, 'kin', 0, 'current', true],
    [1, 'nobody', 0, null, true],
    [1, 'nobody', 30_000, null, true],
    [3, 'nobody', 0, null, true],
  ])(
    'of generation %i, of %s, after %i ms stands as %s, and leaves the session: %s',
    async (generation, of, after, standing, isLeft) => {
      const { present, issuer, id, kin, clock, standsStill } = await openThree();
      if (after > 0) clock.advance(after);
      const token = issuer.issue(id, { generation, kin: of === 'kin' ? kin : newKin() });
      expect(await present(token)).toBe(standing);
      expect(standsStill()).toBe(isLeft);
    },
  );

  it.each<[marks: object | undefined, generation: number, standing: string | null]>([
    [undefined, 1, 'unserved'],
    [undefined, 2, 'unserved'],
    [undefined, 3, null],
    [{ client: 'Firefox' }, 1, 'unserved'],
    [{ client: 'Firefox' }, 2, 'unserved'],
    [{ client: 'Firefox' }, 3, null],
  ])(
    'is none of a session from before tokens shared anything, if it were newer: with %j, generation %i: %s',
    async (marks, generation, standing) => {
      const { present, issuer, id, grow } = await openThree();
      grow(marks);
      expect(await present(issuer.issue(id, { generation, kin: undefined }))).toBe(standing);
    },
  );

  it('and is newer is followed: storage has gone back, which the log hears of once a minute', async () => {
    const { present, issuer, id, kin, memory, logger, clock, current } = await openThree();
    const newer = issuer.issue(id, { generation: 5, kin });
    expect(await present(newer)).toBe('current');
    expect(memory.row(id)).toMatchObject({
      tokenHash: newer.hash,
      supersededHash: current.hash,
      tokenGeneration: 5,
    });
    expect(logger.warnings).toEqual([expect.stringContaining('storage has gone back')]);
    clock.advance(59_999);
    expect(await present(issuer.issue(id, { generation: 6, kin }))).toBe('current');
    expect(logger.warnings).toHaveLength(1);
    clock.advance(1);
    expect(await present(issuer.issue(id, { generation: 7, kin }))).toBe('current');
    expect(logger.warnings).toHaveLength(2);
  });

  it('is told of in the first minute of a clock that starts at zero too', async () => {
    const { present, issuer, id, kin, logger } = await openThree({ clock: new ManualClock(0) });
    expect(await present(issuer.issue(id, { generation: 5, kin }))).toBe('current');
    expect(logger.warnings).toHaveLength(1);
  });

  it('and is newer is looked at again where another request was first', async () => {
    const { present, issuer, id, kin, backend, memory, logger } = await openThree();
    const [newer, newest] = [6, 7].map((generation) => issuer.issue(id, { generation, kin })) as [
      SessionToken,
      SessionToken,
    ];
    backend.around = async (method, call) => {
      if (method !== 'changeToken') return call();
      backend.around = (_method, go) => go();
      await present(newest);
      return call();
    };
    expect(await present(newer)).toBe('unserved');
    expect(memory.row(id).tokenHash).toBe(newest.hash);
    expect(logger.warnings).toHaveLength(1);
  });
});

describe('a token that storage knows', () => {
  it('leads nowhere once somebody else’s value was put over its session', async () => {
    const { store, present, id, current, oldest } = await openThree();
    await store.put(id, { userId: 'bob', data: {} }, '1h', { sessions: true });
    expect([await present(current), await present(oldest)]).toEqual([null, null]);
    expect((await store.read(id))?.userId).toBe('bob');
  });

  it('leads nowhere when it comes by another way than its session was signed in for', async () => {
    const { present, current } = await openThree();
    expect(await present(new SessionToken(current.reveal(), 'bearer'))).toBeNull();
    expect(await present(current)).toBe('current');
  });
});

describe('a read that keeps meeting changes', () => {
  it('is repeated five times, and then a conflict', async () => {
    const { store, present, id, memory, backend } = await openThree();
    const token = await store.rotateToken(id);
    memory.changeToken = () => Promise.resolve(false);
    backend.calls.length = 0;
    await expect(present(token)).rejects.toThrow(SessionConflictError);
    expect(backend.count('find')).toBe(5);
  });
});

describe('what is no session any more', () => {
  it('is told once: that it expired, and that it was altered', async () => {
    const { store, present, current, clock, spoil } = await openThree();
    const events = recordEvents(store);
    spoil();
    expect([await present(current), await present(current)]).toEqual(['unserved', 'unserved']);
    expect(await store.parts.resolver.resolve(current)).toBeNull();
    clock.advance('24h');
    expect([await present(current), await present(current)]).toEqual([null, null]);
    expect(events.map(({ name }) => name)).toEqual(['tampered', 'expired']);
  });
});

describe('a bearer token', () => {
  it('is never rotated with a response, which could not carry the new one', async () => {
    const { store } = openStore({ rotation: { every: '15m', grace: '30s' } });
    const { token, row, content } = await store.manager.create({
      userId: 'ada',
      meta: {},
      previousId: null,
      changes: { replace: false, set: {}, remove: [], ...NO_FLASHES },
      data: {},
      persistent: true,
      marks: { transport: 'bearer' },
    });
    expect(token.transport).toBe('bearer');
    const resolved = { row, content, standing: 'current' } as const;
    expect(store.manager.isRotationDue(resolved, true)).toBe(false);
    expect(await store.manager.rotateIfDue(resolved, true)).toBeNull();
    expect(await store.readByToken(token, 'bearer')).not.toBeNull();
  });
});

describe('rotating a session from before tokens shared anything', () => {
  it('goes on as it does for others, by request, by the store, and with renewed proof', async () => {
    const { store, resolver, present, current, grow, id, memory } = await openThree();
    grow();
    const resolved = (await resolver.resolve(current))!;
    const byRequest = (await store.manager.rotateIfDue(resolved, true))!;
    expect(await present(byRequest)).toBe('current');
    const { token: renewed } = await store.manager.renew(resolved);
    expect(await present(renewed)).toBe('current');
    const byStore = await store.rotateToken(id);
    expect(await present(byStore)).toBe('current');
    expect(memory.row(id).tokenGeneration).toBe(5);
  });
});
