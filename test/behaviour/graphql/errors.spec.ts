import { type ArgumentsHost, Catch, type ExceptionFilter } from '@nestjs/common';
import { APP_FILTER } from '@nestjs/core';
import { SessionConflictError, SessionStore } from 'nest-sessions';
import { OUTAGE, rowsOf } from '../../support/storage.js';
import { type Answer, codesOf, onEachDriver, openSignedIn, type Steps } from './support/open-graphql.js';

const STEPS: Steps = {
  signIn: (session) => session.authenticate('ada'),
  put: (session) => void (session.data['value'] = 'kept'),
  update: (session) => session.update((data) => (data['value'] = 'kept')),
  value: ({ data }) => data['value'],
  nothing: () => undefined,
  large: (session) => void (session.data['value'] = 'x'.repeat(100_000)),
  noJson: (session) => void (session.data['value'] = 10n),
  floating: (session) => void session.update(() => Promise.reject(new Error('nobody awaits this'))),
  floatingSave: (session) => {
    session.data['value'] = 'kept';
    void session.save();
  },
  nested: (session) => session.update(() => session.update(() => undefined)),
  putAndFail: (session) => {
    session.data['value'] = 'kept';
    throw new Error('after the change');
  },
};
const CHANGE = (step: string) => `mutation { change(step: "${step}") }`;

onEachDriver('an error', (open) => {
  it('of storage that is down refuses each field that has a session, and no other', async () => {
    const { ask, ada, browser, storage } = await openSignedIn(open, { steps: STEPS });
    storage.goDown();
    const reply = await ask(ada, '{ a: who news b: who secret skipped }');
    const answer = reply.json<Answer>();
    expect(answer.data).toEqual({ a: null, news: null, b: null, secret: null, skipped: 'null' });
    expect(new Set(Object.values(codesOf(answer)))).toEqual(new Set(['session_store_unavailable']));
    expect(Object.keys(codesOf(answer))).toEqual(['a', 'news', 'b', 'secret']);
    expect(reply.text).not.toContain(OUTAGE);
    expect(reply.headers['retry-after']).toBe('5');
    expect(reply.setCookies).toEqual([]);
    expect(storage.calls).toEqual(['find']);
    expect((await ask(browser(), '{ news skipped }')).json()).toEqual({
      data: { news: 'news', skipped: 'null' },
    });
    storage.recover();
    expect((await ask(ada, '{ who }')).json()).toEqual({ data: { who: 'ada' } });
  });

  it('of a save is that of the field, whose value is not sent', async () => {
    const { ask, ada, storage } = await openSignedIn(open, { steps: STEPS });
    storage.fail('save');
    const reply = await ask(ada, `mutation { ok: change(step: "nothing") failed: change(step: "put") }`);
    const answer = reply.json<Answer>();
    expect(answer.data).toEqual({ ok: null, failed: null });
    expect(codesOf(answer)).toEqual({ failed: 'session_store_unavailable' });
    expect(reply.text).not.toContain(OUTAGE);
    storage.recover();
    expect((await ask(ada, '{ read(step: "value") }')).json()).toEqual({ data: { read: null } });
  });

  it('of a save is that of all fields that it was for', async () => {
    const { ask, ada, storage } = await openSignedIn(open, { steps: STEPS });
    storage.fail('save');
    const answer = (await ask(ada, '{ a: read(step: "put") b: read(step: "put") skipped }')).json<Answer>();
    expect(answer.data).toEqual({ a: null, b: null, skipped: 'null' });
    expect(codesOf(answer)).toEqual({ a: 'session_store_unavailable', b: 'session_store_unavailable' });
  });

  it('of a save of one field is none of those that are called after it', async () => {
    const { ask, ada, storage } = await openSignedIn(open, { steps: STEPS });
    storage.fail('save');
    const query = 'mutation { a: change(step: "put") b: change(step: "value") }';
    expect(codesOf((await ask(ada, query)).json<Answer>())).toEqual({ a: 'session_store_unavailable' });
  });

  it('of a session that was revoked meanwhile is `session_gone`', async () => {
    const revoked: { store?: SessionStore } = {};
    const steps: Steps = {
      ...STEPS,
      revoked: async (session) => {
        await revoked.store?.destroyAllForUser('ada');
        session.data['value'] = 'lost';
      },
    };
    const { ask, ada, store, storage } = await openSignedIn(open, { steps });
    revoked.store = store;
    const answer = (await ask(ada, CHANGE('revoked'))).json<Answer>();
    expect(answer.data).toEqual({ change: null });
    expect(codesOf(answer)).toEqual({ change: 'session_gone' });
    expect(rowsOf(storage)).toEqual([]);
    expect(codesOf((await ask(ada, '{ who }')).json<Answer>())).toEqual({ who: 'authentication_required' });
  });

  it('of a session that another request ends while it is saved is `session_gone`', async () => {
    const { ask, ada, store, storage } = await openSignedIn(open, { steps: STEPS });
    const held = storage.hold('save');
    const changing = ask(ada, CHANGE('put'));
    await held.reached;
    await store.destroyAllForUser('ada');
    held.release();
    expect(codesOf((await changing).json<Answer>())).toEqual({ change: 'session_gone' });
    expect(rowsOf(storage)).toEqual([]);
  });

  it('of a step that waits for itself is `session_conflict`', async () => {
    const { ask, ada } = await openSignedIn(open, { steps: STEPS, options: { timeout: '50ms' } });
    expect(codesOf((await ask(ada, CHANGE('nested'))).json<Answer>())).toEqual({
      change: 'session_conflict',
    });
  });

  it.each([
    ['large', 'session_too_large'],
    ['noJson', 'session_data_invalid'],
  ])('of data that cannot be stored has its code: %s', async (step, code) => {
    const { ask, ada, log } = await openSignedIn(open, { steps: STEPS });
    const answer = (await ask(ada, CHANGE(step))).json<Answer>();
    expect(answer.data).toEqual({ change: null });
    expect(codesOf(answer)).toEqual({ change: code });
    expect(log.lines.filter(({ message }) => message.includes('StepResolver.change')).length).toBe(
      code === 'session_data_invalid' ? 1 : 0,
    );
  });

  it.each(['large', 'nested'])('has no words for the developer: %s', async (step) => {
    const options = { timeout: '100ms' } as const;
    const { ask, ada } = await openSignedIn(open, { steps: STEPS, options });
    const { errors = [] } = (await ask(ada, CHANGE(step))).json<Answer>();
    const over = await ada.post('/graphql', { query: CHANGE(step) });
    expect(errors).toHaveLength(1);
    expect(errors[0]?.message).toMatch(/^The session (would hold too much|has changed meanwhile)/);
    expect(over.text).not.toMatch(/maxDataBytes|`timeout`/);
  });

  it('of a limit has its code', async () => {
    const options = { maxPerUser: 1, onLimit: 'reject' } as const;
    const { ask, browser } = await openSignedIn(open, { steps: STEPS, options });
    const answer = await ask(browser(), CHANGE('signIn'));
    expect(codesOf(answer.json<Answer>())).toEqual({ change: 'session_limit_reached' });
    expect(answer.setCookies).toEqual([]);
  });

  it('of a promise that nobody awaits is that of the field', async () => {
    const { ask, ada, storage } = await openSignedIn(open, { steps: STEPS });
    const thrown = (await ask(ada, CHANGE('floating'))).json<Answer>();
    expect(thrown.data).toEqual({ change: null });
    expect(thrown.errors?.[0]?.message).toBe('nobody awaits this');
    storage.fail('save');
    const unsaved = (await ask(ada, CHANGE('floatingSave'))).json<Answer>();
    expect(unsaved.data).toEqual({ change: null });
    expect(codesOf(unsaved)).toEqual({ change: 'session_store_unavailable' });
  });

  it('of a resolver after a change leaves as it is, and the change is saved', async () => {
    const { ask, ada } = await openSignedIn(open, { steps: STEPS });
    const { data, errors } = (await ask(ada, CHANGE('putAndFail'))).json<Answer>();
    expect([data, errors?.map(({ message }) => message)]).toEqual([{ change: null }, ['after the change']]);
    expect((await ask(ada, '{ read(step: "value") }')).json()).toEqual({ data: { read: 'kept' } });
  });

  it('of a save after an error is the one that is sent', async () => {
    const { ask, ada, storage } = await openSignedIn(open, { steps: STEPS });
    storage.fail('save');
    const answer = (await ask(ada, CHANGE('putAndFail'))).json<Answer>();
    expect(codesOf(answer)).toEqual({ change: 'session_store_unavailable' });
  });

  it('of a save for a field that passes no interceptor answers the whole request, as GraphQL', async () => {
    const { ask, ada, storage } = await openSignedIn(open, { steps: STEPS });
    storage.fail('save');
    const reply = await ask(ada, '{ things(count: 1) { does(step: "put") } }');
    expect(reply.status).toBe(503);
    expect(reply.json()).toEqual({
      errors: [
        {
          message: 'Sessions are unavailable at the moment. Try again shortly',
          extensions: { code: 'session_store_unavailable' },
        },
      ],
    });
    expect(reply.headers['retry-after']).toBe('5');
  });

  it('of two tokens has its code', async () => {
    const { ask, ada } = await openSignedIn(open, { options: { transport: ['cookie', 'bearer'] } });
    const answer = (await ask(ada, '{ a: who b: who }', { authorization: 'Bearer junk' })).json<Answer>();
    expect(codesOf(answer)).toEqual({ a: 'two_tokens', b: 'two_tokens' });
  });

  it('of the store that a resolver calls by itself has words that a client may read', async () => {
    const called: { store?: SessionStore } = {};
    const steps: Steps = { list: () => called.store?.listForUser('ada') };
    const { ask, browser, store, storage } = await open({ steps });
    called.store = store;
    storage.goDown();
    const reply = await ask(browser(), '{ read(step: "list") }');
    expect(codesOf(reply.json<Answer>())).toEqual({ read: 'session_store_unavailable' });
    expect(reply.text).not.toContain(OUTAGE);
  });

  it('keeps its code where a filter of the app hands every exception on', async () => {
    @Catch()
    class PassingFilter implements ExceptionFilter {
      catch(exception: unknown, _host: ArgumentsHost): unknown {
        return exception;
      }
    }
    const providers = [{ provide: APP_FILTER, useClass: PassingFilter }];
    const { ask, browser, storage } = await openSignedIn(open, { steps: STEPS, providers });
    expect(codesOf((await ask(browser(), '{ who secret }')).json<Answer>())).toEqual({
      who: 'authentication_required',
      secret: 'authentication_required',
    });
    storage.fail('insert');
    expect(codesOf((await ask(browser(), CHANGE('put'))).json<Answer>())).toEqual({
      change: 'session_store_unavailable',
    });
  });

  it('reaches filters of the app by its class', async () => {
    @Catch(SessionConflictError)
    class ConflictFilter implements ExceptionFilter {
      catch(): string {
        return 'seen by the filter';
      }
    }
    const providers = [{ provide: APP_FILTER, useClass: ConflictFilter }];
    const steps: Steps = {
      conflict: () => {
        throw new SessionConflictError('somebody else was faster');
      },
    };
    const { ask, browser } = await open({ steps, providers });
    expect((await ask(browser(), '{ read(step: "conflict") }')).json()).toEqual({
      data: { read: 'seen by the filter' },
    });
  });
});
