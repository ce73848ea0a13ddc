import { Injectable } from '@nestjs/common';
import {
  Args,
  Field,
  Mutation,
  ObjectType,
  Parent,
  Query,
  ResolveField,
  Resolver,
  Subscription,
} from '@nestjs/graphql';
import { on, EventEmitter } from 'node:events';
import { setTimeout as after } from 'node:timers/promises';
import {
  currentSession,
  Public,
  RequireAuth,
  Session,
  SkipSession,
  SkipTouch,
  socketSession,
  UserId,
} from 'nest-sessions';
import type { Browser } from '../../support/browser.js';
import { rowsOf } from '../../support/storage.js';
import { BASICS, barrier, door } from '../../support/session-routes.js';
import { cookieNow, cookieOf, upgrade } from '../../support/sockets.js';
import {
  type Answer,
  codesOf,
  type GraphqlApp,
  type GraphqlSetup,
  OfContext,
  onEachDriver,
  type OpenGraphql,
  type TestSession,
} from './support/open-graphql.js';
import { type GraphqlSocket, openGraphqlSocket, OVER_SOCKETS } from './support/graphql-socket.js';

const SECOND = 1_000;

/** What is sent to whoever has subscribed. */
const news = new EventEmitter();
news.setMaxListeners(0);

const publish = (name: string): void => void news.emit('news', { news: { name } });

/** Resolves when that many listen. */
async function listeners(count: number): Promise<void> {
  while (news.listenerCount('news') !== count) await after(5);
}

/** No generator, which would not hear of its end while it waits for the next event. */
function listen(): AsyncIterator<object> {
  const events = on(news, 'news')[Symbol.asyncIterator]() as AsyncIterator<[object]>;
  return {
    next: async () => {
      const { done, value } = await events.next();
      return done === true ? { done, value: undefined } : { value: value[0] };
    },
    return: async () => {
      await events.return?.();
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  } as AsyncIterableIterator<object>;
}

let way = door();
let all = barrier(1);
/** Until all fields that keep something have come to it. */
let keeping = barrier(1);
beforeEach(() => {
  way = door();
  keeping = barrier(1);
  news.removeAllListeners();
});

@ObjectType()
class Item {
  @Field()
  name!: string;
}

@Injectable()
@Resolver(() => Item)
class Everything {
  @Query(() => String, { nullable: true })
  who(@UserId() userId: string): string {
    return userId;
  }

  @Query(() => String, { nullable: true })
  value(@Session('value') value: unknown): unknown {
    return value;
  }

  @Query(() => String, { nullable: true })
  @RequireAuth({ within: '10m' })
  recent(): string {
    return 'recent';
  }

  @Query(() => String, { nullable: true })
  @Public()
  open(): string {
    return 'open';
  }

  @Query(() => String, { nullable: true })
  @SkipSession()
  skipped(@OfContext() session: TestSession | null): string {
    return session === null ? 'null' : 'a session';
  }

  @Query(() => String, { nullable: true })
  @SkipTouch()
  poll(@Session() session: TestSession): string | null {
    return session.userId;
  }

  @Query(() => String, { nullable: true })
  async current(): Promise<string> {
    await all();
    return String(currentSession()?.userId);
  }

  @Query(() => String, { nullable: true })
  async slow(@UserId() userId: string): Promise<string> {
    await way.opened;
    return userId;
  }

  @Mutation(() => String, { nullable: true })
  put(@Args('value') value: string, @Session() session: TestSession): string {
    const before = session.data['value'];
    session.data['value'] = value;
    return String(before);
  }

  @Mutation(() => String, { nullable: true })
  async signIn(@Session() session: TestSession): Promise<void> {
    await session.authenticate('eve');
  }

  @Mutation(() => String, { nullable: true })
  async signOut(@Session() session: TestSession): Promise<string> {
    await session.logout();
    return 'signed out';
  }

  @Subscription(() => Item)
  @RequireAuth()
  news(): AsyncIterator<object> {
    return listen();
  }

  @Subscription(() => Item, {
    resolve: ({ news: item }: { news: Item }, _: unknown, context: object) => ({
      name: `${item.name} for ${String(socketSession(context)?.userId)}`,
    }),
    filter: ({ news: item }: { news: Item }, _: unknown, context: object) =>
      item.name !== `not for ${String(socketSession(context)?.userId)}`,
  })
  mine(): AsyncIterator<object> {
    return listen();
  }

  @Query(() => [Item])
  @Public()
  items(): Item[] {
    return [{ name: 'tea' }, { name: 'milk' }];
  }

  @ResolveField(() => String, { nullable: true })
  async keep(@Parent() { name }: Item, @Session() session: TestSession): Promise<string> {
    await after(1);
    await keeping();
    session.data[name] = 'kept';
    return 'kept';
  }

  @ResolveField(() => String, { nullable: true })
  async currently(): Promise<string> {
    await after(1);
    return String(currentSession()?.userId);
  }

  @Subscription(() => String, { resolve: () => 'what Ada may hear' })
  @RequireAuth()
  secrets(): AsyncIterator<object> {
    return listen();
  }

  @ResolveField(() => String, { nullable: true })
  own(@Parent() { name }: Item, @Session() session: TestSession): string {
    return `${name} of ${String(session.userId)}: ${String(session.data['value'])}`;
  }

  @ResolveField(() => String, { nullable: true })
  owner(@UserId() userId: string): string {
    return userId;
  }
}

interface OverSockets extends GraphqlApp {
  readonly ada: Browser;
  readonly cookie: string;
  /** A socket of Ada's page. */
  readonly socket: GraphqlSocket;
}

/** No look-up of what is open comes between those that a test counts. */
const live = { recheck: '1h' };

const open = (openGraphql: OpenGraphql, driver: string, { graphql, options, ...setup }: GraphqlSetup = {}) =>
  openGraphql({
    resolvers: [Everything],
    routes: BASICS,
    ...setup,
    options: { live, ...options },
    graphql: { ...OVER_SOCKETS[driver as keyof typeof OVER_SOCKETS], ...graphql },
  });

/** The socket is open, and nothing of that is counted. */
async function openSocket(
  openGraphql: OpenGraphql,
  driver: string,
  setup?: GraphqlSetup,
): Promise<OverSockets> {
  const app = await open(openGraphql, driver, setup);
  const ada = app.browser();
  const cookie = await cookieOf(ada);
  const socket = openGraphqlSocket(app.port, { cookie: () => cookie });
  await socket.ask('{ open }');
  app.storage.forget();
  return { ...app, ada, cookie, socket };
}

const codeOf = (answer: Answer | null): unknown => answer?.errors?.[0]?.extensions?.code;

onEachDriver('an operation over a socket', (openGraphql, driver) => {
  it('has the session with which the socket was opened, in every kind of resolver', async () => {
    const { socket, storage } = await openSocket(openGraphql, driver);
    expect(await socket.ask('{ who value recent open skipped poll }')).toEqual({
      data: { who: 'ada', value: null, recent: 'recent', open: 'open', skipped: 'null', poll: 'ada' },
    });
    expect(storage.calls).toEqual(['find']);
    expect(await socket.ask('mutation { a: put(value: "one") b: put(value: "two") }')).toEqual({
      data: { a: 'undefined', b: 'one' },
    });
    expect(await socket.ask('{ value }')).toEqual({ data: { value: 'two' } });
    expect(storage.calls).toEqual(['find', 'find', 'save', 'save', 'find']);
  });

  it('without a cookie is refused what needs a user, by code', async () => {
    const { port, storage } = await open(openGraphql, driver, { options: { requireAuth: true } });
    const socket = openGraphqlSocket(port);
    expect(await socket.ask('{ open }')).toEqual({ data: { open: 'open' } });
    const refused = await socket.ask('{ who value open }');
    expect(refused.data).toEqual({ who: null, value: null, open: 'open' });
    expect(codesOf(refused)).toEqual({ who: 'authentication_required', value: 'authentication_required' });
    expect(codeOf(await socket.subscribe('subscription { news { name } }').next())).toBe(
      'authentication_required',
    );
    expect(storage.calls).toEqual([]);
  });

  it('is served after the token has been rotated, which a cookie that is read again would not be', async () => {
    const { socket, ada, events, cookie } = await openSocket(openGraphql, driver, {
      routes: { ...BASICS, rotate: ({ session }) => session.rotate() },
    });
    await ada.get('/do/rotate');
    expect(await cookieNow(ada)).not.toBe(cookie);
    for (let i = 0; i < 3; i++) expect(await socket.ask('{ who }')).toEqual({ data: { who: 'ada' } });
    expect(events.map(({ name }) => name)).not.toContain('reuse');
    expect(socket.ends).toEqual([]);
  });

  it('takes no cookie and no token from what the client sends over the socket', async () => {
    const { port, app, browser } = await open(openGraphql, driver, {
      options: { transport: ['cookie', 'bearer'] },
    });
    expect(app).toBeDefined();
    const cookie = await cookieOf(browser());
    const authorization = `Bearer ${cookie.slice(cookie.indexOf('=') + 1)}`;
    const given = { cookie, Cookie: cookie, authorization, Authorization: authorization };
    const socket = openGraphqlSocket(port, { connectionParams: { ...given, headers: given } });
    for (let i = 0; i < 2; i++) {
      const answer = await socket.ask('{ who open }');
      expect(answer.data).toEqual({ who: null, open: 'open' });
      expect(codesOf(answer)).toEqual({ who: 'authentication_required' });
      await socket.subscribe('subscription { news { name } }').next(); // after which Mercurius merges them
    }
  });

  it('sees what requests have changed meanwhile, and requests see what it changes', async () => {
    const { socket, ada } = await openSocket(openGraphql, driver);
    await ada.post('/do/set', { value: 'by a request' });
    expect(await socket.ask('mutation { put(value: "by a socket") }')).toEqual({
      data: { put: 'by a request' },
    });
    expect((await ada.get('/do/data')).json()).toEqual({ value: 'by a socket' });
  });

  it('is an error when its changes cannot be saved', async () => {
    const { socket, storage } = await openSocket(openGraphql, driver);
    storage.fail('save');
    const answer = await socket.ask('mutation { put(value: "lost") }');
    expect(codesOf(answer)).toEqual({ put: 'session_store_unavailable' });
    expect(answer.data).toEqual({ put: null });
    storage.recover();
    expect(await socket.ask('{ value }')).toEqual({ data: { value: null } });
  });

  it('during an outage is an error, and nobody is disconnected', async () => {
    const { socket, storage } = await openSocket(openGraphql, driver);
    storage.goDown();
    const answer = await socket.ask('{ who open skipped }');
    expect(answer.data).toEqual({ who: null, open: null, skipped: 'null' });
    expect(codesOf(answer)).toEqual({
      who: 'session_store_unavailable',
      open: 'session_store_unavailable',
    });
    storage.recover();
    expect(await socket.ask('{ who }')).toEqual({ data: { who: 'ada' } });
    expect(socket.ends).toEqual([]);
  });

  it('cannot sign in, since no cookie could go out', async () => {
    const { socket, storage } = await openSocket(openGraphql, driver);
    const answer = await socket.ask('mutation { signIn }');
    expect(codesOf(answer)).toEqual({ signIn: 'session_conflict' });
    expect(rowsOf(storage).map(({ userId }) => userId)).toEqual(['ada']);
    expect(socket.ends).toEqual([]);
  });

  it('that signs out is answered, and then the socket is closed', async () => {
    const { socket, storage } = await openSocket(openGraphql, driver);
    const heard = socket.subscribe('subscription { news { name } }');
    await listeners(1);
    expect(await socket.ask('mutation { signOut again: put(value: "x") }')).toMatchObject({
      data: { signOut: 'signed out' },
    });
    expect(await socket.ended()).toBe('1008 logout');
    expect(await heard.next()).toBeNull();
    await listeners(0);
    expect(rowsOf(storage)).toEqual([]);
  });

  it('that signs out writes again where the session of its socket has ended before it was opened', async () => {
    const { ada, cookie, port, storage, store } = await openSocket(openGraphql, driver);
    await store.destroyAllForUser('ada');
    const late = openGraphqlSocket(port, { cookie: () => cookie });
    await late.ask('{ open }');
    const signOut = (): Promise<unknown>[] => [
      late.ask('mutation { signOut }'),
      ada.post('/graphql', { query: 'mutation { signOut }' }).then((reply) => reply.json()),
    ];
    storage.fail('delete');
    for (const answer of signOut())
      expect(codesOf((await answer) as Parameters<typeof codesOf>[0])).toEqual({
        signOut: 'session_store_unavailable',
      });
    storage.recover();
    storage.forget();
    for (const answer of signOut()) expect(await answer).toMatchObject({ data: { signOut: 'signed out' } });
    expect(storage.calls.filter((call) => call === 'delete')).toHaveLength(2);
  });

  it('counts as use, and what a subscription sends does not, nor an operation with @SkipTouch()', async () => {
    const { socket, storage, clock, store } = await openSocket(openGraphql, driver);
    const heard = socket.subscribe('subscription { news { own } }');
    await listeners(1);
    await after(20); // until the use by the subscription itself is recorded
    const begun = clock.now();
    const lastActive = async (): Promise<number> => {
      await store.manager.drain();
      return (rowsOf(storage)[0]?.lastActiveAt ?? 0) - begun;
    };
    clock.advance(600 * SECOND);
    publish('tea');
    expect(await heard.next()).toEqual({ data: { news: { own: 'tea of ada: undefined' } } });
    await socket.ask('{ poll }');
    await after(20);
    expect(await lastActive()).toBe(0);
    await socket.ask('{ poll who }');
    await after(20);
    expect(await lastActive()).toBe(600 * SECOND);
    expect(storage.calls.filter((call) => call === 'touch')).toHaveLength(1);
  });

  it('is handled on behalf of its session, each of many at the same time', async () => {
    const { port, browser } = await open(openGraphql, driver);
    const users = Array.from({ length: 20 }, (_, index) => `user-${index}`);
    const sockets = await Promise.all(
      users.map(async (user) => {
        const cookie = await cookieOf(browser(), user);
        return openGraphqlSocket(port, { cookie: () => cookie });
      }),
    );
    const EACH = 10;
    all = barrier(users.length * EACH);
    const answers = await Promise.all(
      sockets.map((socket) => Promise.all(Array.from({ length: EACH }, () => socket.ask('{ current }')))),
    );
    answers.forEach((of, index) => expect(of).toEqual(of.map(() => ({ data: { current: users[index] } }))));
  });
});

onEachDriver('a field over a socket', (openGraphql, driver) => {
  describe.each([[[]], [['guards']], [['guards', 'interceptors', 'filters']]])(
    'with enhancers %j',
    (fieldResolverEnhancers) => {
      const graphql = { fieldResolverEnhancers };

      it('is saved before it is answered, with those beside it', async () => {
        const { socket, ada, storage } = await openSocket(openGraphql, driver, { graphql });
        const save = storage.hold('save');
        keeping = barrier(2);
        let isAnswered = false;
        const asking = socket.ask('{ items { keep currently } }').then((answer) => {
          isAnswered = true;
          return answer;
        });
        await save.reached;
        await after(20);
        expect(isAnswered).toBe(false);
        save.release();
        const item = { keep: 'kept', currently: 'ada' };
        expect(await asking).toEqual({ data: { items: [item, item] } });
        expect(storage.calls.filter((call) => call === 'save')).toHaveLength(1);
        expect((await ada.get('/do/data')).json()).toEqual({ tea: 'kept', milk: 'kept' });
      });

      it('is an error when its changes cannot be saved, and nothing is kept', async () => {
        const { socket, ada, storage } = await openSocket(openGraphql, driver, { graphql });
        storage.fail('save');
        const answer = await socket.ask('{ items { keep } }');
        expect(answer.data).toEqual({ items: [{ keep: null }, { keep: null }] });
        expect(new Set(Object.values(codesOf(answer)))).toEqual(new Set(['session_store_unavailable']));
        storage.recover();
        expect((await ada.get('/do/data')).json()).toEqual({});
      });

      it('of a subscription as well', async () => {
        const { socket, storage } = await openSocket(openGraphql, driver, { graphql });
        const heard = socket.subscribe('subscription { news { keep } }');
        await listeners(1);
        storage.fail('save');
        publish('tea');
        expect(codeOf(await heard.next())).toBe('session_store_unavailable');
        storage.recover();
        publish('tea');
        expect(await heard.next()).toEqual({ data: { news: { keep: 'kept' } } });
      });

      it('of a visitor has nowhere to keep anything', async () => {
        const { port } = await open(openGraphql, driver, { graphql });
        const answer = await openGraphqlSocket(port).ask('{ items { keep } }');
        expect(new Set(Object.values(codesOf(answer)))).toEqual(new Set(['session_conflict']));
      });
    },
  );
});

onEachDriver('a subscription that is sent as a request', (openGraphql, driver) => {
  it('is refused, since no guard would be asked', async () => {
    const { ask, ada, browser } = await openSocket(openGraphql, driver, { options: { requireAuth: true } });
    const query = 'subscription { secrets }';
    for (const who of [browser(), ada]) {
      for (const operation of [query, [query, '{ open }']]) {
        const reply = await ask(who, operation);
        expect(reply.text).not.toContain('what Ada may hear');
        const [answer] = [reply.json<Answer | Answer[]>()].flat();
        expect(codesOf(answer ?? {})).toEqual({ secrets: 'subscription_by_request' });
      }
    }
    const foreign = await ask(ada, query, { origin: 'https://evil.test', 'sec-fetch-site': 'cross-site' });
    expect(foreign.text).not.toContain('what Ada may hear');
  });

  it('is served over a socket to those who may hear it', async () => {
    const { port, socket } = await openSocket(openGraphql, driver);
    const heard = socket.subscribe('subscription { secrets }');
    await listeners(1);
    publish('tea');
    expect(await heard.next()).toEqual({ data: { secrets: 'what Ada may hear' } });
    const nobody = openGraphqlSocket(port).subscribe('subscription { secrets }');
    expect(codeOf(await nobody.next())).toBe('authentication_required');
  });
});

onEachDriver('a subscription', (openGraphql, driver) => {
  it.each([[[]], [['guards']], [['guards', 'interceptors', 'filters']]])(
    'has the session in the fields of what it sends, as fresh as the event, with enhancers %j',
    async (fieldResolverEnhancers) => {
      const { socket, ada, storage } = await openSocket(openGraphql, driver, {
        graphql: { fieldResolverEnhancers },
      });
      const heard = socket.subscribe('subscription { news { own again: own owner } }');
      await listeners(1);
      publish('tea');
      expect(await heard.next()).toEqual({
        data: { news: { own: 'tea of ada: undefined', again: 'tea of ada: undefined', owner: 'ada' } },
      });
      await ada.post('/do/set', { value: 'changed' });
      storage.forget();
      publish('milk');
      expect(await heard.next()).toEqual({
        data: { news: { own: 'milk of ada: changed', again: 'milk of ada: changed', owner: 'ada' } },
      });
      expect(storage.calls).toEqual(['find']);
    },
  );

  it('knows in its filter, and in what it makes of an event, whose socket it is', async () => {
    const { socket } = await openSocket(openGraphql, driver);
    const heard = socket.subscribe('subscription { mine { name } }');
    await listeners(1);
    publish('not for ada');
    publish('tea');
    expect(await heard.next()).toEqual({ data: { mine: { name: 'tea for ada' } } });
  });

  it('ends with its session, and so does every other one of the same socket', async () => {
    const { socket, store, storage } = await openSocket(openGraphql, driver);
    const heard = ['name', 'own'].map((field) => socket.subscribe(`subscription { news { ${field} } }`));
    await listeners(2);
    await store.delete(rowsOf(storage)[0]?.id ?? '');
    expect(await socket.ended()).toBe('1008 revoked');
    expect(await Promise.all(heard.map((one) => one.next()))).toEqual([null, null]);
    await listeners(0);
  });

  it('begins again by itself, with the new cookie, after a sign-in of the same client', async () => {
    const { port, ada } = await openSocket(openGraphql, driver);
    let cookie = await cookieNow(ada);
    const { opened: isSignedIn, open: signedIn } = door();
    const socket = openGraphqlSocket(port, { cookie: () => cookie, comesBackAfter: () => isSignedIn });
    const heard = socket.subscribe('subscription { news { owner } }');
    await listeners(1);
    const closing = socket.ended();
    await ada.get('/do/in?user=bob');
    expect(await closing).toBe('1012 replaced');
    await listeners(0);
    cookie = await cookieNow(ada);
    signedIn();
    await listeners(1);
    publish('tea');
    expect(await heard.next()).toEqual({ data: { news: { owner: 'bob' } } });
    expect(socket.opened).toBe(2);
  });

  it('sends nothing when its session ends while an event waits for a look-up', async () => {
    const { socket, store, storage } = await openSocket(openGraphql, driver);
    const heard = socket.subscribe('subscription { news { owner } }');
    await listeners(1);
    const look = storage.hold('find');
    publish('secret');
    await look.reached;
    await store.delete(rowsOf(storage)[0]?.id ?? '');
    look.release();
    expect(await heard.next()).toBeNull();
    expect(await socket.ended()).toBe('1008 revoked');
    await listeners(0);
  });

  it('is refused when its session ends while it is looked up for it', async () => {
    const { socket, store, storage } = await openSocket(openGraphql, driver);
    const look = storage.hold('find');
    const heard = socket.subscribe('subscription { news { name } }');
    await look.reached;
    await store.delete(rowsOf(storage)[0]?.id ?? '');
    look.release();
    expect(await socket.ended()).toBe('1008 revoked');
    expect(await heard.next()).toBeNull();
    expect(news.listenerCount('news')).toBe(0);
  });

  it('that is asked for by a resolver which outlives its session is not answered', async () => {
    const { socket, store, storage } = await openSocket(openGraphql, driver);
    const asked = socket.subscribe('{ slow }');
    while (storage.calls.length === 0) await after(5);
    await store.delete(rowsOf(storage)[0]?.id ?? '');
    way.open();
    expect(await asked.next()).toBeNull();
    expect(await socket.ended()).toBe('1008 revoked');
  });
});

onEachDriver('an upgrade for operations', (openGraphql, driver) => {
  const protocols = ['graphql-transport-ws'];

  it('by a page of another site is refused with a session, and is served without one', async () => {
    const { port, cookie, storage } = await openSocket(openGraphql, driver);
    for (const origin of ['https://evil.test', 'null']) {
      const headers = { origin };
      const refused = await upgrade(port, '/graphql', { cookie, headers, protocols });
      expect(refused).toMatchObject({ status: 403 });
      expect(JSON.parse(refused.text)).toMatchObject({ statusCode: 403, code: 'cross_site_request' });
      expect(await upgrade(port, '/graphql', { headers, protocols })).toMatchObject({ status: 101 });
    }
    storage.forget();
    expect(await upgrade(port, '/graphql', { cookie, protocols })).toMatchObject({ status: 101 });
    expect(storage.calls).toEqual(['find']);
  });

  it('is refused while storage is down, and with two tokens', async () => {
    const { port, cookie, storage } = await openSocket(openGraphql, driver, {
      options: { transport: ['cookie', 'bearer'] },
    });
    const authorization = `Bearer ${cookie.slice(cookie.indexOf('=') + 1)}`;
    const two = await upgrade(port, '/graphql', { cookie, headers: { authorization }, protocols });
    expect(two.status).toBe(400);
    storage.goDown();
    const down = await upgrade(port, '/graphql', { cookie, protocols });
    expect(down.status).toBe(503);
    expect(down.headers['retry-after']).toBe('5');
    expect(JSON.parse(down.text)).toMatchObject({ code: 'session_store_unavailable' });
  });

  it.each(['__Host-sid=forged', `__Host-sid=${'x'.repeat(2_000)}`])(
    'with the cookie %.20s opens a socket without a session',
    async (cookie) => {
      const { port } = await openSocket(openGraphql, driver);
      const socket = openGraphqlSocket(port, { cookie: () => cookie });
      expect(codesOf(await socket.ask('{ who }'))).toEqual({ who: 'authentication_required' });
    },
  );
});
