import type { SessionStoreOptions } from '../../../src/core/session-options.js';
import type { SessionToken } from '../../../src/core/session-token.js';
import { TwoTokensException } from '../../../src/http/errors/exceptions.js';
import { resolveHttpOptions, type SessionHttpOptions } from '../../../src/http/http-options.js';
import { loadSession } from '../../../src/http/request/load-session.js';
import { signIn } from '../../../src/http/session/sign-in.js';
import { openRequests, staleToken } from '../session/support/open-requests.js';
import { OTHER_KEY } from '../../core/support/open-store.js';

const NAME = '__Host-sid';

/** Tokens of every kind, and what requests that carry them load. */
function openLoading(options: SessionHttpOptions = {}, ofStore: SessionStoreOptions = {}) {
  const requests = openRequests(ofStore);
  const { store, backend } = requests;
  const errors: string[] = [];
  let missing: readonly string[] = [];
  const http = resolveHttpOptions({ transport: ['cookie', 'bearer'], ...options });
  const runtime = {
    sessions: store.manager,
    options: http,
    logger: { warn: () => undefined, error: (message: string) => void errors.push(message) },
  };
  const load = async (headers: Record<string, string>) => {
    backend.calls.length = 0;
    const { session, isBearer } = await loadSession(runtime, {
      method: 'GET',
      url: '/cart',
      ip: '192.0.2.1',
      headers,
    });
    const { resolved, unserved } = session;
    missing = session.missing;
    return {
      served: resolved?.row.id ?? null,
      unserved: unserved?.row.id ?? null,
      isBearer,
      lookUps: backend.count('find'),
    };
  };
  const withCookies = (...values: readonly (SessionToken | string)[]) =>
    load({
      cookie: values
        .map((value) => `${NAME}=${typeof value === 'string' ? value : value.reveal()}`)
        .join('; '),
    });
  const ended = async (): Promise<SessionToken> => {
    const token = await requests.signedIn();
    await store.delete(token.sessionId);
    return token;
  };
  /** Whether a request is served without waiting for anything. */
  const isAtOnce = (headers: Record<string, string>): boolean =>
    !(loadSession(runtime, { method: 'GET', url: '/cart', headers }) instanceof Promise);
  /** Ids of what the tokens of the last request named, and that nothing is stored under. */
  const missingIds = () => missing;
  return { ...requests, errors, load, withCookies, ended, isAtOnce, missingIds };
}

const NOTHING = { served: null, unserved: null, isBearer: false, lookUps: 0 };

describe('a request', () => {
  it('without a token loads nothing, at once, and looks at nothing', async () => {
    const { load, withCookies, store } = openLoading();
    expect(await load({})).toEqual(NOTHING);
    expect(await load({ cookie: 'theme=dark', authorization: 'Basic YTpi' })).toEqual(NOTHING);
    expect(store.parts.issuer.refused).toBe(0);
    expect(await withCookies('junk', 'more junk')).toEqual(NOTHING);
    expect(store.parts.issuer.refused).toBe(2);
  });

  it('with a cookie loads its session, by one look-up', async () => {
    const { withCookies, signedIn } = openLoading();
    const token = await signedIn();
    expect(await withCookies(token)).toEqual({ ...NOTHING, served: token.sessionId, lookUps: 1 });
  });

  it('whose cookie leads to a session that is not served says which', async () => {
    const loading = openLoading();
    const stale = await staleToken(loading);
    expect(await loading.withCookies(stale)).toEqual({ ...NOTHING, unserved: stale.sessionId, lookUps: 1 });
  });

  it('whose cookie leads nowhere loads nothing', async () => {
    const { withCookies, ended } = openLoading();
    expect(await withCookies(await ended())).toEqual({ ...NOTHING, lookUps: 1 });
  });

  it('checks each cookie once, and looks no token up twice', async () => {
    const { withCookies, ended, signedIn, store } = openLoading();
    const [dead, token] = [await ended(), await signedIn()];
    expect(await withCookies('junk', dead, 'junk', dead, token, 'junk')).toEqual({
      ...NOTHING,
      served: token.sessionId,
      lookUps: 2,
    });
    expect(store.parts.issuer.refused).toBe(2);
    expect(await withCookies('junk', dead)).toEqual({ ...NOTHING, lookUps: 1 });
    expect(store.parts.issuer.refused).toBe(3);
  });

  it.each([0, 1, 2, 3])('finds its session behind %i dead cookies, if that is below three', async (count) => {
    const { withCookies, ended, signedIn } = openLoading();
    const dead = await Promise.all(Array.from({ length: count }, ended));
    const token = await signedIn();
    expect(await withCookies(...dead, token, 'junk')).toEqual({
      ...NOTHING,
      served: count < 3 ? token.sessionId : null,
      lookUps: Math.min(3, count + 1),
    });
  });

  it('finds it behind a dead cookie and any number of those that are none of ours', async () => {
    const { withCookies, signedIn, ended } = openLoading();
    const [dead, live] = [await ended(), await signedIn()];
    const served = await withCookies(dead, 'junk', 'more junk', 'and more', live);
    expect(served).toEqual({ ...NOTHING, served: live.sessionId, lookUps: 2 });
  });

  it('is served at once where nothing of it is a token of ours', () => {
    const { isAtOnce } = openLoading();
    const junk: Record<string, string>[] = [{}, { cookie: `${NAME}=junk` }, { authorization: 'Bearer junk' }];
    expect(junk.map(isAtOnce)).toEqual([true, true, true]);
  });

  it('is served before it is said that another cookie is not, and that is said of the first', async () => {
    const loading = openLoading();
    const { withCookies, ended, signedIn } = loading;
    const [dead, token] = [await ended(), await signedIn()];
    const [stale, other] = [await staleToken(loading), await staleToken(loading)];
    const served = { ...NOTHING, served: token.sessionId };
    expect(await withCookies(stale, token)).toEqual({ ...served, lookUps: 2 });
    expect(await withCookies(stale, other, token)).toEqual({ ...served, lookUps: 3 });
    const unserved = { ...NOTHING, unserved: stale.sessionId };
    expect(await withCookies(dead, stale)).toEqual({ ...unserved, lookUps: 2 });
    expect(await withCookies(stale, other)).toEqual({ ...unserved, lookUps: 2 });
    expect(await withCookies(stale, dead)).toEqual({ ...unserved, lookUps: 2 });
    expect(await withCookies(dead, stale, other)).toEqual({ ...unserved, lookUps: 3 });
  });
});

describe('the ids that tokens name, and that nothing is stored under,', () => {
  it('are told, each once, of the cookies that are looked up, also beside a session that is served or is not', async () => {
    const loading = openLoading();
    const { withCookies, ended, signedIn, missingIds } = loading;
    const [first, second, third, fourth] = [await ended(), await ended(), await ended(), await ended()];
    const [live, stale] = [await signedIn(), await staleToken(loading)];
    const idsOf = (...tokens: readonly SessionToken[]) => tokens.map(({ sessionId }) => sessionId);
    await withCookies(first, 'junk', first, second);
    expect(missingIds()).toEqual(idsOf(first, second));
    await withCookies(first, second, third, fourth);
    expect(missingIds()).toEqual(idsOf(first, second, third));
    await withCookies(first, live, second);
    expect(missingIds()).toEqual(idsOf(first));
    await withCookies(stale, second);
    expect(missingIds()).toEqual(idsOf(second));
    await withCookies(live, first);
    expect(missingIds()).toEqual([]);
  });

  it('are told of a bearer token too', async () => {
    const { load, signedInByBearer, store, missingIds } = openLoading();
    const token = await signedInByBearer();
    await store.delete(token.sessionId);
    await load({ authorization: `Bearer ${token.reveal()}` });
    expect(missingIds()).toEqual([token.sessionId]);
    await load({ cookie: `${NAME}=${token.reveal()}` });
    expect(missingIds()).toEqual([]); // sent the other way, it is no token
  });

  it('are none where the row is there: expired, or not the session of the token', async () => {
    const { withCookies, signedIn, store, clock, missingIds } = openLoading();
    const [over, old] = [await signedIn(), await signedIn()];
    await store.put(over.sessionId, { userId: 'bob', data: {} }, '1h', { sessions: true });
    await withCookies(over);
    expect(missingIds()).toEqual([]);
    clock.advance('400d');
    await withCookies(old);
    expect(missingIds()).toEqual([]);
  });
});

describe('a request with a bearer token', () => {
  it('loads its session', async () => {
    const { load, signedInByBearer, store } = openLoading();
    const token = await signedInByBearer();
    expect(await load({ authorization: `Bearer ${token.reveal()}`, cookie: 'theme=dark' })).toEqual({
      served: token.sessionId,
      unserved: null,
      isBearer: true,
      lookUps: 1,
    });
    expect(store.parts.issuer.refused).toBe(0);
    await store.delete(token.sessionId);
    expect(await load({ authorization: `Bearer ${token.reveal()}` })).toEqual({
      ...NOTHING,
      isBearer: true,
      lookUps: 1,
    });
    expect(store.parts.issuer.refused).toBe(0);
  });

  it('of ours or not says that it is one', async () => {
    const { load, signedIn } = openLoading();
    const token = await signedIn();
    for (const bearer of ['', 'junk', token.reveal()])
      expect(await load({ authorization: `Bearer ${bearer}` })).toEqual({ ...NOTHING, isBearer: true });
  });

  it('and a session cookie is refused, whatever both are worth', async () => {
    const { load } = openLoading();
    const both = load({ authorization: 'Bearer junk', cookie: `${NAME}=junk` });
    await expect(both).rejects.toThrow(TwoTokensException);
  });

  it('is one without, where the app takes none', async () => {
    const { load, signedInByBearer } = openLoading({ transport: ['cookie'] });
    const authorization = `Bearer ${(await signedInByBearer()).reveal()}`;
    expect(await load({ authorization })).toEqual(NOTHING);
    expect(await load({ authorization, cookie: `${NAME}=junk` })).toEqual(NOTHING);
  });
});

describe('a client of another kind than at sign-in', () => {
  const signedInWith = async ({ visit }: ReturnType<typeof openLoading>, client: string) => {
    const state = visit({ clientFamily: () => client });
    await signIn(state, 'ada', {});
    if (state.cookie?.kind !== 'set') throw new Error('A sign-in sets a cookie');
    return state.cookie.token;
  };

  it.each<[SessionHttpOptions['onClientChange'], served: boolean, stored: boolean]>([
    ['ignore', true, true],
    ['notify', true, true],
    ['revoke', false, false],
  ])('%s: is served: %s, and leaves the session: %s', async (onClientChange, isServed, isStored) => {
    for (const inFront of [[], ['ended']]) {
      const loading = openLoading({ onClientChange });
      const token = await signedInWith(loading, 'Another on Apple');
      const dead = await Promise.all(inFront.map(() => loading.ended()));
      expect(await loading.withCookies(...dead, token)).toEqual({
        ...NOTHING,
        served: isServed ? token.sessionId : null,
        lookUps: dead.length + 1,
      });
      expect((await loading.store.read(token.sessionId)) !== null).toBe(isStored);
    }
  });

  it('is no other where it says the same as then', async () => {
    const loading = openLoading({ onClientChange: 'revoke' });
    const token = await signedInWith(loading, 'no user agent');
    expect(await loading.withCookies(token)).toEqual({ ...NOTHING, served: token.sessionId, lookUps: 1 });
  });
});

describe('a genuine token that cannot be looked up', () => {
  it('is 503; an outage is in the log already', async () => {
    const { withCookies, signedIn, backend, errors, logger } = openLoading();
    const token = await signedIn();
    backend.around = () => Promise.reject(new Error('down'));
    await expect(withCookies(token)).rejects.toMatchObject({
      status: 503,
      code: 'session_store_unavailable',
    });
    expect(errors).toEqual([]);
    expect(logger.errors).toHaveLength(1);
  });

  it('is 503 for a key that is not there any more, which the log hears of here', async () => {
    const { withCookies, signedIn, store, errors, backend } = openLoading();
    const token = await signedIn();
    const row = (await store.parts.backend.lookUp(token.sessionId))!;
    const { store: other } = openRequests({ key: OTHER_KEY });
    const sealed = other.parts.sealer.seal({ data: {}, flashes: [], meta: {} }, row.id, row.userId);
    await backend.save([{ ...row, ...sealed, expectedVersion: row.version, now: row.createdAt }]);
    await expect(withCookies(token)).rejects.toMatchObject({ status: 503 });
    expect(errors).toEqual([expect.stringMatching(/^GET \/cart: .*key/)]);
  });

  it('is the answer to any other failure too, which the log does not hear of here', async () => {
    const { withCookies, signedIn, store, errors } = openLoading();
    const token = await signedIn();
    const failure = new Error('bug');
    store.parts.resolver.resolveAny = () => Promise.reject(failure);
    await expect(withCookies(token)).rejects.toBe(failure);
    expect(errors).toEqual([]);
  });
});
