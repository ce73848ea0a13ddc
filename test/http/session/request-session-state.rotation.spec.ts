import { endCurrent } from '../../../src/http/session/end-session.js';
import type { RequestSessionState } from '../../../src/http/session/request-session-state.js';
import { reauthenticate, signIn } from '../../../src/http/session/sign-in.js';
import { openRequests, type RequestKind } from './support/open-requests.js';

/** A request with a token that is older than `every`. */
async function bringOld(kind?: RequestKind) {
  const requests = openRequests();
  const token = await requests.signedIn();
  requests.clock.advance('15m');
  const state = await requests.bring(token, kind);
  requests.backend.calls.length = 0;
  return { ...requests, token, state };
}

describe('a response', () => {
  it('carries a new token of the same session once the presented one is old enough', async () => {
    const { state, store, token } = await bringOld();
    expect(state.isRotationDue).toBe(true);
    await state.rotateIfDue();
    expect(state.cookie).toMatchObject({ kind: 'set', row: { id: token.sessionId } });
    const next = state.cookie?.kind === 'set' ? state.cookie.token : token;
    expect(next.reveal()).not.toBe(token.reveal());
    expect((await store.readByToken(next))?.id).toBe(token.sessionId);
  });

  it('carries none of a token that is young, unless it is asked for', async () => {
    const { bring, signedIn, backend } = openRequests();
    const state = await bring(await signedIn());
    expect(state.isRotationDue).toBe(false);
    await state.rotateIfDue();
    expect([state.cookie, backend.count('changeToken')]).toEqual([null, 0]);
    state.wantRotation();
    expect(state.isRotationDue).toBe(true);
    await state.rotateIfDue();
    expect(state.cookie).toMatchObject({ kind: 'set' });
  });

  it.each<[string, RequestKind, (state: RequestSessionState) => unknown]>([
    ['nothing has read the session', { countsAsTouch: null }, () => undefined],
    ['a page of another site asked for a change', { isCrossSiteChange: true }, () => undefined],
    ['another request has ended the session', {}, (state) => state.ended({ by: 'another' })],
  ])('carries none where %s, however old the token is', async (_, kind, act) => {
    const { state, backend, log } = await bringOld(kind);
    act(state);
    expect(state.isRotationDue).toBe(false);
    await state.rotateIfDue();
    expect(state.cookie).toBeNull();
    expect(backend.calls).toEqual([]);
    expect(log).toEqual([]);
  });

  it.each<[string, 'set' | 'remove', (state: RequestSessionState) => Promise<unknown>]>([
    ['a sign-in', 'set', (state) => signIn(state, 'ada', {})],
    ['renewed proof', 'set', (state) => reauthenticate(state)],
    ['a sign-out', 'remove', (state) => endCurrent(state, 'logout')],
    ['another rotation', 'set', (state) => state.rotateIfDue()],
  ])('carries the cookie of %s, and no second one', async (_, kind, act) => {
    const { state, store } = await bringOld();
    await act(state);
    const { cookie } = state;
    expect(cookie?.kind).toBe(kind);
    expect(state.isRotationDue).toBe(false);
    await state.rotateIfDue();
    expect(state.cookie).toBe(cookie);
    if (cookie?.kind === 'set') expect(await store.readByToken(cookie.token)).not.toBeNull();
  });

  it('carries none to whoever keeps a bearer token', async () => {
    const { bring, signedInByBearer, clock } = openRequests();
    const token = await signedInByBearer();
    clock.advance('15m');
    const state = await bring(token, { isBearer: true });
    state.wantRotation();
    expect(state.isRotationDue).toBe(false);
    await state.rotateIfDue();
    expect(state.cookie).toBeNull();
  });

  it('carries none to a visitor, even if the handler asks', async () => {
    const { visit, log } = openRequests();
    const state = visit();
    state.noteRead();
    state.wantRotation();
    expect(state.isRotationDue).toBe(false);
    await state.rotateIfDue();
    expect([state.cookie, log]).toEqual([null, []]);
  });

  it('carries none where another request got it', async () => {
    const { state, bring, token, log } = await bringOld();
    const other = await bring(token);
    await other.rotateIfDue();
    await state.rotateIfDue();
    expect([other.cookie?.kind, state.cookie, log]).toEqual(['set', null, []]);
  });

  it.each([
    ['says so in the log', {}],
    ['goes out without a log too', { log: null }],
  ])('leaves the presented token in force when it cannot be replaced, and %s', async (_, kind) => {
    const { state, backend, store, token, log } = await bringOld(kind);
    backend.around = () => Promise.reject(new Error('read only'));
    await state.rotateIfDue();
    expect(state.cookie).toBeNull();
    backend.around = (_method, call) => call();
    expect((await store.readByToken(token))?.id).toBe(token.sessionId);
    expect(log).toEqual(
      'log' in kind
        ? []
        : [expect.stringMatching(/^warn: the session token was not rotated: SessionStoreError/)],
    );
  });
});
