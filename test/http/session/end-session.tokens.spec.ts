import { newKin, type SessionToken } from '../../../src/core/session-token.js';
import { endAll, endById, endCurrent } from '../../../src/http/session/end-session.js';
import type { RequestSessionState } from '../../../src/http/session/request-session-state.js';
import type { OpenMemoryBackend } from '../../core/support/backends.js';
import { openRequests, type RequestKind, staleToken } from './support/open-requests.js';

type Requests = ReturnType<typeof openRequests>;

/** The token that a request signs out with. */
type Bring = (requests: Requests) => Promise<SessionToken>;

const ENDINGS: Readonly<Record<string, (state: RequestSessionState, id: string) => Promise<unknown>>> = {
  'logout()': (state) => endCurrent(state, 'logout'),
  'logoutAll()': (state) => endAll(state),
};

const memoryOf = ({ backend }: Requests): OpenMemoryBackend => backend.inner as OpenMemoryBackend;

const current: Bring = ({ signedIn }) => signedIn();
const bearer: Bring = ({ signedInByBearer }) => signedInByBearer();

/** The one before the current one, which is in use. */
const superseded: Bring = async ({ store, signedIn }) => {
  const token = await signedIn();
  await store.readByToken(await store.rotateToken(token.sessionId, { grace: '30s' }));
  return token;
};

const reused: Bring = async (requests) => {
  const token = await superseded(requests);
  requests.clock.advance('1h');
  return token;
};

const expired: Bring = async ({ signedIn, clock }) => {
  const token = await signedIn();
  clock.advance('400d');
  return token;
};

/** The session was stored anew under its id, without a token. */
const storedOver: Bring = async ({ signedIn, store }) => {
  const token = await signedIn();
  await store.put(token.sessionId, { userId: 'bob', data: {} }, '1h', { sessions: true });
  return token;
};

/** By somebody who has the key, and knows the id. */
const madeUp: Bring = async ({ signedIn, store }) => {
  const { sessionId } = await signedIn();
  return store.parts.issuer.issue(sessionId, { generation: 1, kin: newKin() });
};

const ofEnded =
  (bring: Bring): Bring =>
  async (requests) => {
    const token = await bring(requests);
    await requests.store.delete(token.sessionId);
    return token;
  };

describe.each(Object.entries(ENDINGS))('%s', (_name, end) => {
  it.each<[what: string, bring: Bring, isThere: boolean, deletes: number]>([
    ['the current token: its session ends', current, false, 1],
    ['a bearer token: its session ends', bearer, false, 1],
    ['the superseded token, within its grace: its session ends', superseded, false, 1],
    ['a stale token: its session ends, though it is not served', staleToken, false, 1],
    ['a token that counts as stolen: its session has ended when the request is served', reused, false, 1],
    ['a token of a session that has expired: there is nothing to end', expired, true, 0],
    ['a token of a session that was stored over: that one stays', storedOver, true, 0],
    ['a token that was made up: the session stays', madeUp, true, 0],
    ['the token of an ended session: that is deleted once more', ofEnded(current), false, 1],
    ['the bearer token of an ended session: the same', ofEnded(bearer), false, 1],
    ['the stale token of an ended session: the same', ofEnded(staleToken), false, 1],
  ])('with %s', async (_what, bring, isThere, deletes) => {
    const requests = openRequests();
    const token = await bring(requests);
    const { backend } = requests;
    backend.calls.length = 0;
    const state = await requests.bring(token, { isBearer: token.transport === 'bearer' });
    await end(state, token.sessionId);
    expect(backend.count('delete')).toBe(deletes);
    expect(memoryOf(requests).stored.has(token.sessionId)).toBe(isThere);
  });

  it('says nothing of a session that was not there: neither a count, nor an event, nor the cookie', async () => {
    const requests = openRequests();
    const token = await ofEnded(current)(requests);
    const told: unknown[] = [];
    requests.store.events.on('revoked', (event) => void told.push(event));
    const state = await requests.bring(token);
    expect(await end(state, token.sessionId)).toBe(0);
    expect([told, state.cookie]).toEqual([[], null]);
  });

  it('of a bearer token whose session is there again ends it, and sets no cookie', async () => {
    const requests = openRequests();
    const token = await bearer(requests);
    const row = memoryOf(requests).row(token.sessionId);
    await requests.store.delete(token.sessionId);
    const state = await requests.bring(token, { isBearer: true });
    memoryOf(requests).plant(row);
    expect(await end(state, token.sessionId)).toBe(1);
    expect([memoryOf(requests).stored.size, state.cookie]).toEqual([0, null]);
  });
});

describe('revoke()', () => {
  const openMissing = async (kind: RequestKind = {}) => {
    const requests = openRequests();
    const token = await ofEnded(current)(requests);
    const other = await requests.signedIn();
    const state = await requests.bring(token, kind);
    requests.backend.calls.length = 0;
    return { ...requests, id: token.sessionId, other: other.sessionId, state };
  };

  it('of the id that the token names deletes that once more', async () => {
    const { state, id, backend } = await openMissing();
    expect(await endById(state, id)).toBe(false);
    expect(backend.calls).toEqual(['delete']);
  });

  it('of another id ends nothing: nobody is signed in', async () => {
    const { state, other, backend } = await openMissing();
    expect(await endById(state, other)).toBe(false);
    expect(backend.calls).toEqual([]);
  });
});
