import type { OutgoingHttpHeaders } from 'node:http';
import type { Browser, Reply } from '../../support/browser.js';
import type { Call, Routes, TestData } from '../../support/routes.js';

/** A call of the session that fails, by what a client sends. */
export interface FailingCall {
  readonly title: string;
  readonly call: (call: Call) => Promise<unknown>;
  readonly status: number;
  readonly code: string | undefined;
  /** Whether somebody is signed in. */
  readonly isSignedIn?: boolean;
  /** A body, as JSON that is not `JSON.stringify` of anything. */
  readonly json?: string;
  readonly headers?: OutgoingHttpHeaders;
}

const parsed = ({ query }: Call): { user: string; data: TestData } =>
  JSON.parse(query['json'] ?? '{}') as { user: string; data: TestData };

const isJunk = { headers: { authorization: 'Bearer c2lkLmp1bms.anVuaw' } };
const isCrossSite = { headers: { 'sec-fetch-site': 'cross-site' } };

/** What is thrown away of a session's promises in the apps that the tests start, in this process and in others. */
export const FAILING_CALLS: readonly FailingCall[] = [
  {
    title: 'authenticate() from a page of another site',
    call: ({ session }) => session.authenticate('ada'),
    status: 403,
    code: 'cross_site_request',
    ...isCrossSite,
  },
  {
    title: 'authenticate() of a user that is an object',
    call: (call) => call.session.authenticate(parsed(call).user),
    status: 400,
    code: 'session_data_invalid',
    json: '{"user":{}}',
  },
  {
    title: 'authenticate() of a user with a NUL',
    call: (call) => call.session.authenticate(parsed(call).user),
    status: 400,
    code: 'session_data_invalid',
    json: '{"user":"a\\u0000b"}',
  },
  {
    title: 'authenticate() with 20 KB of data',
    call: (call) => call.session.authenticate('ada', { data: { big: 'x'.repeat(20_000) } }),
    status: 413,
    code: 'session_too_large',
  },
  {
    title: 'authenticate() with 1e400 in its data',
    call: (call) => call.session.authenticate('ada', { data: parsed(call).data }),
    status: 400,
    code: 'session_data_invalid',
    json: '{"data":{"n":1e400}}',
  },
  {
    title: 'authenticate() over the limit',
    call: ({ session }) => session.authenticate('full'),
    status: 409,
    code: 'session_limit_reached',
  },
  {
    title: 'reauthenticate() of a visitor',
    call: ({ session }) => session.reauthenticate(),
    status: 401,
    code: 'authentication_required',
  },
  {
    title: 'save() of data with a junk bearer token',
    call: ({ session }) => {
      session.data.theme = 'dark';
      return session.save();
    },
    status: 401,
    code: 'session_gone',
    ...isJunk,
  },
  {
    title: 'update() with a junk bearer token',
    call: ({ session }) => session.update((data) => void (data.theme = 'dark')),
    status: 401,
    code: 'session_gone',
    ...isJunk,
  },
  {
    title: 'save() of 1e400',
    call: (call) => {
      Object.assign(call.session.data, parsed(call).data);
      return call.session.save();
    },
    status: 400,
    code: 'session_data_invalid',
    json: '{"data":{"n":1e400}}',
  },
  {
    title: 'update() with an own __proto__',
    call: (call) => call.session.update((data) => void (data['sent'] = parsed(call).data)),
    status: 400,
    code: 'session_data_invalid',
    json: '{"data":{"__proto__":{"admin":true}}}',
  },
  {
    title: 'update() whose function fails',
    call: ({ session }) =>
      session.update(() => {
        throw new TypeError('of the app');
      }),
    status: 500,
    code: undefined,
  },
  {
    title: 'authenticate() with a transport that does not exist',
    call: ({ session }) => session.authenticate('ada', { transport: 'url' as 'cookie' }),
    status: 400,
    code: 'session_data_invalid',
  },
  {
    title: 'req.session.save() of too much',
    call: ({ request: { session } }) => {
      if (session === undefined) throw new Error('There is no req.session');
      session['big'] = 'x'.repeat(20_000);
      return (session['save'] as () => Promise<void>)();
    },
    status: 413,
    code: 'session_too_large',
  },
];

/** What an app does with a promise. All but the first forget it. */
export const WAYS_TO_TAKE: Readonly<Record<string, (promise: Promise<unknown>) => unknown>> = {
  awaited: (promise) => promise,
  dropped: () => undefined,
  'dropped behind then()': (promise) => void promise.then(() => undefined),
  'dropped behind two': (promise) => void promise.then(() => undefined).then(() => undefined),
  'dropped behind finally()': (promise) => void promise.finally(() => undefined),
  'dropped behind a catch() that throws it on': (promise) =>
    void promise.catch((error: unknown) => {
      throw error;
    }),
};

/** `/do/<call>?way=<way>`, and `/raw/…`, which answers by itself in the same turn. Both by number. */
export const FORGETFUL: Routes = Object.fromEntries(
  FAILING_CALLS.map(({ call }, index) => [
    `${index}`,
    (given, response) => {
      const way = Object.values(WAYS_TO_TAKE)[Number(given.query['way'])];
      const taken = way?.(call(given));
      if (given.query['answer'] === 'raw' && taken === undefined) response.end('answered');
      return taken ?? { ok: true };
    },
  ]),
);

/** Sends a request that leads to a failing call, to be taken in one of the ways. */
export function sendFailing(
  visitor: Browser,
  call: FailingCall,
  way: string,
  answer: 'do' | 'raw',
): Promise<Reply> {
  const number = Object.keys(WAYS_TO_TAKE).indexOf(way);
  const query = new URLSearchParams({ way: `${number}`, answer, json: call.json ?? '{}' });
  const path = `/${answer}/${FAILING_CALLS.indexOf(call)}?${query.toString()}`;
  return visitor.post(path, {}, call.headers);
}
