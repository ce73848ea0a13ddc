import type { NewSession } from '../../src/core/session-creation.js';
import { SessionDataError, SessionLimitError, SessionStoreError } from '../../src/core/session-errors.js';
import type { InsertRequest, InsertResult } from '../../src/core/session-backend.js';
import type { SessionRow } from '../../src/core/session-row.js';
import { OpenMemoryBackend } from './support/backends.js';
import { DAY, HOUR, KEY, MINUTE, openStore, OTHER_KEY, recordEvents, START } from './support/open-store.js';

const UNCHANGED = { replace: false, set: {}, remove: [], flashesAdded: [], flashesRead: [] } as const;
const SIGN_IN: NewSession = {
  userId: 'ada',
  meta: { ip: '192.0.2.1' },
  previousId: null,
  changes: UNCHANGED,
  data: {},
  persistent: true,
};

async function openVisited(options = {}) {
  const opened = openStore({ ttl: '1h', anonymousTtl: '1h', ...options });
  const { session, token } = await opened.store.create({ ip: '192.0.2.9' }, null, {
    cart: ['book'],
    theme: 'dark',
  });
  const signIn = (more: Partial<NewSession> = {}) =>
    opened.store.manager.create({ ...SIGN_IN, previousId: session.id, ...more }, '192.0.2.1');
  return { ...opened, visit: session, visitToken: token, signIn };
}

describe('a storage that asks for a suffix of ids', () => {
  class Suffixed extends OpenMemoryBackend {
    override idSuffix(userId: string | null): string {
      return userId === null ? '00' : userId.slice(0, 2).toUpperCase();
    }
  }

  it('gets it, by user, and the session is found, rotated and ended by its token', async () => {
    const { store } = openStore({}, new Suffixed());
    const visit = await store.create({}, null);
    const { session, token } = await store.create({}, 'zed', { theme: 'dark' });
    expect([visit.session.id, session.id]).toEqual([
      expect.stringMatching(/^.{26}00$/),
      expect.stringMatching(/^.{26}ZE$/),
    ]);
    expect(token.sessionId).toBe(session.id);
    const next = await store.rotateToken(session.id);
    expect((await store.readByToken(next.reveal()))?.data).toEqual({ theme: 'dark' });
    expect(await store.readByToken(token.reveal())).toBeNull(); // reuse: it ends the session
    expect(await store.read(session.id)).toBeNull();
  });

  it('is told when no token has room for it, and nothing is stored', async () => {
    class Odd extends OpenMemoryBackend {
      override idSuffix(): string {
        return 'user';
      }
    }
    const { store, backend } = openStore({}, new Odd());
    await expect(store.create({}, 'ada')).rejects.toThrow(
      "expected '' or two characters of Crockford's base 32, got 'user'",
    );
    expect(backend.stored.size).toBe(0);
  });
});

describe('a storage that builds the row more than once', () => {
  class Twice extends OpenMemoryBackend {
    readonly built: Array<SessionRow | null> = [];
    first = true;

    override insert(request: InsertRequest): Promise<InsertResult> {
      const build: InsertRequest['build'] = (replaced) => {
        const rows = [request.build(replaced), request.build(replaced)];
        this.built.push(...rows);
        return rows[this.first ? 0 : 1] ?? null;
      };
      return super.insert({ ...request, build });
    }
  }

  it.each([true, false])(
    'gets one id with two versions; the token is that of the one it stores: %p',
    async (first) => {
      const { store, backend } = openStore({}, new Twice());
      backend.first = first;
      const { session, token } = await store.create({}, null, { theme: 'dark' });
      const [one, other] = backend.built;
      expect([one?.id, other?.id]).toEqual([session.id, session.id]);
      expect(one?.version).not.toBe(other?.version);
      expect(one?.tokenHash).not.toBe(other?.tokenHash);
      expect((await store.readByToken(token))?.data).toEqual({ theme: 'dark' });
    },
  );
});

describe('a storage that stores nothing, and says that the id is taken', () => {
  class Full extends OpenMemoryBackend {
    readonly ids = new Set<string>();
    inserts = 0;

    override async insert(request: InsertRequest): Promise<InsertResult> {
      this.ids.add(String(request.build(null)?.id));
      return ++this.inserts <= 10 ? { status: 'taken' } : super.insert(request);
    }
  }

  it('is asked ten times, under ten ids; then the sign-in fails, and the next one is tried again', async () => {
    const { store, backend, logger } = openStore({}, new Full());
    const failing = store.create({}, 'ada');
    await expect(failing).rejects.toThrow(SessionStoreError);
    await expect(failing).rejects.toThrow('storage takes the INSERT of a session and stores nothing.');
    expect([backend.inserts, backend.ids.size]).toEqual([10, 10]);
    expect(logger.errors).toEqual([expect.stringContaining('look for a trigger')]);
    expect((await store.create({}, 'ada')).session.userId).toBe('ada');
  });

  it('is asked as often for a value under a key', async () => {
    const { store, backend } = openStore({}, new Full());
    const state = { userId: null, data: { n: 1 } };
    await expect(store.put('key', state, '1h')).rejects.toThrow(SessionStoreError);
    expect([backend.inserts, backend.ids.size]).toEqual([10, 1]);
    expect((await store.put('key', state, '1h')).data).toEqual({ n: 1 });
  });
});

describe('a sign-in', () => {
  it('stores a new session with a new id and token, and ends the old one, in one step', async () => {
    const { store, backend, visit, visitToken, signIn } = await openVisited();
    const { row, token } = await signIn();
    expect(row.id).not.toBe(visit.id);
    expect([...backend.stored.keys()]).toEqual([row.id]);
    expect(await store.readByToken(visitToken)).toBeNull();
    expect(await store.readByToken(token)).toMatchObject({
      userId: 'ada',
      data: { cart: ['book'], theme: 'dark' },
      meta: { ip: '192.0.2.1' },
      authenticatedAt: new Date(START),
    });
  });

  it('is not a rotation: the old token belongs to no session, and ends none when it comes back', async () => {
    const { store, clock, visitToken, signIn } = await openVisited();
    const { token } = await signIn();
    clock.advance('10m');
    expect(await store.readByToken(visitToken)).toBeNull();
    expect(await store.readByToken(token)).not.toBeNull();
  });

  it('carries over what is stored, with the changes of the request, and sets its own data last', async () => {
    const { store, visit, signIn } = await openVisited();
    await store.flush(visit.id, { cart: ['book', 'pen'] }, START, START + HOUR, { cart: ['book'] });
    const changes = {
      ...UNCHANGED,
      set: { theme: 'light', greeted: false },
      remove: ['lang'],
      flashesAdded: [{ id: 'f', kind: 'info', text: 'Welcome' }],
    };
    const { content } = await signIn({ changes, data: { greeted: true } });
    expect(content.data).toEqual({ cart: ['book', 'pen'], theme: 'light', greeted: true });
    expect(content.flashes).toEqual(changes.flashesAdded);
  });

  it('carries over nothing that is stored when the request replaced it', async () => {
    const { signIn } = await openVisited();
    const { content } = await signIn({ changes: { ...UNCHANGED, replace: true, set: { only: 'this' } } });
    expect(content.data).toEqual({ only: 'this' });
  });

  it('of the same user once more carries over', async () => {
    const { store, signIn } = await openVisited();
    const { row } = await signIn({ data: { step: 1 } });
    const { content } = await signIn({ previousId: row.id });
    expect(content.data).toMatchObject({ cart: ['book'], step: 1 });
    expect(await store.listForUser('ada')).toHaveLength(1);
  });

  it('of another user carries over nothing, neither stored nor of the request, and ends the old session', async () => {
    const { store, signIn } = await openVisited();
    const { row, content: before } = await signIn();
    const { content } = await signIn({
      userId: 'bob',
      previousId: row.id,
      changes: { ...UNCHANGED, set: { secret: 'of ada' } },
      data: { own: true },
    });
    const kin = expect.not.stringMatching(String(before.marks?.kin)) as string;
    expect(content).toEqual({
      data: { own: true },
      flashes: [],
      meta: { ip: '192.0.2.1' },
      marks: { kin },
    });
    expect(await store.listForUser('ada')).toEqual([]);
  });

  it.each<[string, (opened: Awaited<ReturnType<typeof openVisited>>) => unknown]>([
    ['is gone', ({ store, visit }) => store.delete(visit.id)],
    ['has expired', ({ clock }) => clock.advance('1h')],
    ['does not open', ({ backend, visit }) => backend.tamper(visit.id, { payload: Buffer.alloc(99, 2) })],
  ])('succeeds without carried data when the old session %s', async (_name, before) => {
    const opened = await openVisited();
    await before(opened);
    const { content, token } = await opened.signIn({ data: { own: true } });
    expect(content.data).toEqual({ own: true });
    expect(await opened.store.readByToken(token)).not.toBeNull();
    expect(opened.backend.stored.size).toBe(1);
  });

  it('fails, and changes nothing, when the key of the old session is not configured', async () => {
    const { backend, visit } = await openVisited({ key: OTHER_KEY });
    const { store } = openStore({ key: KEY }, backend);
    await expect(store.manager.create({ ...SIGN_IN, previousId: visit.id })).rejects.toThrow(
      SessionStoreError,
    );
    expect([...backend.stored.keys()]).toEqual([visit.id]);
  });

  it('by a double click makes two sessions, one of which carries over', async () => {
    const { store, signIn } = await openVisited();
    const [first, second] = await Promise.all([signIn(), signIn()]);
    expect(first.content.data).toEqual({ cart: ['book'], theme: 'dark' });
    expect(second.content.data).toEqual({});
    expect(await store.listForUser('ada')).toHaveLength(2);
  });

  it('keeps the limit, in which the session that it replaces does not count', async () => {
    const { store, signIn } = await openVisited({ maxPerUser: 1, onLimit: 'reject' });
    const { row } = await signIn();
    const again = await signIn({ previousId: row.id });
    expect((await store.listForUser('ada')).map(({ id }) => id)).toEqual([again.row.id]);
    await expect(signIn()).rejects.toThrow(SessionLimitError);
  });

  it('that is refused leaves the old session as it was', async () => {
    const { store, visit, signIn } = await openVisited({ maxPerUser: 1, onLimit: 'reject' });
    await store.create({}, 'ada');
    await expect(signIn()).rejects.toThrow(SessionLimitError);
    expect(await store.load(visit.id)).toEqual(visit);
  });

  it('tells its events with the address of the client', async () => {
    const { store, visit, signIn } = await openVisited();
    const events = recordEvents(store);
    const { row } = await signIn();
    const event = { sessionId: row.id, userId: 'ada', at: new Date(START), ip: '192.0.2.1' };
    expect(events).toEqual([
      { name: 'created', ...event },
      { name: 'authenticated', ...event },
      { name: 'revoked', ...event, sessionId: visit.id, userId: null, reason: 'replaced' },
    ]);
  });
});

describe('the lifetimes of a sign-in', () => {
  const options = { ttl: '1h', absoluteTtl: '7d', remember: { ttl: '10d', absoluteTtl: '20d' } };

  it.each([
    [undefined, HOUR, 7 * DAY, true],
    [true, 10 * DAY, 20 * DAY, true],
    [false, HOUR, 7 * DAY, false],
  ])('with `remember: %p`', async (remember, idleTtl, absoluteTtl, persistent) => {
    const { signIn } = await openVisited(options);
    const { row } = await signIn({ remember });
    expect(row).toMatchObject({ idleTtl, persistent, absoluteExpiresAt: START + absoluteTtl });
    expect(row.expiresAt).toBe(START + idleTtl);
  });

  it('stay with the session: use extends by its own idle timeout', async () => {
    const { store, clock, signIn } = await openVisited(options);
    const { row } = await signIn({ remember: true });
    clock.advance('9d');
    store.parts.touches.record(row);
    await store.manager.drain();
    expect((await store.load(row.id))?.expiresAt).toEqual(new Date(START + 19 * DAY));
  });

  it('end with `notAfter`, when that is earlier', async () => {
    const { signIn } = await openVisited();
    const { row } = await signIn({ notAfter: new Date(START + 10 * MINUTE) });
    expect(row).toMatchObject({ absoluteExpiresAt: START + 10 * MINUTE, expiresAt: START + 10 * MINUTE });
    const later = await signIn({ notAfter: new Date(START + 900 * DAY) });
    expect(later.row.absoluteExpiresAt).toBe(START + 30 * DAY);
  });

  it.each<[unknown, string]>([
    [new Date(START), '`notAfter`: expected a Date in the future, got one that is past'],
    [
      new Date('never'),
      '`notAfter`: expected a Date, or milliseconds since the Unix epoch, got Invalid Date',
    ],
    ['tomorrow', '`notAfter`: expected a Date, or milliseconds since the Unix epoch, got tomorrow'],
  ])('refuse a `notAfter` of %p, and change nothing: no outage, but a mistake', async (notAfter, message) => {
    const { store, logger, visit, signIn } = await openVisited();
    await expect(signIn({ notAfter: notAfter as Date })).rejects.toThrow(SessionDataError);
    await expect(signIn({ notAfter: notAfter as Date })).rejects.toThrow(message);
    expect(await store.load(visit.id)).toEqual(visit);
    expect(logger.errors).toEqual([]);
  });
});
