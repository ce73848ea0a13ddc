import type { FoundSession } from '../../../../src/core/token-resolver.js';
import type { SessionStoreOptions } from '../../../../src/core/session-options.js';
import type { SessionToken } from '../../../../src/core/session-token.js';
import type { RequestFacts } from '../../../../src/http/session/request-facts.js';
import {
  type LoadedSession,
  NO_SESSION,
  RequestSessionState,
} from '../../../../src/http/session/request-session-state.js';
import { signIn } from '../../../../src/http/session/sign-in.js';
import { NO_REQUEST } from '../../../../src/testing/create-test-session.js';
import { OpenMemoryBackend, WrappedBackend } from '../../../core/support/backends.js';
import { openStore } from '../../../core/support/open-store.js';

/** What the platform knows of the request, as far as a test differs from a request of the app's own page. */
export interface RequestKind extends Partial<RequestFacts> {
  /** Whether serving it counts as use; `null`: it is not routed yet. @default true */
  readonly countsAsTouch?: boolean | null;
}

/** The sessions of requests on the reference backend, without a platform around them. */
export function openRequests(options: SessionStoreOptions = {}) {
  const backend = new WrappedBackend(new OpenMemoryBackend());
  const opened = openStore({ rotation: { every: '15m', grace: '30s' }, ...options }, backend);
  const { store } = opened;
  const log: string[] = [];
  const factsOf = (kind: Partial<RequestFacts>): RequestFacts => ({
    ...NO_REQUEST,
    log: (level, message) => void log.push(`${level}: ${message}`),
    ...kind,
  });
  const serve = (
    found: FoundSession | null,
    { countsAsTouch = true, ...kind }: RequestKind,
  ): RequestSessionState => {
    return new RequestSessionState(store.manager, factsOf(kind), loadedOf(found), countsAsTouch);
  };
  return {
    ...opened,
    log,
    factsOf,
    /** A request without a token. */
    visit: (kind: RequestKind = {}) => serve(null, kind),
    /** A request with a token. */
    bring: async (token: SessionToken, kind: RequestKind = {}) =>
      serve(await store.manager.load(token.reveal(), token.transport), kind),
    /** Data that is stored; `null`: the session is not. */
    dataOf: async (id: string) => (await store.read(id))?.data ?? null,
    /** Signs `ada` in with a request of its own, by the cookie; and the token that she has from then on. */
    signedIn: async (data: object = {}) => (await store.create({}, 'ada', data)).token,
    /** The same for a client that keeps a bearer token. */
    signedInByBearer: async (): Promise<SessionToken> => {
      const token = await signIn(serve(null, {}), 'ada', { transport: 'bearer' });
      if (token === undefined) throw new Error('A sign-in by bearer resolves to the token');
      return token;
    },
  };
}

function loadedOf(found: FoundSession | null): LoadedSession {
  if (found === null) return NO_SESSION;
  if (found.standing === 'missing') return { ...NO_SESSION, missing: [found.id] };
  return found.standing === 'unserved'
    ? { ...NO_SESSION, unserved: found }
    : { ...NO_SESSION, resolved: found };
}

/** A token that was replaced twice a moment ago: it leads to its session, which is not served. */
export async function staleToken({ store, clock }: ReturnType<typeof openRequests>): Promise<SessionToken> {
  const { session, token: first } = await store.create({}, 'ada', { secret: 1 });
  const second = await store.rotateToken(session.id, { grace: '30s' });
  await store.readByToken(second);
  const third = await store.rotateToken(session.id, { grace: '30s' });
  await store.readByToken(third);
  clock.advance(1);
  return first;
}

/** Lets everything that is due in this turn of the event loop happen. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
