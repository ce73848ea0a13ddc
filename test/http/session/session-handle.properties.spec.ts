import { onEachPlatform, START } from '../../support/open-app.js';
import { BASICS, seenBy, type Seen } from '../../support/session-routes.js';
import { rowsOf } from '../../support/storage.js';

const HOUR = 3_600_000;
const at = (offset: number): string => new Date(START + offset).toISOString();

onEachPlatform('the properties of a session', (open) => {
  it('are those of nobody while nothing is stored', async () => {
    const { browser, storage } = await open({ routes: BASICS });
    const reply = await browser().get('/do/see');
    expect(reply.json()).toEqual({
      id: null,
      userId: null,
      isAuthenticated: false,
      isNew: true,
      createdAt: null,
      authenticatedAt: null,
      lastActiveAt: null,
      expiresAt: null,
      meta: {},
      data: {},
    });
    expect(reply.setCookies).toEqual([]);
    expect(storage.calls).toEqual([]);
  });

  it('have no id until changed data is stored, and a ULID from then on', async () => {
    const { browser } = await open({
      routes: {
        ...BASICS,
        save: async ({ session }) => {
          session.data['n'] = 1;
          const before = { id: session.id, isNew: session.isNew };
          await session.save();
          return { before, after: { id: session.id, isNew: session.isNew } };
        },
      },
    });
    const visitor = browser();
    const { before, after } = (await visitor.get('/do/save')).json<Record<'before' | 'after', Seen>>();
    expect(before).toEqual({ id: null, isNew: true });
    expect(after).toEqual({ id: expect.stringMatching(/^[0-9A-HJKMNP-TV-Z]{26}$/) as string, isNew: false });
    expect((await seenBy(visitor)).id).toBe(after.id);
  });

  it('of an anonymous session name its instants, and no user', async () => {
    const { browser } = await open({ routes: BASICS, options: { anonymousTtl: '2h' } });
    const visitor = browser();
    await visitor.post('/do/set', { theme: 'dark' });
    expect(await seenBy(visitor)).toMatchObject({
      userId: null,
      isAuthenticated: false,
      isNew: false,
      createdAt: at(0),
      authenticatedAt: null,
      lastActiveAt: at(0),
      expiresAt: at(2 * HOUR),
      data: { theme: 'dark' },
    });
  });

  it('of a signed-in session are there as soon as `authenticate` resolves, and in later requests', async () => {
    const { browser } = await open({ routes: BASICS });
    const ada = browser();
    const signedIn = (await ada.post('/do/in')).json<Seen>();
    expect(signedIn).toMatchObject({
      userId: 'ada',
      isAuthenticated: true,
      isNew: false,
      createdAt: at(0),
      authenticatedAt: at(0),
      lastActiveAt: at(0),
      expiresAt: at(24 * HOUR),
    });
    expect(await seenBy(ada)).toEqual(signedIn);
  });

  it('show the last recorded use and the expiry that it moved; the sign-in stays', async () => {
    const { browser, clock, store } = await open({ routes: BASICS });
    const ada = browser();
    await ada.post('/do/in');
    clock.advance('1h');
    expect(await seenBy(ada)).toMatchObject({ lastActiveAt: at(0), expiresAt: at(24 * HOUR) });
    await store.manager.drain();
    expect(await seenBy(ada)).toMatchObject({
      createdAt: at(0),
      authenticatedAt: at(0),
      lastActiveAt: at(HOUR),
      expiresAt: at(25 * HOUR),
    });
  });

  it('never name an expiry past the absolute one', async () => {
    const { browser } = await open({ routes: BASICS, options: { ttl: '24h', absoluteTtl: '3h' } });
    expect((await browser().post('/do/in')).json()).toMatchObject({ expiresAt: at(3 * HOUR) });
  });

  it('are those of nobody again after the idle timeout', async () => {
    const { browser, clock } = await open({ routes: BASICS });
    const ada = browser();
    await ada.post('/do/in');
    clock.advance('24h');
    expect(await seenBy(ada)).toMatchObject({ id: null, userId: null, isNew: true, expiresAt: null });
  });

  it('hold instants as Dates, and give new ones each time', async () => {
    const { browser } = await open({
      routes: {
        dates: async ({ session }) => {
          await session.authenticate('ada');
          session.expiresAt?.setFullYear(1999);
          const { createdAt, authenticatedAt, lastActiveAt, expiresAt } = session;
          const all = [createdAt, authenticatedAt, lastActiveAt, expiresAt];
          return {
            dates: all.filter((one) => one instanceof Date).length,
            year: expiresAt?.getUTCFullYear(),
          };
        },
      },
    });
    expect((await browser().get('/do/dates')).json()).toEqual({ dates: 4, year: 2030 });
  });

  it('cannot be assigned, but for `data`', async () => {
    const { browser, storage } = await open({
      routes: {
        ...BASICS,
        forge: ({ session }) => ({
          forged: ['id', 'userId', 'isAuthenticated', 'isNew', 'expiresAt', 'meta'].filter((name) =>
            Reflect.set(session, name, 'mallory'),
          ),
        }),
      },
    });
    const ada = browser();
    await ada.post('/do/in');
    expect((await ada.post('/do/forge')).json()).toEqual({ forged: [] });
    expect(rowsOf(storage).map(({ userId }) => userId)).toEqual(['ada']);
  });

  it.each([
    ['a number', 42, '42'],
    ['a bigint', 9_007_199_254_740_993n, '9007199254740993'],
    ['a string', 'Ada Löve', 'Ada Löve'],
  ])('give the user id back as a string when it was %s', async (_, userId, text) => {
    const { browser } = await open({
      routes: { ...BASICS, number: ({ session }) => session.authenticate(userId) },
    });
    const ada = browser();
    await ada.get('/do/number');
    expect((await seenBy(ada)).userId).toBe(text);
  });
});
