import { SessionGoneError } from '../../../src/core/session-errors.js';
import {
  AuthenticationRequiredException,
  CrossSiteRequestException,
} from '../../../src/http/errors/exceptions.js';
import { endCurrent } from '../../../src/http/session/end-session.js';
import type { RequestSessionState } from '../../../src/http/session/request-session-state.js';
import { signIn } from '../../../src/http/session/sign-in.js';
import { HOUR, DAY, START } from '../../core/support/open-store.js';
import { openRequests, type RequestKind, staleToken } from './support/open-requests.js';

const FOREIGN: RequestKind = {
  isCrossSiteChange: true,
  refusalOf: () => new CrossSiteRequestException(),
};

describe('the status of a session', () => {
  const change = (state: RequestSessionState) => void (state.copy.data['a'] = 1);
  it.each<[string, string, (state: RequestSessionState) => unknown]>([
    ['clean', 'nothing was done with it', () => undefined],
    ['clean', 'its data was read', (state) => state.copy.data],
    ['clean', 'data was changed and changed back', (state) => (change(state), delete state.copy.data['a'])],
    ['clean', 'no step is due before saving', (state) => state.runBeforeSave({ isDue: false, run: fail })],
    ['changed', 'data was changed', change],
    ['changed', 'data is no JSON, which saving tells', (state) => void (state.copy.data['a'] = 1n as never)],
    ['changed', 'a message was added', (state) => state.copy.addFlash({ id: '1', kind: 'k', text: 't' })],
    ['changed', 'a step is due before saving', (state) => state.runBeforeSave({ isDue: true, run: fail })],
    ['busy', 'a step is under way', (state) => void state.save()],
    ['busy', 'a method that the app called is', (state) => void state.handOut(() => new Promise(() => {}))],
  ])('is %s when %s', async (status, _, act) => {
    const requests = openRequests();
    for (const state of [requests.visit(), await requests.bring(await requests.signedIn())]) {
      act(state);
      expect(state.status).toBe(status);
    }
  });

  it('is clean again once a method has ended, and busy when one failed that nobody awaited', async () => {
    const state = openRequests().visit();
    await state.handOut(() => Promise.resolve());
    expect(state.status).toBe('clean');
    void state.handOut(() => Promise.reject(new Error('of the app')));
    await state.runInTurn(() => Promise.resolve());
    expect(state.status).toBe('busy');
  });
});

const fail = () => Promise.reject(new Error('not to be run'));

describe('a request', () => {
  it.each<[isRead: boolean, isTouch: boolean, countsAsTouch: boolean | null, routes: readonly boolean[]]>([
    [true, true, true, []],
    [true, false, false, []],
    [false, false, null, []],
    [true, true, null, [true]],
    [true, false, null, [false]],
    [true, true, null, [true, false]],
    [true, true, null, [false, true]],
    [true, false, false, [false]],
    [true, true, false, [true]],
    [true, true, true, [false]],
  ])(
    'has read its session: %s, and used it: %s, where that counted as %s at first and routes said %j',
    async (isRead, isTouch, countsAsTouch, routes) => {
      const { store, clock, bring, signedIn, visit } = openRequests({ ttl: '24h', touchInterval: '5m' });
      const token = await signedIn();
      clock.advance('10m');
      const [state, visitor] = [await bring(token, { countsAsTouch }), visit({ countsAsTouch })];
      for (const one of [state, visitor]) {
        for (const route of routes) one.route(route);
        one.touchIfDue();
      }
      await store.manager.drain();
      expect([state.leave().isRead, visitor.leave().isRead]).toEqual([isRead, false]);
      const { lastActiveAt } = (await store.read(token.sessionId))!;
      expect(lastActiveAt.getTime() > START).toBe(isTouch);
    },
  );

  it.each<[isUsed: boolean, what: string, kind: RequestKind, act: (state: RequestSessionState) => void]>([
    [true, 'middleware reads it and no route comes', { countsAsTouch: null }, (state) => state.noteRead()],
    [false, 'a route is told not to count', {}, (state) => state.countAsTouch(false)],
    [true, 'it is told to count', { countsAsTouch: false }, (state) => state.countAsTouch(true)],
    [false, 'a page of another site asked for a change', FOREIGN, () => undefined],
    [false, 'it has ended meanwhile', {}, (state) => state.ended({ by: 'another' })],
  ])('uses its session: %s, when %s', async (isUsed, _, kind, act) => {
    const { store, clock, bring, signedIn } = openRequests();
    const token = await signedIn();
    clock.advance('10m');
    const state = await bring(token, kind);
    act(state);
    state.touchIfDue();
    await store.manager.drain();
    expect((await store.read(token.sessionId))!.lastActiveAt.getTime() > START).toBe(isUsed);
  });

  it('saves with the time of use where it counts as use, and without where it does not', async () => {
    const { store, clock, bring, signedIn } = openRequests();
    const token = await signedIn();
    clock.advance('10m');
    for (const [countsAsTouch, at] of [
      [false, START],
      [true, START + HOUR / 6],
    ] as const) {
      const state = await bring(token, { countsAsTouch });
      state.copy.data['counts'] = countsAsTouch;
      await state.save();
      expect(await store.read(token.sessionId)).toMatchObject({ lastActiveAt: new Date(at) });
    }
  });

  it('has read its session from the moment that it is handed out', async () => {
    const { visit } = openRequests();
    const state = visit({ countsAsTouch: null });
    state.noteRead();
    expect(state.leave().isRead).toBe(true);
    state.route(true);
    expect(state.leave().isRead).toBe(true);
  });
});

describe('the present session', () => {
  it('is the stored one, or else the one whose token is not served, or none', async () => {
    const requests = openRequests();
    const token = await requests.signedIn({ n: 1 });
    const served = await requests.bring(token);
    expect([served.presentId, served.stored?.row.id]).toEqual([token.sessionId, token.sessionId]);
    expect(served.copy.data).toEqual({ n: 1 });
    const stale = await staleToken(requests);
    const unserved = await requests.bring(stale);
    expect([unserved.presentId, unserved.stored]).toEqual([stale.sessionId, null]);
    expect(unserved.copy.data).toEqual({});
    const visitor = requests.visit();
    expect([visitor.presentId, visitor.stored]).toEqual([null, null]);
    expect(visitor.copy.data).toEqual({});
  });

  it('shows whom it belongs to, even when it has ended, for the page may show them still', async () => {
    const { bring, signedIn, visit, store } = openRequests();
    const shown = (state: RequestSessionState) => state.leave().userId;
    const token = await signedIn();
    expect(shown(await bring(token))).toBe('ada');
    const state = await bring(token);
    await endCurrent(state, 'logout');
    expect(shown(state)).toBe('ada');
    expect(shown(visit())).toBeNull();
    const visitor = visit();
    await signIn(visitor, 'bob', {});
    expect(shown(visitor)).toBe('bob');
    const { token: anonymous } = await store.create({}, null);
    expect(shown(await bring(anonymous))).toBeNull();
  });

  it('says how long its cookie lives; one that is not stored, how long it would', async () => {
    const { bring, store, clock, visit } = openRequests({ absoluteTtl: '7d' });
    const { token } = await store.create({}, 'ada');
    clock.advance('1h');
    expect((await bring(token, { persistent: false })).cookieLife).toMatchObject({
      persistent: true,
      createdAt: START,
      absoluteExpiresAt: START + 7 * DAY,
    });
    expect(visit({ persistent: false }).cookieLife).toEqual({
      persistent: false,
      createdAt: START + HOUR,
      absoluteExpiresAt: START + HOUR + 7 * DAY,
    });
  });
});

describe('a request that a page of another site sent', () => {
  it('is refused with its session, and what middleware changed is forgotten', async () => {
    const { bring, signedIn } = openRequests();
    const state = await bring(await signedIn({ n: 1 }), FOREIGN);
    state.copy.data['n'] = 2;
    expect(() => state.admit()).toThrow(CrossSiteRequestException);
    expect(state.copy.data).toEqual({ n: 1 });
  });

  it('is refused with a token that leads to a session without being served', async () => {
    const requests = openRequests();
    const state = await requests.bring(await staleToken(requests), FOREIGN);
    expect(() => state.admit()).toThrow(CrossSiteRequestException);
  });

  it('is served where it brings no session, until it would begin or change one', async () => {
    const requests = openRequests();
    const visitor = requests.visit(FOREIGN);
    visitor.admit();
    visitor.copy.data['a'] = 1;
    await expect(visitor.save()).rejects.toThrow(CrossSiteRequestException);
    const token = await requests.signedIn();
    const state = await requests.bring(token, FOREIGN);
    state.copy.data['a'] = 1;
    await expect(state.save()).rejects.toThrow(CrossSiteRequestException);
    await expect(state.update((data) => void (data['a'] = 1))).rejects.toThrow(CrossSiteRequestException);
    expect(await requests.dataOf(token.sessionId)).toEqual({});
    expect(requests.backend.count('insert')).toBe(1);
  });

  it('is one by the facts of the request that the platform has made since', async () => {
    const { bring, signedIn, factsOf } = openRequests();
    const state = await bring(await signedIn());
    state.admit();
    expect(state.copy.data).toEqual({});
    const { countsAsTouch: _, ...foreign } = FOREIGN;
    state.replaceFacts(factsOf(foreign));
    expect(() => state.admit()).toThrow(CrossSiteRequestException);
  });
});

describe('the failure of a request', () => {
  it.each([
    ['an error of sessions', true, new SessionGoneError('ended')],
    ['an answer', true, new AuthenticationRequiredException('authentication_required')],
    ['an error of the app', false, new Error('bug')],
  ])('is %s that a method threw: %s', async (_, isNoted, error) => {
    const state = openRequests().visit();
    expect(state.leave().failure).toBeNull();
    await expect(state.handOut(() => Promise.reject(error))).rejects.toThrow(error.message);
    expect(state.leave().failure).toBe(isNoted ? error : null);
  });
});
