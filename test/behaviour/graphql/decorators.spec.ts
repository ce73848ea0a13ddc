import { Query, ResolveField, Resolver } from '@nestjs/graphql';
import { currentSession, Public, RequireAuth, SessionOptionsError, SkipSession } from 'nest-sessions';
import { createTestSession } from 'nest-sessions/testing';
import { rowsOf } from '../../support/storage.js';
import {
  type Answer,
  codesOf,
  onEachDriver,
  openSignedIn,
  StepResolver,
  type Steps,
  Thing,
} from './support/open-graphql.js';

const STEPS: Steps = {
  signIn: (session) => session.authenticate('ada'),
  signOut: (session) => session.logout(),
  put: (session) => void (session.data['value'] = 'kept'),
  nothing: () => undefined,
};
const GUARDED = { fieldResolverEnhancers: ['guards'] };

onEachDriver('a resolver', (open) => {
  it('signs in and sets the cookie, reads the session, and signs out', async () => {
    const { ask, browser, storage } = await open({ steps: STEPS });
    const ada = browser();
    const answer = await ask(ada, 'mutation { change(step: "signIn") }');
    expect(answer.json()).toEqual({ data: { change: null } });
    expect(answer.setCookies).toEqual([expect.stringMatching(/^__Host-sid=/)]);
    expect(answer.headers['cache-control']).toBe('no-store');
    expect((await ask(ada, 'mutation { change(step: "put") }')).json()).toEqual({ data: { change: null } });
    storage.forget();
    const read = await ask(ada, '{ who value secret recent ofContext skipped }');
    expect(read.json()).toEqual({
      data: {
        who: 'ada',
        value: 'kept',
        secret: 'secret',
        recent: 'recent',
        ofContext: 'ada',
        skipped: 'null',
      },
    });
    expect(storage.calls).toEqual(['find']);
    const signedOut = await ask(ada, 'mutation { change(step: "signOut") }');
    expect(signedOut.setCookies).toEqual([expect.stringContaining('Max-Age=0')]);
    expect(codesOf((await ask(ada, '{ who }')).json<Answer>())).toEqual({ who: 'authentication_required' });
  });

  it('is refused to visitors by code, and its siblings are not', async () => {
    const { ask, browser, storage } = await open();
    const answer = await ask(browser(), '{ who secret recent value news ofContext skipped }');
    expect(answer.json<Answer>().data).toEqual({
      who: null,
      secret: null,
      recent: null,
      value: null,
      news: 'news',
      ofContext: 'null',
      skipped: 'null',
    });
    expect(codesOf(answer.json<Answer>())).toEqual({
      who: 'authentication_required',
      secret: 'authentication_required',
      recent: 'authentication_required',
    });
    expect(answer.setCookies).toEqual([]);
    expect(storage.calls).toEqual([]);
  });

  it('asks for a recent sign-in', async () => {
    const { ask, ada, clock } = await openSignedIn(open, { steps: STEPS });
    clock.advance('11m');
    const answer = (await ask(ada, '{ secret recent }')).json<Answer>();
    expect(answer.data).toEqual({ secret: 'secret', recent: null });
    expect(codesOf(answer)).toEqual({ recent: 'reauthentication_required' });
  });

  it('needs a user with requireAuth, except with @Public()', async () => {
    const { ask, ada, browser } = await openSignedIn(open, { options: { requireAuth: true } });
    const query = '{ news ofContext }';
    expect((await ask(ada, query)).json()).toEqual({ data: { news: 'news', ofContext: 'ada' } });
    const refused = (await ask(browser(), query)).json<Answer>();
    expect(refused.data).toEqual({ news: 'news', ofContext: null });
    expect(codesOf(refused)).toEqual({ ofContext: 'authentication_required' });
  });

  it('does not load what nothing but @SkipSession() resolvers need, so that storage may be down', async () => {
    const { ask, ada, storage } = await openSignedIn(open, { steps: STEPS });
    storage.goDown();
    expect((await ask(ada, '{ skipped }')).json()).toEqual({ data: { skipped: 'null' } });
    expect(storage.calls).toEqual([]);
  });

  it('skips the session for itself alone, whichever comes first', async () => {
    const { ask, ada, storage } = await openSignedIn(open, { steps: STEPS });
    const answer = await ask(ada, '{ first: skipped who skipped read(step: "put") last: skipped }');
    expect(answer.json()).toEqual({
      data: { first: 'null', who: 'ada', skipped: 'null', read: null, last: 'null' },
    });
    expect(storage.calls).toEqual(['find', 'save']);
  });

  it('counts as use, unless all of the request have @SkipTouch()', async () => {
    const { ask, ada, storage, store, clock } = await openSignedIn(open, { steps: STEPS });
    clock.advance('1h');
    await ask(ada, '{ poll(step: "nothing") skipped }');
    await store.manager.drain();
    expect(storage.calls).toEqual(['find']);
    await ask(ada, '{ poll(step: "nothing") who again: poll(step: "nothing") }');
    await store.manager.drain();
    expect(storage.calls).toEqual(['find', 'find', 'touch']);
    expect(rowsOf(storage)[0]?.lastActiveAt).toBe(clock.now());
  });
});

onEachDriver('a field below a query', (open) => {
  it.each([
    ['whose guards run', GUARDED],
    ['whose guards do not run', {}],
  ])('has the session of the query, %s', async (_, graphql) => {
    const { ask, ada, browser, storage } = await openSignedIn(open, { graphql });
    expect((await ask(ada, '{ things { owner mine } }')).json()).toEqual({
      data: {
        things: [
          { owner: 'thing 0 of ada', mine: 'ada' },
          { owner: 'thing 1 of ada', mine: 'ada' },
        ],
      },
    });
    expect(storage.calls).toEqual(['find']);
    const refused = (await ask(browser(), '{ things(count: 1) { owner mine } }')).json<Answer>();
    expect(refused.data).toEqual({ things: [{ owner: 'thing 0 of null', mine: null }] });
    expect(codesOf(refused)).toEqual({ 'things,0,mine': 'authentication_required' });
  });

  it('has it below a query with @SkipSession(), if its guards run', async () => {
    const { ask, ada } = await openSignedIn(open, { graphql: GUARDED });
    expect((await ask(ada, '{ skippedThings { owner } }')).json()).toEqual({
      data: { skippedThings: [{ owner: 'thing of ada' }] },
    });
  });

  it('is told what to do below a query with @SkipSession(), if they do not', async () => {
    const { ask, ada } = await openSignedIn(open);
    const { errors } = (await ask(ada, '{ skippedThings { owner } }')).json<Answer>();
    expect(errors?.[0]?.message).toContain("GraphQLModule.forRoot({ fieldResolverEnhancers: ['guards'] })");
  });
});

@Resolver(() => Thing)
class ProtectedField {
  @Query(() => Thing)
  thing(): Thing {
    return { name: 'tea' };
  }

  @ResolveField(() => String, { nullable: true })
  @RequireAuth()
  price(): string {
    return 'secret';
  }
}

@Resolver(() => Thing)
@RequireAuth()
class ProtectedClass {
  @Query(() => Thing)
  @Public()
  thing(): Thing {
    return { name: 'tea' };
  }

  @ResolveField(() => String, { nullable: true })
  price(): string {
    return 'secret';
  }
}

@Resolver(() => Thing)
@RequireAuth()
class OpenField {
  @Query(() => Thing)
  thing(): Thing {
    return { name: 'tea' };
  }

  @ResolveField(() => String, { nullable: true })
  @Public()
  price(): string {
    return 'what the query lets see';
  }
}

onEachDriver('@RequireAuth() on a field', (open) => {
  it.each([ProtectedField, ProtectedClass])('is held where guards run for fields: %p', async (resolver) => {
    const { ask, ada, browser } = await openSignedIn(open, { resolvers: [resolver], graphql: GUARDED });
    expect((await ask(ada, '{ thing { price } }')).json()).toEqual({ data: { thing: { price: 'secret' } } });
    const refused = (await ask(browser(), '{ thing { price } }')).json<Answer>();
    expect(refused.data).toEqual({ thing: { price: null } });
    expect(codesOf(refused)).toEqual({ 'thing,price': 'authentication_required' });
  });

  it.each([ProtectedField, ProtectedClass])(
    'is refused at startup where they do not: %p',
    async (resolver) => {
      const starting = open({ resolvers: [resolver] });
      await expect(starting).rejects.toThrow(SessionOptionsError);
      await expect(starting).rejects.toThrow(`${resolver.name}.price`);
    },
  );

  it('may stand on the class, if the field is public below what is protected', async () => {
    const { ask, ada, browser } = await openSignedIn(open, { resolvers: [OpenField] });
    const query = '{ thing { price } }';
    expect((await ask(ada, query)).json()).toEqual({ data: { thing: { price: 'what the query lets see' } } });
    expect(codesOf((await ask(browser(), query)).json<Answer>())).toEqual({
      thing: 'authentication_required',
    });
  });
});

/** Services have the session of the request, as they have below a route. */
@Resolver(() => Thing)
class ByService {
  @Query(() => Thing)
  async thing(): Promise<Thing> {
    await Promise.resolve();
    return { name: String(currentSession()?.userId) };
  }

  @Query(() => String)
  @SkipSession()
  skipped(): string {
    return String(currentSession()?.userId);
  }

  @ResolveField(() => String)
  async price(): Promise<string> {
    await Promise.resolve();
    return String(currentSession()?.userId);
  }
}

onEachDriver('currentSession()', (open) => {
  it.each([GUARDED, {}])(
    'is the session of the request in resolvers, below them and in fields: %p',
    async (graphql) => {
      const { ask, ada, browser } = await openSignedIn(open, {
        resolvers: [ByService],
        graphql,
        options: { currentSession: true },
      });
      const query = '{ thing { name price } skipped }';
      const [own, others] = await Promise.all([ask(ada, query), ask(browser(), query)]);
      expect(own.json()).toEqual({ data: { thing: { name: 'ada', price: 'ada' }, skipped: 'undefined' } });
      expect(others.json()).toEqual({
        data: { thing: { name: 'null', price: 'null' }, skipped: 'undefined' },
      });
    },
  );
});

describe('createTestSession', () => {
  it('is for resolvers that a unit test calls', async () => {
    const resolver = new StepResolver(STEPS);
    const session = await createTestSession<Record<string, unknown>>({ userId: 'ada' });
    await resolver.change('put', session);
    expect(session.data).toEqual({ value: 'kept' });
    await resolver.change('signOut', session);
    expect(session.userId).toBeNull();
  });
});
