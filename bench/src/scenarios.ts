import type { LoadGenerator, LoadRequest, LoadResult } from './load.js';

/** Distinct sessions that a measurement uses. */
export const SESSIONS = 64;

/** What a scenario prepares, outside the measured time. */
export interface Prepared {
  /** Cookie headers. */
  readonly cookies: readonly string[];
}

export type ScenarioName =
  | 'no-cookie'
  | 'forged'
  | 'read'
  | 'read-3k'
  | 'touch'
  | 'write'
  | 'write-3k'
  | 'sign-in'
  | 'sign-out'
  | 'page'
  | 'latency';

/** One way of using sessions. */
export interface Scenario {
  readonly name: ScenarioName;
  readonly label: string;
  /** Bytes of a session, about. */
  readonly bytes: number;
  /** How many sessions to sign in, before a measurement of so many milliseconds. */
  readonly sessions: (milliseconds: number) => number;
  /** Whether each measurement uses its sessions up. */
  readonly isConsuming?: boolean;
  /** Whether contenders that write a touch only now and then are set to write one each time. */
  readonly touches?: boolean;
  readonly connections?: number;
  run(load: LoadGenerator, prepared: Prepared, until: number): Promise<LoadResult>;
}

let users = 0;

/** A sign-in of a user that nobody has been before. */
export function signIn(bytes: number): LoadRequest {
  return { method: 'POST', path: `/login?user=u${process.pid}-${users++}&bytes=${bytes}` };
}

function rotating(
  method: LoadRequest['method'],
  path: string,
): (load: LoadGenerator, prepared: Prepared, until: number) => Promise<LoadResult> {
  return (load, { cookies }, until) => {
    let i = 0;
    return load.run(() =>
      performance.now() < until ? { method, path, cookie: cookies[i++ % cookies.length] } : undefined,
    );
  };
}

const FIXED = (): number => SESSIONS;
const READ = rotating('GET', '/read');

/** A cookie of each contender's name with a value that none has issued. */
const FORGED = ['__Host-sid', 'connect.sid', 'sessionId', 'better-auth.session_token']
  .map((name) => `${name}=01K4ZZZZZZZZZZZZZZZZZZZZZZ${'A'.repeat(65)}`)
  .join('; ');

export const SCENARIOS: readonly Scenario[] = [
  {
    name: 'no-cookie',
    label: 'no cookie',
    bytes: 200,
    sessions: () => 0,
    run: (load, _prepared, until) =>
      load.run(() => (performance.now() < until ? { method: 'GET', path: '/read' } : undefined)),
  },
  {
    name: 'forged',
    label: 'forged cookie',
    bytes: 200,
    sessions: () => 0,
    run: (load, _prepared, until) =>
      load.run(() =>
        performance.now() < until ? { method: 'GET', path: '/read', cookie: FORGED } : undefined,
      ),
  },
  { name: 'read', label: 'read, 200 B', bytes: 200, sessions: FIXED, run: READ },
  { name: 'read-3k', label: 'read, 3 KB', bytes: 3000, sessions: FIXED, run: READ },
  { name: 'touch', label: 'read, touch due', bytes: 200, sessions: FIXED, touches: true, run: READ },
  { name: 'write', label: 'write, 200 B', bytes: 200, sessions: FIXED, run: rotating('POST', '/write') },
  { name: 'write-3k', label: 'write, 3 KB', bytes: 3000, sessions: FIXED, run: rotating('POST', '/write') },
  {
    name: 'sign-in',
    label: 'sign-in',
    bytes: 200,
    sessions: () => 0,
    run: (load, _prepared, until) => load.run(() => (performance.now() < until ? signIn(200) : undefined)),
  },
  {
    name: 'sign-out',
    label: 'sign-out',
    bytes: 200,
    sessions: (milliseconds) => Math.ceil(milliseconds),
    isConsuming: true,
    run: (load, { cookies }) => {
      let i = 0;
      return load.run(() => {
        const cookie = cookies[i++];
        return cookie === undefined ? undefined : { method: 'POST', path: '/logout', cookie };
      });
    },
  },
  {
    name: 'page',
    label: 'page of 20 requests, one cookie',
    bytes: 200,
    sessions: FIXED,
    connections: 20,
    run: (load, { cookies }, until) => {
      let i = 0;
      return load.runPages(20, () =>
        performance.now() < until
          ? { method: 'GET', path: '/read', cookie: cookies[i++ % cookies.length] }
          : undefined,
      );
    },
  },
  { name: 'latency', label: 'read, one connection', bytes: 200, sessions: FIXED, connections: 1, run: READ },
];
