import { Injectable } from '@nestjs/common';
import { Args, Context, Mutation, Query, Resolver, Subscription } from '@nestjs/graphql';
import { createClient } from 'graphql-ws';
import { Public, RequireAuth, Session } from 'nest-sessions';
import { WebSocket } from 'ws';
import {
  type Answer,
  codesOf,
  type Driver,
  onEachDriver,
  openSignedIn,
  type Steps,
  type TestSession,
} from './support/open-graphql.js';

const STEPS: Steps = {
  put: (session) => void (session.data['value'] = 'kept'),
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
    // Each handler is named once in a process.
    if (driver === 'Apollo on Express')
      expect(log.lines.map(({ message }) => message)).toEqual([
        expect.stringContaining('belongs to no HTTP request'),
      ]);
    expect(storage.calls).toEqual([]);
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

async function* once(value: object): AsyncGenerator<object> {
  yield value;
}

@Injectable()
@Resolver()
class News {
  @Query(() => String)
  ping(): string {
    return 'pong';
  }

  @Query(() => String, { nullable: true })
  @RequireAuth()
  secret(): string {
    return 'secret';
  }

  @Subscription(() => String)
  @Public()
  news(): AsyncGenerator<object> {
    return once({ news: 'what everybody may hear' });
  }

  @Subscription(() => String)
  @RequireAuth()
  secrets(): AsyncGenerator<object> {
    return once({ secrets: 'what Ada may hear' });
  }

  @Subscription(() => String)
  own(@Session() session: TestSession, @Args('by', { nullable: true }) _by?: string): AsyncGenerator<object> {
    return once({ own: String(session.userId) });
  }
}

/** What a subscription sends first, over a socket whose upgrade had the cookie. */
async function heard(port: number, cookie: string, query: string): Promise<string> {
  class WithCookie extends WebSocket {
    constructor(url: string, protocols: string | string[]) {
      super(url, protocols, { headers: { cookie } });
    }
  }
  const client = createClient({
    url: `ws://127.0.0.1:${port}/graphql`,
    webSocketImpl: WithCookie,
    retryAttempts: 0,
  });
  try {
    return await new Promise<string>((resolve) => {
      const done = (value: unknown): void => resolve(JSON.stringify(value));
      client.subscribe(
        { query },
        { next: done, error: done, complete: () => resolve('completed without anything') },
      );
    });
  } finally {
    await client.dispose();
  }
}

const SOCKETS: Record<Driver, object> = {
  'Apollo on Express': { subscriptions: { 'graphql-ws': true } },
  'Apollo on Fastify': { subscriptions: { 'graphql-ws': true } },
  Mercurius: { subscription: { fullWsTransport: true } },
};

/** Takes the request of the upgrade for that of the operation, as apps do. */
const UPGRADES: Record<Driver, object> = {
  'Apollo on Express': { context: upgradeAsRequest },
  'Apollo on Fastify': { context: upgradeAsRequest },
  Mercurius: {
    subscription: { fullWsTransport: true, context: (_socket: object, req: object) => ({ req }) },
  },
};

function upgradeAsRequest(given: { extra?: { request: object }; req?: object }): object {
  return { req: given.extra?.request ?? given.req ?? given };
}

onEachDriver('an operation over a socket', (open, driver) => {
  it.each([
    ['with the context of the driver', {}],
    ['with a context that makes the upgrade look like a request', UPGRADES[driver]],
  ])('never reads the cookie of the upgrade, %s', async (_, more) => {
    const graphql = { ...SOCKETS[driver], ...more };
    const { port, ada, storage } = await openSignedIn(open, { resolvers: [News], graphql });
    const cookie = `__Host-sid=${(await ada.cookie()) ?? ''}`;
    const hear = (query: string) => heard(port, cookie, query);
    expect(await hear('subscription { news }')).toContain('what everybody may hear');
    expect(await hear('subscription { secrets }')).toContain('sessions do not reach GraphQL');
    expect(await hear('{ secret }')).toContain('sessions do not reach GraphQL');
    expect(await hear('subscription { own }')).toContain('@Session() was used where no session is loaded');
    expect(storage.calls).toEqual([]);
  });
});
