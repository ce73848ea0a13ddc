import { currentSession } from 'nest-sessions';
import { signIn } from 'nest-sessions/testing';
import { onEachDriver, openSignedIn, type Steps } from './support/open-graphql.js';

const asker = async (): Promise<string> => {
  await new Promise((resolve) => setTimeout(resolve, Math.random() * 3));
  return String(currentSession()?.userId);
};

const STEPS: Steps = {
  asker,
  put: () => currentSession<Record<string, unknown>>()?.set('value', 'kept'),
};

onEachDriver('currentSession() in resolvers', (open) => {
  it('is the session of the request, in queries, in mutations and in the fields below them', async () => {
    const { ask, ada } = await openSignedIn(open, { steps: STEPS, options: { currentSession: true } });
    const query = '{ read(step: "asker") things { does(step: "asker") } }';
    expect((await ask(ada, query)).json()).toEqual({
      data: { read: 'ada', things: [{ does: 'ada' }, { does: 'ada' }] },
    });
    const mutation = 'mutation { first: change(step: "asker") put: change(step: "put") }';
    expect((await ask(ada, mutation)).json()).toEqual({ data: { first: 'ada', put: null } });
    expect((await ask(ada, '{ value }')).json()).toEqual({ data: { value: 'kept' } });
  });

  it('is in each operation of a batch', async () => {
    const { ask, ada } = await openSignedIn(open, { steps: STEPS, options: { currentSession: true } });
    const batch = ['{ read(step: "asker") }', 'mutation { change(step: "asker") }'];
    expect((await ask(ada, batch)).json()).toEqual([{ data: { read: 'ada' } }, { data: { change: 'ada' } }]);
  });

  it('is never that of another user whose fields run at the same time', async () => {
    const { app, ask, ada, browser } = await openSignedIn(open, {
      steps: STEPS,
      options: { currentSession: true },
    });
    const bob = browser();
    const { cookie } = await signIn(app, 'bob');
    await bob.plant(cookie.slice(cookie.indexOf('=') + 1));
    const query = '{ things(count: 20) { does(step: "asker") } }';
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, i) => ask(i % 2 === 0 ? ada : bob, query)),
    );
    for (const [i, answer] of answers.entries()) {
      const { things } = answer.json<{ data: { things: { does: string }[] } }>().data;
      expect(new Set(things.map(({ does }) => does))).toEqual(new Set([i % 2 === 0 ? 'ada' : 'bob']));
    }
  });
});
