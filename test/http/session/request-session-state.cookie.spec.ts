import { SessionConflictError, SessionGoneError } from '../../../src/core/session-errors.js';
import type { SessionToken } from '../../../src/core/session-token.js';
import { CrossSiteRequestException } from '../../../src/http/errors/exceptions.js';
import { endCurrent } from '../../../src/http/session/end-session.js';
import type { RequestSessionState } from '../../../src/http/session/request-session-state.js';
import { reauthenticate, signIn } from '../../../src/http/session/sign-in.js';
import { openRequests, type RequestKind, staleToken } from './support/open-requests.js';

type Requests = ReturnType<typeof openRequests>;
type Open = (requests: Requests) => RequestSessionState | Promise<RequestSessionState>;
type Act = (state: RequestSessionState, requests: Requests) => Promise<unknown>;

const visitor: Open = ({ visit }) => visit();
const withCookie: Open = async ({ bring, signedIn }) => bring(await signedIn());
const withStaleCookie: Open = async (requests) => requests.bring(await staleToken(requests));
const withBearer: Open = async ({ bring, signedInByBearer }) =>
  bring(await signedInByBearer(), { isBearer: true });

const byCookie: Act = (state) => signIn(state, 'ada', {});
const byBearer: Act = (state) => signIn(state, 'ada', { transport: 'bearer' });
const bobByBearer: Act = (state) => signIn(state, 'bob', { transport: 'bearer' });
const keepSomething: Act = (state) => ((state.copy.data['a'] = 1), state.save());
const signOut: Act = (state) => endCurrent(state, 'logout');
/** Its session ends on another device, and then here. */
const signOutLate: Act = async (state, { store }) => {
  await store.delete(state.presentId ?? '');
  await endCurrent(state, 'logout');
};

describe('the cookie that a response owes', () => {
  it.each<[cookie: 'set' | 'remove' | null, who: string, what: string, open: Open, acts: readonly Act[]]>([
    [null, 'a visitor', 'nothing', visitor, []],
    ['set', 'a visitor', 'signing in', visitor, [byCookie]],
    ['set', 'a visitor', 'keeping something', visitor, [keepSomething]],
    [null, 'a visitor', 'signing in by bearer', visitor, [byBearer]],
    [null, 'a visitor', 'signing out', visitor, [signOut]],
    ['remove', 'a visitor', 'signing in and out', visitor, [byCookie, signOut]],
    [null, 'a visitor', 'signing in and out, and in by bearer', visitor, [byCookie, signOut, byBearer]],
    [null, 'the cookie of a session', 'nothing', withCookie, []],
    [null, 'the cookie of a session', 'keeping something', withCookie, [keepSomething]],
    ['set', 'the cookie of a session', 'signing in', withCookie, [byCookie]],
    ['set', 'the cookie of a session', 'proving again', withCookie, [reauthenticate]],
    ['remove', 'the cookie of a session', 'signing out', withCookie, [signOut]],
    ['remove', 'the cookie of a session', 'signing out twice', withCookie, [signOut, signOut]],
    ['set', 'the cookie of a session', 'signing out and in', withCookie, [signOut, byCookie]],
    ['set', 'the cookie of a session', 'signing out and keeping', withCookie, [signOut, keepSomething]],
    ['remove', 'the cookie of a session', 'signing in by bearer', withCookie, [byBearer]],
    ['remove', 'the cookie of a session', 'signing out and in by bearer', withCookie, [signOut, byBearer]],
    ['remove', 'the cookie of a session', 'that, and out again', withCookie, [byBearer, signOut]],
    [null, 'the cookie of a session', 'signing out too late', withCookie, [signOutLate]],
    [null, 'the cookie of a session', 'that, and in by bearer', withCookie, [signOutLate, bobByBearer]],
    ['set', 'a cookie that is not served', 'signing in', withStaleCookie, [byCookie]],
    ['remove', 'a cookie that is not served', 'signing in by bearer', withStaleCookie, [byBearer]],
    ['remove', 'a cookie that is not served', 'signing out', withStaleCookie, [signOut]],
    [null, 'a cookie that is not served', 'signing out too late', withStaleCookie, [signOutLate]],
    [null, 'a bearer token', 'keeping something', withBearer, [keepSomething]],
    [null, 'a bearer token', 'signing out', withBearer, [signOut]],
    [null, 'a bearer token', 'signing in by bearer', withBearer, [byBearer]],
    [null, 'a bearer token', 'signing out and in by bearer', withBearer, [signOut, byBearer]],
    ['set', 'a bearer token', 'signing in by cookie', withBearer, [byCookie]],
  ])('is %s, of %s after %s', async (kind, _who, _what, open, acts) => {
    const requests = openRequests();
    const state = await open(requests);
    for (const act of acts) await act(state, requests);
    expect(state.cookie?.kind ?? null).toBe(kind);
    const { cookie, stored } = state;
    if (cookie?.kind !== 'set') return;
    expect(cookie.row).toBe(stored?.row);
    expect((await requests.store.readByToken(cookie.token))?.id).toBe(stored?.row.id);
  });

  it('is none of a bearer token that is renewed: the app hands that out', async () => {
    const requests = openRequests();
    const state = await withBearer(requests);
    const { stored } = state;
    const { token, changed } = await requests.store.manager.renew(stored!);
    state.renewed(token, { ...stored!, row: { ...stored!.row, ...changed } });
    expect(state.cookie).toBeNull();
    expect(state.stored?.row.tokenHash).toBe(token.hash);
  });

  it('is left alone by a sign-out that finds nothing to end any more', () => {
    const state = openRequests().visit();
    state.ended({ by: 'this-request' });
    expect(state.cookie).toBeNull();
  });
});

describe('a session that ended', () => {
  it('by this request leaves an empty one in which everything may begin, for the same user too', async () => {
    const requests = openRequests();
    const state = await withCookie(requests);
    state.copy.data['unsaved'] = 1;
    await signOut(state, requests);
    expect([state.stored, state.presentId, state.endedUserId, state.status]).toEqual([
      null,
      null,
      null,
      'clean',
    ]);
    await byCookie(state, requests);
    expect(state.stored?.row.userId).toBe('ada');
    expect(await requests.dataOf(state.stored!.row.id)).toEqual({});
  });

  it('by another request is signed in to again by a request of its own alone', async () => {
    const requests = openRequests();
    const state = await withCookie(requests);
    await signOutLate(state, requests);
    expect([state.stored, state.presentId, state.endedUserId]).toEqual([null, null, 'ada']);
    state.ended({ by: 'another' });
    expect(state.endedUserId).toBe('ada');
    await expect(byCookie(state, requests)).rejects.toThrow(SessionGoneError);
    await signIn(state, 'bob', {});
    expect(state.stored?.row.userId).toBe('bob');
  });
});

describe('a session that would begin', () => {
  const straggler: Open = async (requests) => {
    const state = await withCookie(requests);
    await signOutLate(state, requests);
    return state;
  };
  const afterSignOut: Open = async (requests) => {
    const state = await withCookie(requests);
    await signOut(state, requests);
    return state;
  };
  const asked =
    (kind: RequestKind): Open =>
    ({ visit }) =>
      visit(kind);
  const data: Act = (state) => ((state.copy.data['a'] = 1), state.save());
  const message: Act = (state) => (state.copy.addFlash({ id: '1', kind: 'k', text: 't' }), state.save());
  const nothing: Act = (state) => (state.copy.replace({}), state.save());
  const updated: Act = (state) => state.update((all) => void (all['a'] = 1));
  const updatedNothing: Act = (state) => state.update(() => undefined);
  const foreign: RequestKind = { refusalOf: () => new CrossSiteRequestException() };

  it.each<[does: string, who: string, what: string, open: Open, act: Act]>([
    ['begins', 'a visitor', 'data', visitor, data],
    ['begins', 'a visitor', 'a message', visitor, message],
    ['begins', 'a visitor', 'an update', visitor, updated],
    ['is dropped', 'a visitor', 'nothing in it', visitor, nothing],
    ['is dropped', 'a visitor', 'an update of nothing', visitor, updatedNothing],
    ['begins', 'whoever signed out just now', 'data', afterSignOut, data],
    ['begins', 'whoever signed out just now', 'a message', afterSignOut, message],
    ['is dropped', 'a visit whose cookie is withheld', 'data', asked({ isCookieWithheld: true }), data],
    [
      'is dropped',
      'a visit whose cookie is withheld',
      'a message',
      asked({ isCookieWithheld: true }),
      message,
    ],
    ['is refused', 'a page of another site', 'data', asked(foreign), data],
    ['is refused', 'a page of another site', 'a message', asked(foreign), message],
    ['is gone', 'a straggler', 'data', straggler, data],
    ['is gone', 'a straggler', 'an update', straggler, updated],
    ['is dropped', 'a straggler', 'a message', straggler, message],
    ['is gone', 'a token that is not served', 'data', withStaleCookie, data],
    ['is dropped', 'a token that is not served', 'a message', withStaleCookie, message],
    ['is gone', 'a dead bearer token', 'data', asked({ isBearer: true }), data],
    ['is dropped', 'a dead bearer token', 'a message', asked({ isBearer: true }), message],
  ])('%s: of %s, with %s', async (does, _who, _what, open, act) => {
    const requests = openRequests();
    const state = await open(requests);
    const before = requests.backend.count('insert');
    const outcome = await act(state, requests).catch((error: unknown) => error);
    const begun = requests.backend.count('insert') - before;
    expect(begun).toBe(does === 'begins' ? 1 : 0);
    expect(state.stored === null).toBe(does !== 'begins');
    if (does === 'is gone') expect(outcome).toBeInstanceOf(SessionGoneError);
    else if (does === 'is refused') expect(outcome).toBeInstanceOf(CrossSiteRequestException);
    else expect(outcome).toBe(act === data || act === message || act === nothing ? begun === 1 : undefined);
    if (does === 'begins') expect(state.status).toBe('clean');
    if (does === 'is dropped' && act !== nothing) {
      expect([state.status, state.copy.data]).toEqual(['clean', {}]);
      expect(state.copy.readFlashes()).toEqual([]);
    }
  });

  it('cannot once the head of the response has left: nothing could carry its cookie', async () => {
    const { visit, backend } = openRequests();
    const state = visit();
    state.requireCookie('start a session');
    state.commit();
    await expect(data(state, openRequests())).rejects.toThrow(SessionConflictError);
    await expect(byCookie(state, openRequests())).rejects.toThrow(/Cannot sign in: the response has already/);
    expect(backend.count('insert')).toBe(0);
  });

  it('holds what the request made, for nobody, about the client of the request', async () => {
    const { visit, store } = openRequests();
    const checked: unknown[] = [];
    const state = visit({
      persistent: false,
      describeClient: () => ({ device: 'phone' }),
      checkData: (...args) => void checked.push(args),
    });
    state.copy.data['a'] = 1;
    await state.save();
    const token: SessionToken | null = state.cookie?.kind === 'set' ? state.cookie.token : null;
    expect(await store.readByToken(token!)).toMatchObject({ userId: null, meta: { device: 'phone' } });
    expect(state.stored?.row.persistent).toBe(false);
    expect(checked).toEqual([[{}, { a: 1 }, null]]);
  });
});
