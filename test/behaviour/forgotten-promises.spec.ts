import { Controller, Sse } from '@nestjs/common';
import { types } from 'node:util';
import { type Observable, of } from 'rxjs';
import { Session } from 'nest-sessions';
import { FAILING_CALLS, FORGETFUL, sendFailing, WAYS_TO_TAKE } from './support/forgotten-calls.js';
import { onEachPlatform, type OpenApp, type TestApp } from '../support/open-app.js';
import type { TestSession } from '../support/routes.js';
import { BASICS, dataOf, door, refusal, userOf } from '../support/session-routes.js';
import { OUTAGE, rowsOf } from '../support/storage.js';

const WAYS = Object.keys(WAYS_TO_TAKE);

async function openForgetful(open: OpenApp, mount: 'guard' | 'middleware' = 'guard'): Promise<TestApp> {
  const app = await open({
    options: { mount, transport: ['cookie', 'bearer'], maxPerUser: 1, onLimit: 'reject' },
    routes: { ...BASICS, ...FORGETFUL },
  });
  await app.store.create({}, 'full');
  return app;
}

onEachPlatform('rule 17, a promise that nobody takes', (open) => {
  describe.each(['guard', 'middleware'] as const)('with mount: %p', (mount) => {
    it.each(WAYS)('fails the response when it is rejected: %s', async (way) => {
      const { browser, log } = await openForgetful(open, mount);
      for (const call of FAILING_CALLS) {
        const answers = way === 'awaited' ? (['do'] as const) : (['do', 'raw'] as const);
        for (const answer of answers) {
          const reply = await sendFailing(browser(), call, way, answer);
          expect([call.title, answer, refusal(reply)]).toEqual([
            call.title,
            answer,
            { status: call.status, code: call.code },
          ]);
          expect(reply.setCookies).toEqual([]);
        }
      }
      const own = FAILING_CALLS.filter(({ status }) => status === 500);
      const errors = log.lines.filter(({ level }) => level === 'error');
      expect(errors).toHaveLength((way === 'awaited' ? 1 : 2) * own.length);
    });
  });

  it.each<[method: string, call: (session: TestSession) => Promise<unknown>]>([
    ['list', (session) => session.list()],
    ['revoke', (session) => session.revoke('01J00000000000000000000000')],
    ['logout', (session) => session.logout()],
    ['logoutOthers', (session) => session.logoutOthers()],
    ['logoutAll', (session) => session.logoutAll()],
    ['rotate', (session) => session.logout().then(() => session.rotate())],
    ['reauthenticate', (session) => session.reauthenticate()],
    ['authenticate', (session) => session.authenticate('ada')],
    ['update', (session) => session.update((data) => void (data.count = 1))],
    ['takeOnce', (session) => session.takeOnce('theme')],
    ['save', (session) => session.save()],
  ])('is a 503 where storage fails: %s()', async (method, call) => {
    const { browser, storage, log } = await open({
      routes: {
        ...BASICS,
        forget: ({ session }) => {
          if (method === 'save') session.data.count = 1;
          void call(session);
        },
      },
    });
    const ada = browser();
    await ada.post('/do/in');
    await ada.post('/do/set', { theme: 'dark' });
    storage.fail('list', 'delete', 'save', 'insert', 'changeToken');
    const reply = await ada.post('/do/forget');
    expect(refusal(reply)).toEqual({ status: 503, code: 'session_store_unavailable' });
    expect(reply.headers['retry-after']).toBe('5');
    expect(reply.text).not.toContain(OUTAGE);
    expect(log.sessionErrors).toEqual([expect.stringContaining('Session storage fails')]);
  });

  it('passes the filters of the app, as if the handler had thrown it', async () => {
    const { browser } = await openForgetful(open);
    const [call] = FAILING_CALLS;
    if (call === undefined) throw new Error('There are no calls');
    const [awaited, dropped] = [
      await sendFailing(browser(), call, 'awaited', 'do'),
      await sendFailing(browser(), call, 'dropped', 'do'),
    ];
    expect(dropped.text).toBe(awaited.text);
  });

  it('leaves what else the handler has changed saved, as a handler that throws does', async () => {
    const { browser } = await open({
      routes: {
        ...BASICS,
        forget: ({ session }) => {
          session.data.theme = 'dark';
          void session.reauthenticate();
        },
      },
    });
    const visitor = browser();
    expect((await visitor.post('/do/forget')).status).toBe(401);
    expect(await dataOf(visitor)).toEqual({ theme: 'dark' });
  });

  it('is done before the response leaves when it is not rejected', async () => {
    const { browser } = await open({
      routes: {
        ...BASICS,
        forget: ({ session }) => {
          void session.update((data) => void (data.count = 1));
          void session.authenticate('ada').then(() => undefined);
        },
      },
    });
    const ada = browser();
    expect((await ada.post('/do/forget')).setCookies).toHaveLength(1);
    expect([await userOf(ada), await dataOf(ada)]).toEqual(['ada', { count: 1 }]);
  });

  it('of several fails the response by the first, and the others are in the log', async () => {
    const { browser, log } = await open({
      routes: {
        forget: ({ session }) => {
          void session.reauthenticate();
          void session.authenticate('ada', { data: { big: 'x'.repeat(20_000) } });
        },
      },
    });
    expect(refusal(await browser().post('/do/forget'))).toEqual({
      status: 401,
      code: 'authentication_required',
    });
    expect(log.sessionErrors).toEqual([expect.stringMatching(/^POST \/do\/:name: .*20010 bytes/)]);
  });

  it('does not keep the response waiting for what the app does behind it', async () => {
    const never = door();
    const { browser } = await open({
      routes: {
        ...BASICS,
        forget: ({ session }) => void session.authenticate('ada').then(() => never.opened),
      },
    });
    const ada = browser();
    expect((await ada.post('/do/forget')).status).toBe(200);
    expect(await userOf(ada)).toBe('ada');
    never.open();
  });

  it('whose sequel fails is the failure of the response too, with its stack in the log', async () => {
    const { browser, log } = await open({
      routes: {
        forget: ({ session }) =>
          void session.list().then(() => {
            throw new TypeError('of the app');
          }),
      },
    });
    expect((await browser().post('/do/forget')).status).toBe(500);
    expect(log.lines.map(({ message }) => message)).toEqual([expect.stringContaining('of the app')]);
  });

  it('from a guard, a middleware or a filter fails the response too', async () => {
    const { browser } = await open({
      options: { mount: 'middleware' },
      prepare: (app) =>
        app.use(
          (request: { session: { save(): Promise<void>; big: string } }, _: unknown, next: () => void) => {
            request.session.big = 'x'.repeat(20_000);
            void request.session.save();
            next();
          },
        ),
    });
    for (const path of ['/plain', '/no/such/path']) expect((await browser().get(path)).status).toBe(413);
  });
});

onEachPlatform('rule 17, a promise that somebody takes', (open) => {
  it('is theirs alone: caught, it is no failure of the response, and nothing is logged', async () => {
    const { browser, log } = await open({
      routes: {
        caught: async ({ session }) => {
          const codes: unknown[] = [];
          try {
            await session.reauthenticate();
          } catch (error) {
            codes.push((error as { code?: string }).code);
          }
          const kept = session.reauthenticate(); // rejected long before somebody looks
          await new Promise(setImmediate);
          await kept.catch((error: { code?: string }) => codes.push(error.code));
          await Promise.all([session.reauthenticate(), session.list(), session.reauthenticate()]).catch(
            (error: { code?: string }) => codes.push(error.code),
          );
          const [settled] = await Promise.allSettled([session.reauthenticate()]);
          return { codes, settled: settled.status };
        },
      },
    });
    const reply = await browser().post('/do/caught');
    expect([reply.status, reply.json()]).toEqual([
      200,
      { codes: Array(3).fill('authentication_required'), settled: 'rejected' },
    ]);
    expect(log.lines).toEqual([]);
  });

  it('is a promise like any other, and says where it was awaited when it fails', async () => {
    const stacks: string[] = [];
    const { browser, storage } = await open({
      routes: {
        ...BASICS,
        look: async function lookUp({ session }) {
          const promise = session.list();
          const isPromise = promise instanceof Promise && types.isPromise(promise);
          await promise.catch(() => undefined);
          const wait = async function whoAwaits() {
            await session.list();
          };
          await wait().catch((error: Error) => stacks.push(error.stack ?? ''));
          return {
            isPromise,
            kinds: [
              await session
                .list()
                .finally(() => 1)
                .catch(() => 2),
            ],
          };
        },
      },
    });
    const ada = browser();
    await ada.post('/do/in');
    storage.fail('list');
    expect((await ada.post('/do/look')).json()).toEqual({ isPromise: true, kinds: [2] });
    expect(stacks).toEqual([expect.stringMatching(/at (async )?whoAwaits [^]*at .*lookUp /)]);
  });
});

@Controller('stream')
class StreamController {
  @Sse('late')
  late(@Session() session: TestSession): Observable<{ data: string }> {
    setTimeout(() => void session.authenticate('ada'));
    return of({ data: 'hello' });
  }
}

onEachPlatform('rule 17, a promise that nobody takes when the response has left', (open) => {
  it('is an error in the log that names the route, and no more', async () => {
    const { browser, log } = await open({
      routes: {
        late: ({ session }, response) => {
          response.end('sent');
          void session.authenticate('ada');
          void session.reauthenticate().then(() => undefined);
          session.reauthenticate().catch(() => undefined);
        },
      },
    });
    expect((await browser().get('/raw/late')).text).toBe('sent');
    await browser().get('/plain');
    const said = ['Cannot sign in', 'Sign in first'].map((reason) =>
      log.sessionErrors.filter((line) => line.includes(reason)),
    );
    const line =
      /^GET \/raw\/:name: a step of the session that nobody awaits failed after the response had begun: /;
    expect(said).toEqual([[expect.stringMatching(line)], [expect.stringMatching(line)]]);
    expect(log.lines).toHaveLength(2);
  });

  it('is one too behind the first byte of a stream', async () => {
    const { browser, log } = await open({ controllers: [StreamController] });
    expect((await browser().get('/stream/late')).text).toContain('hello');
    while (log.sessionErrors.length === 0) await browser().get('/plain');
    expect(log.sessionErrors).toEqual([expect.stringMatching(/^GET \/stream\/late: .*Cannot sign in/)]);
  });

  it.each(['before', 'after'])('is one when the client hung up: rejected %s that', async (when) => {
    const [arrived, closed] = [door(), door()];
    const { browser, log, storage } = await open({
      routes: {
        forget: async ({ session }, response) => {
          response.once('close', closed.open);
          if (when === 'before') void session.reauthenticate();
          await new Promise(setImmediate);
          arrived.open();
          await closed.opened;
          if (when === 'after') void session.reauthenticate();
          await new Promise(() => undefined); // never answers
        },
      },
    });
    const exchange = await browser().start('GET', '/raw/forget');
    exchange.reply.catch(() => undefined);
    await arrived.opened;
    exchange.abort();
    while (log.sessionErrors.length === 0) await browser().get('/plain');
    expect(log.sessionErrors).toEqual([expect.stringMatching(/^GET \/raw\/:name: .*Sign in first/)]);
    expect(rowsOf(storage)).toEqual([]);
  });
});
