import { Parent, Query, ResolveField, Resolver } from '@nestjs/graphql';
import { Session } from 'nest-sessions';
import { rowsOf } from '../../support/storage.js';
import {
  type Answer,
  codesOf,
  onEachDriver,
  openSignedIn,
  type Steps,
  Thing,
  type TestSession,
} from './support/open-graphql.js';

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** `put7` puts something under the key `7`, some turns of the event loop later. */
const PUTS: Steps = Object.fromEntries(
  Array.from({ length: 200 }, (_, index) => [
    `put${index}`,
    async (session: TestSession) => {
      for (let turns = index % 7; turns > 0; turns--) await turn();
      session.data[String(index)] = index;
    },
  ]),
);
const STEPS: Steps = {
  ...PUTS,
  signIn: (session) => session.authenticate('ada'),
  all: (session) => Object.keys(session.data).length,
  count: (session) => session.update((data) => (data['count'] = Number(data['count'] ?? 0) + 1)),
};

const fields = (count: number, field: (index: number) => string): string =>
  Array.from({ length: count }, (_, index) => `f${index}: ${field(index)}`).join(' ');

const writes = (calls: readonly string[]): string[] => calls.filter((call) => call !== 'touch');

onEachDriver('two hundred fields', (open) => {
  it('share one look-up', async () => {
    const { ask, ada, storage } = await openSignedIn(open, { steps: STEPS });
    const { data, errors } = (await ask(ada, `{ ${fields(200, () => 'who')} }`)).json<Answer>();
    expect(errors).toBeUndefined();
    expect(new Set(Object.values(data ?? {}))).toEqual(new Set(['ada']));
    expect(storage.calls).toEqual(['find']);
  });

  it('that change the session share one save, and keep every change', async () => {
    const { ask, ada, storage } = await openSignedIn(open, { steps: STEPS });
    const query = `{ ${fields(200, (index) => `read(step: "put${index}")`)} }`;
    expect((await ask(ada, query)).json<Answer>().errors).toBeUndefined();
    expect(writes(storage.calls)).toEqual(['find', 'save']);
    expect((await ask(ada, '{ read(step: "all") }')).json()).toEqual({ data: { read: '200' } });
  });

  it('begin one session for a visitor', async () => {
    const { ask, browser, storage } = await open({ steps: STEPS });
    const visitor = browser();
    const answer = await ask(visitor, `{ ${fields(200, (index) => `read(step: "put${index}")`)} }`);
    expect(answer.json<Answer>().errors).toBeUndefined();
    expect(answer.setCookies).toHaveLength(1);
    expect(storage.calls).toEqual(['insert']);
    expect(rowsOf(storage)).toHaveLength(1);
  });

  it('below a query share one save', async () => {
    const { ask, ada, storage } = await openSignedIn(open, { steps: STEPS });
    const query = `{ things(count: 50) { ${fields(4, (index) => `does(step: "put${index}")`)} } }`;
    expect((await ask(ada, query)).json<Answer>().errors).toBeUndefined();
    expect(writes(storage.calls)).toEqual(['find', 'save']);
  });

  it('below a query, with interceptors of their own, share one save too', async () => {
    const graphql = { fieldResolverEnhancers: ['guards', 'interceptors', 'filters'] };
    const { ask, ada, storage } = await openSignedIn(open, { steps: STEPS, graphql });
    const query = `{ things(count: 50) { ${fields(4, (index) => `does(step: "put${index}")`)} } }`;
    expect((await ask(ada, query)).json<Answer>().errors).toBeUndefined();
    expect(writes(storage.calls)).toEqual(['find', 'save']);
  });
});

/** Loads what fields ask for in one turn of the event loop at once, as DataLoader does. */
@Resolver(() => Thing)
class Loading {
  readonly #asked: { name: string; resolve: (value: string) => void }[] = [];

  @Query(() => [Thing])
  things(): Thing[] {
    return [0, 1, 2].map((index) => ({ name: `thing ${index}` }));
  }

  @Query(() => Number)
  kept(@Session() session: TestSession): number {
    return Object.keys(session.data).length;
  }

  @ResolveField(() => String)
  owner(@Parent() { name }: Thing, @Session() session: TestSession): Promise<string> {
    return new Promise((resolve) => {
      if (this.#asked.push({ name, resolve }) > 1) return;
      setImmediate(() => {
        session.data['loaded'] = true;
        for (const one of this.#asked.splice(0)) one.resolve(`${one.name} of ${String(session.userId)}`);
      });
    });
  }
}

onEachDriver('what runs when its resolver has returned', (open) => {
  it('is saved with the response, once: fields that are loaded together', async () => {
    const { ask, ada, storage } = await openSignedIn(open, { resolvers: [Loading] });
    expect((await ask(ada, '{ things { owner } }')).json()).toEqual({
      data: { things: [0, 1, 2].map((index) => ({ owner: `thing ${index} of ada` })) },
    });
    expect(writes(storage.calls)).toEqual(['find', 'save']);
    expect((await ask(ada, '{ kept }')).json()).toEqual({ data: { kept: 1 } });
  });
});

onEachDriver('a batch of operations', (open) => {
  it('has one look-up and one save, queries and mutations alike', async () => {
    const { ask, ada, storage } = await openSignedIn(open, { steps: STEPS });
    const batch = Array.from({ length: 20 }, (_, index) =>
      index % 2 === 0 ? '{ who }' : `mutation { change(step: "put${index}") }`,
    );
    const answers = (await ask(ada, batch)).json<Answer[]>();
    expect(answers.map(({ data }) => data)).toEqual(
      batch.map((_, index) => (index % 2 === 0 ? { who: 'ada' } : { change: null })),
    );
    expect(writes(storage.calls)).toEqual(['find', 'save']);
    expect((await ask(ada, '{ read(step: "all") }')).json()).toEqual({ data: { read: '10' } });
  });

  it('signs in, and the response has one cookie', async () => {
    const { ask, browser, storage } = await open({ steps: STEPS });
    const ada = browser();
    const answer = await ask(ada, [
      'mutation { change(step: "signIn") }',
      'mutation { change(step: "put1") }',
    ]);
    expect(answer.json<Answer[]>().map(codesOf)).toEqual([{}, {}]);
    expect(answer.setCookies).toHaveLength(1);
    expect((await ask(ada, '{ who read(step: "all") }')).json()).toEqual({ data: { who: 'ada', read: '1' } });
    expect(rowsOf(storage).filter(({ userId }) => userId === 'ada')).toHaveLength(1);
  });
});

onEachDriver('the fields of a mutation', (open) => {
  it('run one after another: each sees what those before it have changed, and what it changes is saved', async () => {
    const { ask, ada, storage } = await openSignedIn(open, { steps: STEPS });
    const mutation = `mutation { ${fields(3, (index) => `change(step: "put${index}")`)} all: change(step: "all") }`;
    expect((await ask(ada, mutation)).json()).toEqual({ data: { f0: null, f1: null, f2: null, all: '3' } });
    expect(writes(storage.calls)).toEqual(['find', 'save', 'save', 'save']);
  });

  it('sign in, and go on as that user', async () => {
    const { ask, browser } = await open({ steps: STEPS });
    const ada = browser();
    const mutation = 'mutation { in: change(step: "signIn") put: change(step: "put1") }';
    const answer = await ask(ada, mutation);
    expect(answer.json()).toEqual({ data: { in: null, put: null } });
    expect(answer.setCookies).toHaveLength(1);
    expect((await ask(ada, '{ who read(step: "all") }')).json()).toEqual({ data: { who: 'ada', read: '1' } });
  });

  it('count exactly, in requests side by side', async () => {
    const { ask, ada } = await openSignedIn(open, {
      steps: { ...STEPS, counted: ({ data }) => data['count'] },
    });
    const mutation = `mutation { ${fields(5, () => 'change(step: "count")')} }`;
    await Promise.all(Array.from({ length: 8 }, () => ask(ada, mutation)));
    expect((await ask(ada, '{ read(step: "counted") }')).json()).toEqual({ data: { read: '40' } });
  });
});
