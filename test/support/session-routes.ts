import type { Browser, Reply } from './browser.js';
import type { Route, Routes } from './routes.js';

/** All properties of a session, as a handler sees them. */
export interface Seen {
  readonly id: string | null;
  readonly userId: string | null;
  readonly isAuthenticated: boolean;
  readonly isNew: boolean;
  readonly createdAt: string | null;
  readonly authenticatedAt: string | null;
  readonly lastActiveAt: string | null;
  readonly expiresAt: string | null;
  readonly meta: Readonly<Record<string, unknown>>;
  readonly data: Readonly<Record<string, unknown>>;
}

/** Answers what a handler sees of its session. */
export const see: Route = ({ session }): Seen => ({
  id: session.id,
  userId: session.userId,
  isAuthenticated: session.isAuthenticated,
  isNew: session.isNew,
  createdAt: session.createdAt?.toISOString() ?? null,
  authenticatedAt: session.authenticatedAt?.toISOString() ?? null,
  lastActiveAt: session.lastActiveAt?.toISOString() ?? null,
  expiresAt: session.expiresAt?.toISOString() ?? null,
  meta: session.meta,
  data: session.data,
});

/** What most tests need: sign in (`?user=`), look, set keys, look at the data, sign out. */
export const BASICS: Routes = {
  in: async (call, ...rest) => {
    await call.session.authenticate(call.query['user'] ?? 'ada');
    return see(call, ...rest);
  },
  see,
  set: ({ session, body }) => void Object.assign(session.data, body),
  data: ({ session }) => session.data,
  out: ({ session }) => session.logout(),
  list: ({ session }) => session.list(),
};

export const seenBy = async (browser: Browser): Promise<Seen> => (await browser.get('/do/see')).json<Seen>();
export const dataOf = async (browser: Browser): Promise<Seen['data']> =>
  (await browser.get('/do/data')).json<Seen['data']>();
export const userOf = async (browser: Browser): Promise<string | null> => (await seenBy(browser)).userId;

/** A body of an error, as it goes out. */
export interface Refusal {
  readonly statusCode: number;
  readonly message: string;
  readonly code?: string;
}

/** Status and code of a refused request. */
export function refusal(reply: Reply): { status: number; code: string | undefined } {
  return { status: reply.status, code: reply.json<Refusal>().code };
}

/** A door that is shut until it is opened: a handler that waits for the test. */
export function door(): { readonly opened: Promise<void>; readonly open: () => void } {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { opened, open };
}

/** Lets a number of handlers go on when all of them have arrived. */
export function barrier(size: number): () => Promise<void> {
  const all = door();
  let arrived = 0;
  return () => {
    if (++arrived === size) all.open();
    return all.opened;
  };
}
