import { Body, Controller, Inject, Param, Post } from '@nestjs/common';
import { type ActiveSessionPage, type ListActiveOptions, SessionStore } from 'nest-sessions';
import { onEachPlatform, type TestApp } from '../support/open-app.js';
import type { Call, Route, Routes } from '../support/routes.js';
import { BASICS, type Refusal } from '../support/session-routes.js';
import { rowsOf } from '../support/storage.js';

/** A body as it comes: nothing has looked at what it holds. */
interface Body {
  readonly value?: unknown;
}

const bodyOf = ({ body }: Call): Body => body;
/** The value, taken for what the handler takes. */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters
const valueOf = <T = never>(call: Call): T => bodyOf(call).value as T;

/** Ways to store what came as it came, and the path that an error names. */
const WAYS: readonly [way: string, path: string, route: Route][] = [
  ['set()', 'data.sent', (call) => call.session.set('sent', valueOf(call))],
  ['a property', 'data.sent', (call) => void (call.session.data['sent'] = valueOf(call))],
  [
    'a deep change',
    'data.deep.list[1]',
    (call) => void (call.session.data['deep'] = { list: [0, valueOf(call)] }),
  ],
  ['assigning the data', 'data.value', (call) => void (call.session.data = call.body)],
  ['update()', 'data.sent', (call) => call.session.update((data) => void (data['sent'] = valueOf(call)))],
  ['save()', 'data.sent', (call) => (call.session.set('sent', valueOf(call)), call.session.save())],
  [
    'authenticate() with data',
    'data.sent',
    (call) => call.session.authenticate('ada', { data: { sent: valueOf(call) } }),
  ],
  [
    'authenticate() with meta',
    'meta.sent',
    (call) => call.session.authenticate('ada', { meta: { sent: valueOf(call) } }),
  ],
  [
    'req.session',
    'data.sent',
    (call) => void Object.assign(call.request.session ?? {}, { sent: valueOf(call) }),
  ],
];

const NESTED = `${'['.repeat(150)}${']'.repeat(150)}`;

const VALUES: readonly [what: string, json: string][] = [
  ['1e400', '{"value":1e400}'],
  ['-1e400, deep', '{"value":{"a":[-1e400]}}'],
  ['150 levels', `{"value":${NESTED}}`],
  ['an own __proto__', '{"value":{"__proto__":{"secret":"xyzzy"}}}'],
];

/** Calls that take a value which is no data. */
const CALLS: readonly [call: string, path: string, json: readonly string[], route: Route][] = [
  [
    'authenticate()',
    'userId',
    [
      '{}',
      '{"value":null}',
      '{"value":{}}',
      '{"value":["xyzzy"]}',
      '{"value":true}',
      '{"value":""}',
      '{"value":"a\\u0000xyzzy"}',
      '{"value":"\\ud800"}',
      `{"value":"${'x'.repeat(256)}"}`,
      '{"value":1.5}',
      '{"value":1e400}',
      '{"value":12345678901234567890}',
    ],
    (call) => call.session.authenticate(valueOf<string>(call)),
  ],
  [
    'authenticate() with remember',
    'remember',
    ['{"value":"xyzzy"}', '{"value":"ON"}', '{"value":1}', '{"value":["on"]}', '{"value":{}}'],
    (call) => call.session.authenticate('ada', { remember: valueOf(call) }),
  ],
  [
    'authenticate() with notAfter',
    'notAfter',
    ['{"value":"2031-01-01"}', '{"value":1924992000000}'],
    (call) => call.session.authenticate('ada', { notAfter: valueOf(call) }),
  ],
  [
    'authenticate() with transport',
    'transport',
    ['{"value":"url"}', '{"value":{}}'],
    (call) => call.session.authenticate('ada', { transport: valueOf(call) }),
  ],
  [
    'flash()',
    'text',
    ['{}', '{"value":null}', '{"value":{"xyzzy":1}}', '{"value":7}'],
    (call) => call.session.flash('info', valueOf(call)),
  ],
  [
    'a key of set()',
    'data.__proto__',
    ['{"value":"__proto__"}', '{"value":["__proto__"]}'],
    (call) => call.session.set(valueOf(call), { admin: true }),
  ],
  [
    'a key of data',
    'data.__proto__',
    ['{"value":"__proto__"}', '{"value":["__proto__"]}'],
    (call) => void (call.session.data[valueOf<string>(call)] = { admin: true }),
  ],
  [
    'a key of req.session',
    'data.__proto__',
    ['{"value":"__proto__"}', '{"value":["__proto__"]}'],
    (call) => void ((call.request.session ?? {})[valueOf<string>(call)] = { admin: true }),
  ],
  [
    'all of the data',
    'data',
    ['{}', '{"value":null}', '{"value":["xyzzy"]}', '{"value":"xyzzy"}', '{"value":7}'],
    (call) => void (call.session.data = valueOf(call)),
  ],
];

async function post(
  { port }: TestApp,
  path: string,
  body: string,
): Promise<{ status: number; body: Refusal }> {
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(`http://127.0.0.1:${port}${path}`, { method: 'POST', headers, body });
  return { status: response.status, body: (await response.json()) as Refusal };
}

/** A 400 of ours that names the path, repeats no value, and leaves nothing behind. */
function expectRefused(
  { log, storage }: TestApp,
  { status, body }: Awaited<ReturnType<typeof post>>,
  path: string,
): void {
  expect({ status, code: body.code }).toEqual({ status: 400, code: 'session_data_invalid' });
  expect(body.message).toMatch(/^What was sent cannot be used: see `/);
  expect(body.message).toContain(`\`${path}`);
  expect(body.message.length).toBeLessThan(300);
  expect(JSON.stringify(body)).not.toMatch(/xyzzy|Infinity|xxxx/);
  expect(log.lines).toEqual([]);
  expect(rowsOf(storage)).toEqual([]);
}

const named = (routes: readonly (readonly [...unknown[], Route])[]): Routes =>
  Object.fromEntries(routes.map((route, index) => [`${index}`, route.at(-1) as Route]));

onEachPlatform('what a client sends, and a handler stores as it came', (open, platform) => {
  it.each(VALUES)('is the client’s error where sessions cannot hold it: %s', async (what, json) => {
    const app = await open({ routes: named(WAYS) });
    for (const [index, [, path]] of WAYS.entries()) {
      for (const answer of ['do', 'raw']) {
        const reply = await post(app, `/${answer}/${index}`, json);
        // Fastify's own parser refuses the key; Express passes it on.
        if (platform === 'fastify' && what.includes('__proto__')) expect(reply.status).toBe(400);
        else if (answer === 'do') expectRefused(app, reply, path);
        else if (reply.status !== 400) throw new Error(`${path}: ${reply.status}`);
      }
    }
  });

  it('is the client’s error when `Object.assign` has made a prototype of it', async () => {
    const app = await open({
      routes: {
        copied: (call) => call.session.set('sent', Object.assign({}, JSON.parse(call.query['json'] ?? ''))),
        whole: (call) => void Object.assign(call.session.data, JSON.parse(call.query['json'] ?? '')),
      },
    });
    for (const prototype of ['{"admin":true}', '["xyzzy"]', '{"constructor":"xyzzy"}']) {
      const query = new URLSearchParams({ json: `{"__proto__":${prototype}}` }).toString();
      expectRefused(app, await post(app, `/do/copied?${query}`, '{}'), 'data.sent.__proto__');
      expectRefused(app, await post(app, `/do/whole?${query}`, '{}'), 'data.__proto__');
    }
  });

  it.each(CALLS)('is the client’s error where it is no such value: %s', async (_call, path, json, route) => {
    const app = await open({ routes: { route, ...BASICS } });
    for (const sent of json) expectRefused(app, await post(app, '/do/route', sent), path);
    expect(({} as { admin?: boolean }).admin).toBeUndefined();
  });

  it('is the client’s error when it is an id that cannot be one, for SessionStore too', async () => {
    @Controller('store')
    class StoreController {
      constructor(@Inject(SessionStore) private readonly store: SessionStore) {}

      @Post(':id')
      end(@Param('id') id: string): Promise<boolean> {
        return this.store.delete(id);
      }
    }
    const app = await open({ controllers: [StoreController] });
    expectRefused(app, await post(app, '/store/a%00b', '{}'), 'sessionId');
  });

  it('is the client’s error when it is no page of those who are online', async () => {
    @Controller('online')
    class OnlineController {
      constructor(@Inject(SessionStore) private readonly store: SessionStore) {}

      @Post()
      list(@Body() options: ListActiveOptions): Promise<ActiveSessionPage> {
        return this.store.listActive(options);
      }
    }
    const app = await open({ controllers: [OnlineController] });
    const refused = { after: 'xyzzy', limit: '5', activeSince: '2030-01-01', authenticated: 'on' };
    for (const [path, sent] of Object.entries(refused))
      expectRefused(app, await post(app, '/online', JSON.stringify({ [path]: sent })), path);
    expect((await post(app, '/online', '{"limit":5}')).body).toEqual({ sessions: [], next: null });
  });

  it('as an id to revoke() is nobody’s: false', async () => {
    const { browser } = await open({
      routes: {
        ...BASICS,
        revoke: async (call) => ({ ended: await call.session.revoke(valueOf(call)) }),
      },
    });
    const ada = browser();
    await ada.post('/do/in');
    for (const value of [undefined, null, {}, ['a'], 7, '', 'a\0b', 'x'.repeat(300), '\ud800', 'unknown'])
      expect((await ada.post('/do/revoke', { value })).json()).toEqual({ ended: false });
  });
});

class Made {
  readonly by = 'code';
}

onEachPlatform('what only code can make', (open) => {
  it.each<[what: string, value: unknown]>([
    ['a Map', new Map()],
    ['a function', () => 1],
    ['a symbol', Symbol('s')],
    ['a BigInt', 1n],
    ['NaN', Number.NaN],
    ['an invalid Date', new Date(Number.NaN)],
    ['a class without constructor', Object.create(Object.create(Made.prototype) as object)],
  ])('is the code’s: 500, and named in the log: %s', async (_what, value) => {
    const app = await open({ routes: { data: ({ session }) => void (session.data['made'] = value) } });
    const reply = await post(app, '/do/data', '{}');
    expect([reply.status, reply.body.message]).toEqual([500, 'The session could not be saved']);
    expect(app.log.sessionErrors).toEqual([expect.stringContaining('`data.made')]);
  });

  it.each<[what: string, value: unknown]>([
    ['a function', () => 'ada'],
    ['a symbol', Symbol('s')],
    ['NaN', Number.NaN],
    ['a Date', new Date(0)],
  ])('is the code’s as user id too: %s', async (_what, value) => {
    const app = await open({ routes: { in: ({ session }) => session.authenticate(value as string) } });
    expect((await post(app, '/do/in', '{}')).status).toBe(500);
    expect(app.log.sessionErrors).toEqual([expect.stringContaining('Invalid user id')]);
  });
});
