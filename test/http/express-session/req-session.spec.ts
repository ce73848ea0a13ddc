import { Controller, Get, Param, Req } from '@nestjs/common';
import { SkipTouch } from 'nest-sessions';
import { onEachPlatform, START } from '../../support/open-app.js';
import { rowsOf } from '../../support/storage.js';
import { dataOf, userOf } from '../../support/session-routes.js';
import {
  type ExpressRequest,
  failureOf,
  type Handler,
  withHandlers,
} from '../../support/express-handlers.js';

const DAY = 86_400_000;

/** Runs a step with a callback, and answers with what it got. */
const called =
  (step: 'save' | 'regenerate' | 'destroy' | 'reload', then?: Handler): Handler =>
  (request, answer) => {
    const returned = request.session[step]((error) => {
      if (error) answer({ error: failureOf(error) });
      else if (then) then(request, answer);
      else answer({ done: true, isSame: returned === request.session });
    });
  };

const show: Handler = ({ session, sessionID }, answer) =>
  answer({ session: session ?? null, id: session?.id ?? null, sessionID });

const set: Handler = ({ session }, answer) => {
  session['theme'] = 'dark';
  answer({});
};

onEachPlatform('req.session', (open) => {
  const start = (handlers: Readonly<Record<string, Handler>>) =>
    open(withHandlers({ set, show, ...handlers }));

  it('has the public id, as `req.sessionID` too, and none while nothing is stored', async () => {
    const { browser, storage } = await start({});
    const visitor = browser();
    expect((await visitor.get('/x/show')).json()).toEqual({ session: {}, id: null, sessionID: null });
    await visitor.get('/x/set');
    const { id } = rowsOf(storage)[0]!;
    expect((await visitor.get('/x/show')).json()).toEqual({
      session: { theme: 'dark' },
      id,
      sessionID: id,
    });
  });

  it('has members that no loop, copy or JSON shows', async () => {
    const { browser } = await start({
      look: ({ session }, answer) => {
        const loop: string[] = [];
        for (const key in session) loop.push(key);
        answer({ loop, keys: Object.keys(session), copy: { ...session }, has: 'cookie' in session });
      },
    });
    const visitor = browser();
    await visitor.get('/x/set');
    expect((await visitor.get('/x/look')).json()).toEqual({
      loop: ['theme'],
      keys: ['theme'],
      copy: { theme: 'dark' },
      has: true,
    });
  });

  describe('save', () => {
    it('is done when it calls back, and gives the session', async () => {
      const { browser, storage } = await start({
        save: (request, answer) => {
          request.session['count'] = 1;
          request.session.save(() => answer({ rows: rowsOf(storage).length, id: request.session.id }));
        },
        chain: called('save'),
      });
      const visitor = browser();
      expect((await visitor.get('/x/save')).json()).toEqual({ rows: 1, id: rowsOf(storage)[0]?.id });
      expect((await visitor.get('/x/chain')).json()).toEqual({ done: true, isSame: true });
    });

    it('is a promise without a callback', async () => {
      const { browser, storage } = await start({
        save: async (request, answer) => {
          request.session['count'] = 1;
          const saving = request.session.save();
          answer({ rows: (await saving, rowsOf(storage).length), isPromise: saving instanceof Promise });
        },
      });
      expect((await browser().get('/x/save')).json()).toEqual({ rows: 1, isPromise: true });
    });

    it('calls back with what went wrong, which the platform can answer', async () => {
      const told: unknown[] = [];
      const { browser, storage } = await start({
        save: (request, answer) => {
          request.session['theme'] = 'light';
          request.session.save((error) => answer(told.push(failureOf(error).status)));
        },
      });
      const visitor = browser();
      await visitor.get('/x/set');
      storage.fail('save');
      const { status, headers } = await visitor.get('/x/save');
      expect([status, headers['retry-after'], told]).toEqual([503, '5', [503]]);
      storage.recover();
      expect(await dataOf(visitor)).toEqual({ theme: 'dark' });
    });
  });

  describe('regenerate', () => {
    const regenerate = called('regenerate', (request, answer) => {
      const before = { ...request.session };
      request.session['theme'] = 'light';
      answer({ before, after: request.session });
    });

    it('ends the session and keeps nothing: another id, another token, no data', async () => {
      const { browser, storage, events } = await start({ regenerate });
      const visitor = browser();
      await visitor.post('/do/set', { theme: 'dark', cart: ['tea'] });
      const [token, old] = [await visitor.cookie(), rowsOf(storage)[0]?.id];
      expect((await visitor.get('/x/regenerate')).json()).toEqual({ before: {}, after: { theme: 'light' } });
      expect(await dataOf(visitor)).toEqual({ theme: 'light' });
      expect(await visitor.cookie()).not.toBe(token);
      expect(rowsOf(storage).map(({ id }) => id)).not.toContain(old);
      expect(rowsOf(storage)).toHaveLength(1);
      expect(events.filter(({ name }) => name === 'revoked')).toMatchObject([
        { sessionId: old, reason: 'replaced' },
      ]);
    });

    it('makes another object of `req.session`, and leaves the data with the old one', async () => {
      const { browser } = await start({
        regenerate: (request, answer) => {
          const old = request.session;
          void request.session.regenerate().then(() => {
            Object.assign(request.session, old);
            answer({ isSame: old === request.session, old, now: request.session });
          });
        },
      });
      const visitor = browser();
      await visitor.get('/x/set');
      const kept = { theme: 'dark' };
      expect((await visitor.get('/x/regenerate')).json()).toEqual({ isSame: false, old: kept, now: kept });
      expect(await dataOf(visitor)).toEqual(kept);
    });

    it('that fails leaves the session as it was', async () => {
      const { browser, storage } = await start({
        regenerate: (request, answer) => {
          const { session } = request;
          storage.fail('delete');
          return session.regenerate().catch((error: unknown) => {
            storage.recover();
            session['theme'] = 'light';
            answer({ ...failureOf(error), isSame: request.session === session });
          });
        },
      });
      const visitor = browser();
      await visitor.get('/x/set');
      expect((await visitor.get('/x/regenerate')).json()).toMatchObject({ status: 503, isSame: true });
      expect(await dataOf(visitor)).toEqual({ theme: 'light' });
    });

    it('signs out', async () => {
      const { browser, storage } = await start({ regenerate: called('regenerate') });
      const visitor = browser();
      await visitor.post('/do/in');
      await visitor.get('/x/regenerate');
      expect(await userOf(visitor)).toBeNull();
      expect(await visitor.cookie()).toBeUndefined();
      expect(rowsOf(storage)).toEqual([]);
    });
  });

  describe('destroy', () => {
    it('ends the session, removes the cookie, and leaves no `req.session`', async () => {
      const { browser, storage, events } = await start({ destroy: called('destroy', show) });
      const visitor = browser();
      await visitor.post('/do/in');
      expect((await visitor.get('/x/destroy')).json()).toEqual({ session: null, id: null, sessionID: null });
      expect(await visitor.cookie()).toBeUndefined();
      expect(rowsOf(storage)).toEqual([]);
      expect(events.filter(({ name }) => name === 'revoked')).toMatchObject([{ reason: 'logout' }]);
    });

    it('leaves none at once', async () => {
      const { browser } = await start({
        destroy: (request, answer) => {
          const { session } = request;
          const destroying = session.destroy();
          const now = request.session ?? null;
          return destroying.then(() => answer({ now, old: session }));
        },
      });
      const visitor = browser();
      await visitor.get('/x/set');
      expect((await visitor.get('/x/destroy')).json()).toEqual({ now: null, old: { theme: 'dark' } });
    });

    it('that nobody waits for is done before the response leaves, or is the response', async () => {
      const { browser, storage } = await start({
        forget: (request, answer) => {
          void request.session.destroy();
          answer({ bye: true });
        },
      });
      const [visitor, other] = [browser(), browser()];
      await visitor.post('/do/in');
      await other.post('/do/in?user=bob');
      expect((await visitor.get('/x/forget')).status).toBe(200);
      expect(rowsOf(storage)).toHaveLength(1);
      storage.fail('delete');
      expect((await other.get('/x/forget')).status).toBe(503);
      storage.recover();
      expect(await userOf(other)).toBe('bob');
    });

    it('that fails behind the answer is in the log, with its route', async () => {
      const { browser, storage, log } = await start({
        late: (request, answer) => {
          answer({ bye: true });
          storage.fail('delete');
          void request.session.destroy();
        },
      });
      const visitor = browser();
      await visitor.post('/do/in');
      expect((await visitor.get('/x/late')).status).toBe(200);
      await visitor.get('/plain');
      expect(log.sessionErrors).toContainEqual(
        expect.stringMatching(
          /^GET \/x\/:name: a step of the session that nobody awaits failed after the response had begun: /,
        ),
      );
    });

    it('that fails is for the one who waits for it', async () => {
      const { browser, storage } = await start({
        wait: (request, answer) => {
          storage.fail('delete');
          request.session.destroy().catch((error: unknown) => answer(failureOf(error)));
        },
      });
      const visitor = browser();
      await visitor.post('/do/in');
      const reply = await visitor.get('/x/wait');
      expect([reply.status, reply.json<{ status: number }>().status]).toEqual([200, 503]);
    });
  });

  describe('reload', () => {
    it('reads what others have stored, and drops what was not saved', async () => {
      const { browser, store } = await start({
        reload: async (request, answer) => {
          const old = request.session;
          old['theme'] = 'light';
          await store.save(old.id ?? '', { userId: null, data: { theme: 'blue' } }, '1h', { sessions: true });
          await request.session.reload();
          answer({ isSame: old === request.session, now: request.session, old });
        },
      });
      const visitor = browser();
      await visitor.get('/x/set');
      expect((await visitor.get('/x/reload')).json()).toEqual({
        isSame: false,
        now: { theme: 'blue' },
        old: { theme: 'light' },
      });
      expect(await dataOf(visitor)).toEqual({ theme: 'blue' });
    });

    it('fails when the session has ended', async () => {
      const { browser, store } = await start({
        reload: (request, answer) =>
          void store.delete(request.session.id ?? '').then(() => called('reload')(request, answer)),
      });
      const visitor = browser();
      await visitor.get('/x/set');
      expect((await visitor.get('/x/reload')).json()).toMatchObject({ error: { status: 401 } });
    });

    it('of a session that is not stored empties it', async () => {
      const { browser, storage } = await start({
        reload: (request, answer) => {
          request.session['theme'] = 'dark';
          called('reload', show)(request, answer);
        },
      });
      expect((await browser().get('/x/reload')).json()).toMatchObject({ session: {} });
      expect(rowsOf(storage)).toEqual([]);
    });
  });

  it('touch makes the request count as use, and gives the session back, as resetMaxAge does', async () => {
    @Controller('poll')
    @SkipTouch()
    class PollController {
      @Get(':word')
      poll(@Param('word') word: string, @Req() { session }: ExpressRequest): boolean {
        return word === 'touch' ? session.touch() === session : session.resetMaxAge() === session;
      }
    }
    const { browser, clock, storage, store } = await open(
      withHandlers({ set }, { controllers: [PollController] }),
    );
    const visitor = browser();
    await visitor.get('/x/set');
    const touches = async (path: string): Promise<number> => {
      clock.advance('1h');
      storage.forget();
      expect((await visitor.get(path)).text).toBe('true');
      await store.manager.drain();
      return storage.calls.filter((call) => call === 'touch').length;
    };
    expect(await touches('/poll/rest')).toBe(0);
    expect(await touches('/poll/touch')).toBe(1);
  });

  describe('cookie', () => {
    const cookie: Handler = ({ session }, answer) => answer(session.cookie);

    it('says when it ends and which attributes it has, stored or not', async () => {
      const { browser, clock } = await start({ cookie });
      const visitor = browser();
      const attributes = { httpOnly: true, secure: true, sameSite: 'lax', path: '/', partitioned: false };
      const fresh = {
        ...attributes,
        originalMaxAge: 30 * DAY,
        maxAge: 30 * DAY,
        expires: new Date(START + 30 * DAY).toISOString(),
      };
      expect((await visitor.get('/x/cookie')).json()).toEqual(fresh);
      await visitor.get('/x/set');
      clock.advance(DAY / 2);
      expect((await visitor.get('/x/cookie')).json()).toEqual({ ...fresh, maxAge: 29.5 * DAY });
    });

    it('has no age when it ends with the browser session', async () => {
      const { browser } = await open(
        withHandlers({ cookie }, { options: { cookie: { persistent: false, domain: 'app.test' } } }),
      );
      expect((await browser().get('/x/cookie')).json()).toMatchObject({
        originalMaxAge: null,
        maxAge: null,
        expires: null,
        domain: 'app.test',
      });
    });

    it('names what to do instead when it is changed', async () => {
      const { browser } = await start({
        change: ({ session }, answer) => {
          try {
            answer(Object.assign(session.cookie, { maxAge: 1000 }));
          } catch (error) {
            answer({ name: (error as Error).name, ...failureOf(error) });
          }
        },
      });
      expect((await browser().get('/x/change')).json()).toEqual({
        name: 'TypeError',
        message: expect.stringMatching(
          /^`req\.session\.cookie\.maxAge` cannot be changed: .*`authenticate\(/,
        ),
      });
    });
  });

  it('warns once when a user is written to it while nobody is signed in', async () => {
    const { browser, log } = await start({
      user: ({ session }, answer) => {
        session['userId'] = 'ada';
        session['user'] = { id: 'ada' };
        answer({});
      },
    });
    const [ada, bob] = [browser(), browser()];
    await bob.post('/do/in?user=bob');
    await bob.get('/x/user');
    expect(log.sessionWarnings).toEqual([]);
    await ada.get('/x/user');
    await ada.get('/x/user');
    expect(log.sessionWarnings).toEqual([
      expect.stringMatching(
        /^`req\.session\.userId` was set while nobody is signed in.*authenticate\(userId\)/,
      ),
    ]);
  });

  it('stays what an app makes of it', async () => {
    const { browser } = await start({
      assign: (request, answer) => {
        Object.assign(request, { session: { own: true } });
        answer(request.session);
      },
    });
    expect((await browser().get('/x/assign')).json()).toEqual({ own: true });
  });
});
