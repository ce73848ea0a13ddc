import { Context, Mutation, Query, Resolver } from '@nestjs/graphql';
import { Session, UserId } from 'nest-sessions';
import { signIn } from 'nest-sessions/testing';
import { openGraphqlSocket, OVER_SOCKETS } from './support/graphql-socket.js';
import {
  type Answer,
  codesOf,
  onEachDriver,
  openSignedIn,
  type Steps,
  type TestSession,
} from './support/open-graphql.js';

const STEPS: Steps = {
  put: (session) => void (session.data['value'] = 'kept'),
  'sign in carol': (session) => session.authenticate('carol'),
  'sign in dave': (session) => session.authenticate('dave'),
  value: ({ data }) => data['value'],
};

/** Requests and replies as the drivers give them to `context`. */
interface Given {
  readonly req?: { readonly headers: object };
  readonly raw?: object;
}

class AppContext {
  readonly loaders = {};
}

/** What apps return from their `context`, and drivers that have it. */
const CONTEXTS: readonly [title: string, make: (given: Given, reply: object) => unknown, drivers: RegExp][] =
  [
    ['nothing', () => undefined, /./],
    ['nothing of the request', () => ({ loaders: {} }), /./],
    ['request and response of Express', ({ req }, res) => ({ req, res }), /Express/],
    ['request and response of what Express gives', (given) => ({ ...given }), /Express/],
    ['request and reply of Fastify', (request, reply) => ({ req: request, res: reply }), /Fastify|Mercurius/],
    ['request and reply by other names', (request, reply) => ({ request, reply }), /Fastify|Mercurius/],
    ['the raw request of Fastify', (request) => ({ req: request.raw }), /Fastify|Mercurius/],
    ['an object of a class', () => new AppContext(), /./],
  ];

onEachDriver('a context of the app', (open, driver) => {
  const here = CONTEXTS.filter(([, , drivers]) => drivers.test(driver));

  it.each(here)('may be %s', async (_, context) => {
    const { ask, ada, storage } = await openSignedIn(open, { steps: STEPS, graphql: { context } });
    expect((await ask(ada, 'mutation { change(step: "put") }')).json()).toEqual({ data: { change: null } });
    expect((await ask(ada, ['{ who }', '{ value }'])).json()).toEqual([
      { data: { who: 'ada' } },
      { data: { value: 'kept' } },
    ]);
    expect(storage.calls.filter((call) => call !== 'touch')).toEqual(['find', 'save', 'find']);
  });

  it('that hides the request is refused what needs a user, and the log says why', async () => {
    const context = () => ({ req: { user: 'ada' } });
    const { ask, ada, log, storage } = await openSignedIn(open, { graphql: { context } });
    const answer = (await ask(ada, '{ secret news skipped }')).json<Answer>();
    if (driver === 'Mercurius') {
      expect(answer).toEqual({ data: { secret: 'secret', news: 'news', skipped: 'null' } });
      return;
    }
    expect(answer.data).toEqual({ secret: null, news: 'news', skipped: 'null' });
    expect(codesOf(answer)).toEqual({ secret: 'session_unsupported' });
    const others = (await ask(ada, '{ who value } ')).json<Answer>();
    expect(codesOf(others)).toEqual({ who: 'session_unsupported', value: 'session_unsupported' });
    // Each handler is named once in a process.
    if (driver === 'Apollo on Express')
      expect(log.lines.map(({ message }) => message)).toEqual([
        expect.stringContaining('belongs to no HTTP request'),
        expect.stringContaining('StepResolver.who: refused: the GraphQL operation belongs to no'),
        expect.stringContaining('StepResolver.value: refused: the GraphQL operation belongs to no'),
      ]);
    expect(storage.calls).toEqual([]);
  });
});

onEachDriver('a context that is one object for all requests', (open, driver) => {
  class Shared {
    readonly #loaders = ['loader'];
    readonly loaders = this.#loaders;
  }
  const shared = new Shared();

  it.each([
    ['as it is', { loaders: {} }],
    ['by a function', () => shared],
    ['by a function that takes its time', async () => Promise.resolve(shared)],
  ])('does not mix users, given %s', async (_, context) => {
    const opened = await openSignedIn(open, { steps: STEPS, graphql: { context } });
    const bob = opened.browser();
    const { cookie } = await signIn(opened.app, 'bob');
    await bob.plant(cookie.slice(cookie.indexOf('=') + 1));
    const wanted = Array.from({ length: 40 }, (_one, index) => (index % 2 === 0 ? 'ada' : 'bob'));
    const answers = await Promise.all(
      wanted.map((user) => opened.ask(user === 'ada' ? opened.ada : bob, '{ who ofContext }')),
    );
    expect(answers.map((reply) => reply.json<Answer>().data)).toEqual(
      wanted.map((user) => ({ who: user, ofContext: user })),
    );
    if (driver !== 'Mercurius') return;
    const signIns = await Promise.all(
      ['carol', 'dave'].map((user) =>
        opened.ask(opened.browser(), `mutation { change(step: "sign in ${user}") }`),
      ),
    );
    expect(signIns.map(({ setCookies }) => setCookies.length)).toEqual([1, 1]);
  });
});

onEachDriver('a session loaded by middleware', (open) => {
  it('is that of the resolvers, and an outage is the error of each', async () => {
    const options = { mount: 'middleware' } as const;
    const { ask, ada, browser, storage } = await openSignedIn(open, { steps: STEPS, options });
    expect((await ask(ada, '{ who a: news }')).json()).toEqual({ data: { who: 'ada', a: 'news' } });
    expect(storage.calls).toEqual(['find']);
    expect((await ask(browser(), 'mutation { change(step: "put") }')).setCookies).toHaveLength(1);
    const foreign = await ask(ada, '{ read(step: "put") }', { 'sec-fetch-site': 'cross-site' });
    expect(codesOf(foreign.json<Answer>())).toEqual({ read: 'cross_site_request' });
    storage.forget();
    storage.goDown();
    const down = (await ask(ada, '{ who news skipped }')).json<Answer>();
    expect(codesOf(down)).toEqual({ who: 'session_store_unavailable', news: 'session_store_unavailable' });
    expect(storage.calls).toEqual(['find']);
  });
});

/** Executes an operation in a resolver of another, for the same request, which Mercurius has a method for. */
@Resolver()
class Nesting {
  @Query(() => String, { nullable: true })
  async outer(@Context() context: { reply: { graphql(query: string): Promise<Answer> } }): Promise<string> {
    const { data } = await context.reply.graphql('mutation { inner }');
    return JSON.stringify(data);
  }

  @Mutation(() => String, { nullable: true })
  inner(@Session() session: TestSession): string {
    session.data['value'] = 'kept by the inner one';
    return 'inner';
  }

  @Query(() => String, { nullable: true })
  value(@Session('value') value: unknown): unknown {
    return value;
  }
}

onEachDriver('an operation inside another', (open, driver) => {
  it('has the same session, and does not wait for the resolver that waits for it', async () => {
    if (driver !== 'Mercurius') return;
    const { ask, ada } = await openSignedIn(open, { resolvers: [Nesting] });
    expect((await ask(ada, '{ outer }')).json()).toEqual({ data: { outer: '{"inner":"inner"}' } });
    expect((await ask(ada, '{ value }')).json()).toEqual({ data: { value: 'kept by the inner one' } });
  });
});

/** Makes the upgrade look like a request, as apps do. */
function upgradeAsRequest(given: { extra?: { request: object }; req?: object }): object {
  return { req: given.extra?.request ?? given.req ?? given };
}

/** Contexts of apps for operations over a socket. */
const OVER_A_SOCKET: readonly [title: string, make: (...given: never[]) => unknown][] = [
  ['nothing', () => undefined],
  ['nothing of the connection', () => ({ loaders: {} })],
  ['the upgrade as a request', upgradeAsRequest],
  ['what was given', (given: object) => ({ ...given })],
];

@Resolver()
class OverASocket {
  @Query(() => String, { nullable: true })
  who(@UserId() userId: string): string {
    return userId;
  }
}

onEachDriver('a context of the app over a socket', (open, driver) => {
  it.each(OVER_A_SOCKET)('may be %s', async (_, context) => {
    const isMercurius = driver === 'Mercurius';
    const more = isMercurius
      ? {
          subscription: {
            fullWsTransport: true,
            context: (_socket: object, req: object) => context(...([{ req }] as never[])),
          },
        }
      : { context };
    const graphql = { ...OVER_SOCKETS[driver], ...more };
    const options = { live: { recheck: '1h' } } as const; // no look-up of what is open comes between
    const { port, ada, storage } = await openSignedIn(open, { resolvers: [OverASocket], graphql, options });
    const cookie = `__Host-sid=${(await ada.cookie()) ?? ''}`;
    const socket = openGraphqlSocket(port, { cookie: () => cookie });
    expect(await socket.ask('{ who }')).toEqual({ data: { who: 'ada' } });
    expect(storage.calls).toEqual(['find', 'find']); // of the upgrade, and of the operation
  });
});

onEachDriver('sockets beside sessions that middleware loads', (open, driver) => {
  it('have sessions of their own', async () => {
    const graphql = OVER_SOCKETS[driver];
    const options = { mount: 'middleware', currentSession: true } as const;
    const { port, ada } = await openSignedIn(open, { resolvers: [OverASocket], graphql, options });
    const cookie = `__Host-sid=${(await ada.cookie()) ?? ''}`;
    const socket = openGraphqlSocket(port, { cookie: () => cookie });
    const anonymous = openGraphqlSocket(port);
    for (let i = 0; i < 2; i++) {
      expect(await socket.ask('{ who }')).toEqual({ data: { who: 'ada' } });
      expect(codesOf(await anonymous.ask('{ who }'))).toEqual({ who: 'authentication_required' });
    }
  });
});
