import type { ActiveSession, ListActiveOptions } from '../../src/core/active-sessions.js';
import type { WalkResult, WalkStep } from '../../src/core/session-backend.js';
import { SessionDataError, SessionStoreError } from '../../src/core/session-errors.js';
import type { SessionStore } from '../../src/core/session-store.js';
import { OpenMemoryBackend, WrappedBackend } from './support/backends.js';
import { HOUR, KEY, MINUTE, openStore, OTHER_KEY, START } from './support/open-store.js';

/** All pages, with what each of them is limited to; what a caller writes. */
async function walk(store: SessionStore, options: ListActiveOptions = {}): Promise<ActiveSession[][]> {
  const pages: ActiveSession[][] = [];
  for (let after: string | null = null; ;) {
    const { sessions, next } = await store.listActive({ ...options, after });
    pages.push([...sessions]);
    if (next === null) return pages;
    after = next;
  }
}

const idsOf = (pages: readonly (readonly ActiveSession[])[]): string[] => pages.flat().map(({ id }) => id);

/** How many rows each step of a walk was to look at. */
class RecordedWalks extends OpenMemoryBackend {
  readonly sizes: number[] = [];

  override walk(step: WalkStep): Promise<WalkResult> {
    this.sizes.push(step.batchSize);
    return super.walk(step);
  }
}

/** Signs so many users in, one a minute. */
async function openWith(count: number) {
  const opened = openStore({ ttl: '12h' }, new WrappedBackend(new OpenMemoryBackend()));
  const ids: string[] = [];
  for (let n = 0; n < count; n++) {
    ids.push((await opened.store.create({ device: n }, `user-${n}`, { secret: 'a customer' })).session.id);
    opened.clock.advance('1m');
  }
  return { ...opened, ids };
}

describe('listActive', () => {
  it('tells of each session what the documentation says, and neither token nor data', async () => {
    const { store, clock, ids } = await openWith(1);
    const page = await store.listActive();
    expect(page).toEqual({
      sessions: [
        {
          id: ids[0],
          userId: 'user-0',
          createdAt: new Date(START),
          authenticatedAt: new Date(START),
          lastActiveAt: new Date(START),
          expiresAt: new Date(START + 12 * HOUR),
          absoluteExpiresAt: new Date(START + 30 * 24 * HOUR),
          meta: { device: 0 },
          integrity: 'intact',
        },
      ],
      next: null,
    });
    expect(page.sessions[0]).not.toHaveProperty('data');
    expect(clock.now()).toBe(START + MINUTE);
  });

  it('gives the sessions of everybody exactly once, whatever the size of a page', async () => {
    const { store, ids } = await openWith(10);
    expect(idsOf(await walk(store))).toEqual(ids);
    for (const limit of [1, 3, 5, 10, 1000]) {
      const pages = await walk(store, { limit });
      expect(idsOf(pages)).toEqual(ids);
      expect(Math.max(...pages.map(({ length }) => length))).toBe(Math.min(limit, 10));
    }
  });

  it('gives 100 on a page when no number is given', async () => {
    const { store } = await openWith(101);
    expect((await walk(store)).map(({ length }) => length)).toEqual([100, 1]);
  });

  it('is one empty page when nobody is there', async () => {
    expect(await openStore().store.listActive()).toEqual({ sessions: [], next: null });
  });

  it('leaves out what has expired, and fills the page with those behind it', async () => {
    const { store, clock, ids } = await openWith(10);
    clock.advance(12 * HOUR - 5 * MINUTE);
    expect(await walk(store, { limit: 3 })).toEqual([
      [6, 7, 8].map((n) => expect.objectContaining({ id: ids[n] })),
      [expect.objectContaining({ id: ids[9] })],
    ]);
  });

  it('gives those that were active since, that instant included', async () => {
    const { store, clock, ids } = await openWith(6);
    await store.touch(ids[1]!, clock.now(), clock.now() + HOUR);
    const since = async (minutes: number) =>
      idsOf(await walk(store, { limit: 2, activeSince: new Date(START + minutes * MINUTE) }));
    expect(await since(4)).toEqual([ids[1], ids[4], ids[5]]);
    expect(await since(6)).toEqual([ids[1]]);
    expect(await since(7)).toEqual([]);
    expect(idsOf(await walk(store, { activeSince: START + 5 * MINUTE }))).toEqual([ids[1], ids[5]]);
  });

  it('gives sessions of users, anonymous ones, or both', async () => {
    const { store, ids } = await openWith(2);
    const { session: anonymous } = await store.create({}, null);
    await store.put('a key', { userId: 'user-0', data: {} }, '1h');
    const found = async (authenticated?: boolean) => idsOf(await walk(store, { authenticated, limit: 1 }));
    expect(await found()).toEqual([...ids, anonymous.id, 'a key']);
    expect(await found(true)).toEqual([...ids, 'a key']);
    expect(await found(false)).toEqual([anonymous.id]);
  });

  it('gives those that stay exactly once, while others begin and end', async () => {
    const { store, clock, ids } = await openWith(9);
    const seen: string[] = [];
    for (let after: string | null = null; ;) {
      const { sessions, next } = await store.listActive({ after, limit: 2 });
      seen.push(...sessions.map(({ id }) => id));
      if (next === null) break;
      after = next;
      await store.delete(ids[0]!);
      await store.delete(ids[7]!);
      await store.flush(ids[3]!, { changed: seen.length }, clock.now(), clock.now() + HOUR);
      if (seen.length < 10) await store.create({}, 'late');
    }
    const stay = ids.filter((_, index) => index !== 0 && index !== 7);
    expect(seen.filter((id) => stay.includes(id))).toEqual(stay);
    expect(new Set(seen).size).toBe(seen.length);
  });

  it('has cursors that a URL can carry, whatever the id', async () => {
    const { store } = openStore();
    const keys = ['a&b=c', '\u{1F600}?', 'x'.repeat(255), 'ä/ö#'];
    for (const key of keys) await store.put(key, { userId: null, data: {} }, '1h');
    let after: string | null = null;
    const seen: string[] = [];
    do {
      const page: Awaited<ReturnType<typeof store.listActive>> = await store.listActive({ after, limit: 1 });
      seen.push(...page.sessions.map(({ id }) => id));
      after = page.next;
      expect(after ?? '').toMatch(/^[\w-]*$/);
    } while (after !== null);
    expect(seen.toSorted()).toEqual(keys.toSorted());
  });

  it('goes on from a session that has ended', async () => {
    const { store, ids } = await openWith(4);
    const { next } = await store.listActive({ limit: 2 });
    await store.delete(ids[1]!);
    expect((await store.listActive({ after: next })).sessions.map(({ id }) => id)).toEqual(ids.slice(2));
    const [first, , ...rest] = ids;
    expect((await store.listActive({ after: '' })).sessions.map(({ id }) => id)).toEqual([first, ...rest]);
  });

  it('marks rows that do not open, without meta, so that they can be ended', async () => {
    const { store, backend } = openStore({ key: [OTHER_KEY, KEY] });
    const foreign = await store.create({ ip: '192.0.2.1' }, 'ada');
    const { store: shrunk, clock } = openStore({ key: KEY }, backend);
    clock.advance('1m');
    const altered = await shrunk.create({ ip: '192.0.2.1' }, 'bob');
    backend.tamper(altered.session.id, { payload: Buffer.from('anything') });
    const { sessions } = await shrunk.listActive();
    expect(sessions.map(({ id, userId, meta, integrity }) => [id, userId, meta, integrity])).toEqual([
      [foreign.session.id, 'ada', {}, 'unknown-key'],
      [altered.session.id, 'bob', {}, 'tampered'],
    ]);
    for (const { id } of sessions) expect(await shrunk.delete(id)).toBe(true);
  });

  it('looks at what it gives, and further only where most are left out, in steps of 1000 rows', async () => {
    const backend = new RecordedWalks();
    const { store, clock } = openStore({ ttl: '12h', maxPerUser: false }, backend);
    for (let n = 0; n < 30; n++) {
      await store.create({}, 'ada');
      clock.advance('1m');
    }
    await store.listActive({ limit: 10 });
    expect(backend.sizes.splice(0)).toEqual([10]);
    const found = await store.listActive({ limit: 10, activeSince: clock.now() - 25 * MINUTE });
    expect(found.sessions).toHaveLength(10);
    expect(backend.sizes).toEqual([10, 1000]);
  });

  it('fails when storage does', async () => {
    const { store, backend } = await openWith(1);
    backend.around = (method, call) =>
      method === 'walk' ? Promise.reject(new Error('connection refused')) : call();
    await expect(store.listActive()).rejects.toThrow(SessionStoreError);
    await expect(store.listActive()).rejects.toThrow('Could not list active sessions: connection refused');
  });

  it.each<[string, unknown, string]>([
    ['limit', 0, 'expected an integer from 1 to 1000, got 0'],
    ['limit', 1001, 'expected an integer from 1 to 1000, got 1001'],
    ['limit', 1.5, 'expected an integer from 1 to 1000, got 1.5'],
    ['limit', Number.NaN, 'expected an integer from 1 to 1000, got NaN'],
    ['limit', '5', 'expected an integer from 1 to 1000, got a string'],
    ['limit', null, 'expected an integer from 1 to 1000, got null'],
    ['after', 'not one', 'expected the `next` of the page before, got a string'],
    ['after', 'YQ==', 'expected the `next` of the page before, got a string'],
    ['after', '_w', 'expected the `next` of the page before, got a string'],
    [
      'after',
      Buffer.from('a\0b').toString('base64url'),
      'expected the `next` of the page before, got a string',
    ],
    [
      'after',
      Buffer.from('x'.repeat(301)).toString('base64url'),
      'expected the `next` of the page before, got a',
    ],
    ['after', 7, 'expected the `next` of the page before, got 7'],
    ['after', ['YQ'], 'expected the `next` of the page before, got an array'],
    ['activeSince', '2030-01-01', 'expected a Date, or milliseconds since the Unix epoch, got'],
    ['activeSince', new Date(Number.NaN), 'expected a Date, or milliseconds since the Unix epoch, got'],
    ['activeSince', null, 'expected a Date, or milliseconds since the Unix epoch, got null'],
    ['authenticated', 'true', 'expected true or false, got a string'],
  ])('refuses %s: %p', async (name, value, message) => {
    const { store } = openStore();
    const refused = store.listActive({ [name]: value });
    await expect(refused).rejects.toThrow(SessionDataError);
    await expect(refused).rejects.toThrow(`\`${name}\`: ${message}`);
    await expect(refused).rejects.toMatchObject({ path: name, fault: 'input' }); // as a query may make it
  });

  it('refuses an unknown option, and what is no object', async () => {
    const { store } = openStore();
    await expect(store.listActive({ userId: 'ada' } as ListActiveOptions)).rejects.toThrow(
      "Unknown option of listActive: expected one of after, limit, activeSince, authenticated, got 'userId'",
    );
    await expect(store.listActive(null as never)).rejects.toThrow(
      'Options of listActive: expected an object, got null',
    );
  });
});
