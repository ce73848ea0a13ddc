import type { OpenApp } from '../support/open-app.js';
import { onEachPlatform } from '../support/open-app.js';
import type { Route, TestSession } from '../support/routes.js';
import { BASICS, dataOf, type Refusal, refusal } from '../support/session-routes.js';
import { rowsOf } from '../support/storage.js';

class Account {
  #secret = 1;
  constructor(readonly name: string) {}
  reveal(): number {
    return this.#secret;
  }
}

type Data = Pick<TestSession, 'data'>;

/** Of what JSON cannot hold, this a client may have sent all the same: the error is its own, and nothing for the log. */
const SENT: readonly string[] = [
  'Infinity',
  'an own `__proto__`, as JSON.parse makes it',
  'a changed prototype',
  'a nesting without end',
];

/** What JSON cannot hold, where it is put, and how the message names it. */
const REFUSED: readonly [title: string, put: (session: Data) => void, path: string, what: string][] = [
  ['a BigInt', ({ data }) => (data['total'] = 1n), 'data.total', 'a bigint'],
  ['NaN', ({ data }) => (data['total'] = Number.NaN), 'data.total', 'NaN'],
  ['Infinity', ({ data }) => (data['list'] = [1, Infinity]), 'data.list[1]', 'Infinity'],
  ['a function', ({ data }) => (data['a'] = { run: () => 1 }), 'data.a.run', 'a function'],
  ['a symbol', ({ data }) => (data['a'] = Symbol('s')), 'data.a', 'a symbol'],
  ['a Map', ({ data }) => (data['a'] = [{ m: new Map([[1, 2]]) }]), 'data.a[0].m', 'a Map'],
  ['a Set', ({ data }) => (data['seen'] = new Set([1])), 'data.seen', 'a Set'],
  ['a Promise', ({ data }) => (data['user'] = Promise.resolve(new Account('ada'))), 'data.user', 'a Promise'],
  ['an Error', ({ data }) => (data['last'] = new Error('no')), 'data.last', 'a Error'],
  ['a Buffer', ({ data }) => (data['bytes'] = new Uint8Array(4)), 'data.bytes', 'a Uint8Array'],
  ['an invalid Date', ({ data }) => (data['at'] = new Date(Number.NaN)), 'data.at', 'an invalid Date'],
  [
    'a cycle',
    ({ data }) => {
      const node: { child: { parent?: object } } = { child: {} };
      node.child.parent = node;
      data['tree'] = node;
    },
    'data.tree.child.parent',
    'a cycle',
  ],
  ['its own session data', ({ data }) => (data['self'] = data), 'data.self', 'a cycle'],
  [
    'an own `__proto__`, as JSON.parse makes it',
    ({ data }) => (data['a'] = JSON.parse('{"__proto__":{"admin":true}}') as object),
    'data.a.__proto__',
    'a key that would change a prototype',
  ],
  [
    'a changed prototype',
    ({ data }) => void Reflect.set(data, '__proto__', { admin: true }),
    'data.__proto__',
    'a changed prototype',
  ],
  [
    'a nesting without end',
    ({ data }) => {
      let deep: object = {};
      for (let i = 0; i < 10_000; i++) deep = { deep };
      data['a'] = deep;
    },
    'data.a.deep.deep',
    'nested more than 100 levels deep',
  ],
  ['a key that is no name', ({ data }) => (data['a b'] = { 'c-d': 1n }), 'data["a b"]["c-d"]', 'a bigint'],
];

/** Puts it there and leaves saving to the end of the request; or saves, or updates, and says what was thrown. */
const WAYS: readonly [way: string, run: (put: (session: Data) => void) => Route][] = [
  [
    'with the response',
    (put) =>
      ({ session }) =>
        put(session),
  ],
  [
    'by save()',
    (put) =>
      async ({ session }) => {
        put(session);
        await session.save();
      },
  ],
  [
    'by update()',
    (put) =>
      ({ session }) =>
        session.update((data) => put({ data })),
  ],
  [
    'by authenticate()',
    (put) =>
      async ({ session }) => {
        put(session);
        await session.authenticate('ada');
      },
  ],
];

async function openWith(open: OpenApp, bad: Route, options = {}) {
  const app = await open({ options, routes: { ...BASICS, bad } });
  const visitor = app.browser();
  await visitor.post('/do/set', { old: 'data', nested: { kept: true } });
  app.storage.forget();
  return { ...app, visitor };
}

const OLD = { old: 'data', nested: { kept: true } };

describe.each(WAYS)('data that is not JSON, saved %s', (_way, run) => {
  onEachPlatform('is refused with the path of the value, and the old data stays', (open) => {
    it.each(REFUSED)('%s', async (title, put, path, what) => {
      const { visitor, log, storage } = await openWith(open, run(put));
      const cookie = await visitor.cookie();
      const reply = await visitor.post('/do/bad');
      const isSent = SENT.includes(title);
      expect(refusal(reply)).toEqual({ status: isSent ? 400 : 500, code: 'session_data_invalid' });
      expect(reply.setCookies).toEqual([]);
      expect(log.sessionErrors).toHaveLength(isSent ? 0 : 1);
      if (isSent) {
        expect(reply.json<Refusal>().message).toContain(`What was sent cannot be used: see \`${path}`);
      } else {
        expect(log.sessionErrors[0]).toMatch(
          /^POST \/do\/:name: SessionDataError: Session data must be JSON, but `data/,
        );
        expect(log.sessionErrors[0]).toContain(`\`${path}`);
        expect(log.sessionErrors[0]).toContain(` is ${what}. Nothing was saved`);
      }
      expect(storage.calls).not.toContain('save');
      expect(await visitor.cookie()).toBe(cookie);
      expect(await dataOf(visitor)).toEqual(OLD);
      expect(rowsOf(storage)).toHaveLength(1);
      expect(({} as { admin?: boolean }).admin).toBeUndefined();
    });
  });
});

onEachPlatform('data that is not JSON', (open) => {
  it('is refused at once when it is assigned, and can be corrected in the same request', async () => {
    const { visitor } = await openWith(open, ({ session }) => {
      const before = session.data;
      const codes = [1n, new Map(), { a: new Set() }].map((value) => {
        try {
          session.data = { value };
          return 'accepted';
        } catch (error) {
          return (error as { code?: string }).code;
        }
      });
      session.data['new'] = codes.every((code) => code === 'session_data_invalid');
      return { same: before === session.data };
    });
    expect((await visitor.post('/do/bad')).json()).toEqual({ same: true });
    expect(await dataOf(visitor)).toEqual({ ...OLD, new: true });
  });

  it('stores no session and sets no cookie for a visitor without one', async () => {
    const { browser, storage } = await openWith(open, ({ session }) => void (session.data['n'] = 1n));
    const fresh = browser();
    expect((await fresh.post('/do/bad')).setCookies).toEqual([]);
    expect(rowsOf(storage)).toHaveLength(1);
  });

  it('tells the client nothing about its path', async () => {
    const { visitor } = await openWith(open, ({ session }) => void (session.data['creditCard'] = 1n));
    expect((await visitor.post('/do/bad')).text).not.toMatch(/creditCard|bigint/);
  });
});

onEachPlatform('the size of data', (open) => {
  const fill =
    (bytes: number): Route =>
    ({ session }) => {
      session.data = { x: 'y'.repeat(bytes - '{"x":""}'.length) };
    };

  it.each([100, 16_384])('may be exactly `maxDataBytes: %i`', async (maxDataBytes) => {
    const { visitor } = await openWith(open, fill(maxDataBytes), { maxDataBytes });
    expect((await visitor.post('/do/bad')).status).toBe(200);
    expect(JSON.stringify(await dataOf(visitor))).toHaveLength(maxDataBytes);
  });

  it.each([100, 16_384])(
    'is a 413 one byte above `maxDataBytes: %i`, and the old data stays',
    async (maxDataBytes) => {
      const { visitor, storage } = await openWith(open, fill(maxDataBytes + 1), { maxDataBytes });
      const reply = await visitor.post('/do/bad');
      expect(refusal(reply)).toEqual({ status: 413, code: 'session_too_large' });
      expect(storage.calls).toEqual(['find']);
      expect(await dataOf(visitor)).toEqual(OLD);
    },
  );

  it('is counted in bytes, not in characters', async () => {
    const euros: Route = ({ session }) => void (session.data = { x: '€'.repeat(31) });
    const { visitor } = await openWith(open, euros, { maxDataBytes: 100 });
    expect((await visitor.post('/do/bad')).status).toBe(413);
    const fits = await openWith(open, euros, { maxDataBytes: 101 });
    expect((await fits.visitor.post('/do/bad')).status).toBe(200);
  });

  it('of 1 MB is refused in one piece and in many, by default', async () => {
    const mega = 1024 * 1024;
    const many: Route = ({ session }) => {
      for (let i = 0; i < 1024; i++) session.data[`key${i}`] = 'x'.repeat(1024);
    };
    for (const route of [fill(mega), many]) {
      const { visitor } = await openWith(open, route);
      expect(refusal(await visitor.post('/do/bad'))).toEqual({ status: 413, code: 'session_too_large' });
      expect(await dataOf(visitor)).toEqual(OLD);
    }
  });

  it('refuses a sign-in with too much, which leaves the visitor anonymous', async () => {
    const { visitor, storage } = await openWith(open, ({ session }) =>
      session.authenticate('ada', { data: { x: 'y'.repeat(20_000) } }),
    );
    const reply = await visitor.post('/do/bad');
    expect([reply.status, reply.setCookies]).toEqual([413, []]);
    expect(rowsOf(storage).map(({ userId }) => userId)).toEqual([null]);
    expect(await dataOf(visitor)).toEqual(OLD);
  });

  it('includes flash messages, so that they cannot grow without end', async () => {
    const { visitor } = await openWith(open, ({ session }) => session.flash('info', 'x'.repeat(20_000)));
    expect((await visitor.post('/do/bad')).status).toBe(413);
  });
});
