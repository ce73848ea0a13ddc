import {
  type ExecutionContext,
  createParamDecorator,
  Inject,
  type INestApplication,
  type Type,
} from '@nestjs/common';
import { ApolloDriver } from '@nestjs/apollo';
import {
  Args,
  Field,
  GraphQLModule,
  type GqlModuleOptions,
  Mutation,
  ObjectType,
  Parent,
  Query,
  ResolveField,
  Resolver,
} from '@nestjs/graphql';
import { MercuriusDriver } from '@nestjs/mercurius';
import type { OutgoingHttpHeaders } from 'node:http';
import {
  Public,
  RequireAuth,
  type RequestSession,
  Session,
  sessionOf,
  SkipSession,
  SkipTouch,
  UserId,
} from 'nest-sessions';
import { signIn } from 'nest-sessions/testing';
import type { Browser, Reply } from '../../../support/browser.js';
import { type AppSetup, openApp, type Platform, type TestApp } from '../../../support/open-app.js';
import { DATABASE } from '../../../support/storage.js';
import { closeGraphqlSockets } from './graphql-socket.js';

/** The drivers that Nest has, each on the platforms that it runs on. */
export const DRIVERS = ['Apollo on Express', 'Apollo on Fastify', 'Mercurius'] as const;
export type Driver = (typeof DRIVERS)[number];

const PLATFORM_OF: Record<Driver, Platform> = {
  'Apollo on Express': 'express',
  'Apollo on Fastify': 'fastify',
  Mercurius: 'fastify',
};

export type TestSession = RequestSession<Record<string, unknown>>;

/** What a resolver does, by name. */
export type Steps = Readonly<Record<string, (session: TestSession) => unknown>>;

export interface GraphqlSetup extends AppSetup {
  readonly steps?: Steps;
  /** Options of GraphQLModule beside the driver's. */
  readonly graphql?: object;
  readonly resolvers?: Type[];
}

/** What GraphQL answers. */
export interface Answer<T = Record<string, unknown>> {
  readonly data?: T | null;
  readonly errors?: readonly {
    readonly message: string;
    readonly path?: readonly unknown[];
    readonly extensions?: { readonly code?: string };
  }[];
}

export interface GraphqlApp extends TestApp {
  /** Asks in the name of a browser: an operation, or several as a batch. */
  readonly ask: (
    browser: Browser,
    query: string | readonly string[],
    headers?: OutgoingHttpHeaders,
  ) => Promise<Reply>;
}

export type OpenGraphql = (setup?: GraphqlSetup) => Promise<GraphqlApp>;

const STEPS = Symbol('steps');

/** What `sessionOf` gives a guard, an interceptor or a parameter of the app. */
export const OfContext = createParamDecorator((_: unknown, context: ExecutionContext): TestSession | null =>
  sessionOf(context),
);

/** What the fields below a query are of. */
@ObjectType()
export class Thing {
  @Field()
  name!: string;
}

/** Resolvers of each kind, which do what a test says. */
@Resolver(() => Thing)
export class StepResolver {
  readonly #steps: Steps;

  constructor(@Inject(STEPS) steps: Steps) {
    this.#steps = steps;
  }

  @Query(() => String, { nullable: true })
  read(@Args('step') step: string, @Session() session: TestSession): Promise<string | null> {
    return this.#run(step, session);
  }

  @Mutation(() => String, { nullable: true })
  change(@Args('step') step: string, @Session() session: TestSession): Promise<string | null> {
    return this.#run(step, session);
  }

  @Query(() => String, { nullable: true })
  @SkipTouch()
  poll(@Args('step') step: string, @Session() session: TestSession): Promise<string | null> {
    return this.#run(step, session);
  }

  @Query(() => String, { nullable: true })
  value(@Session('value') value: unknown): unknown {
    return value;
  }

  @Query(() => String, { nullable: true })
  who(@UserId() userId: string): string {
    return userId;
  }

  @Query(() => String, { nullable: true })
  @RequireAuth()
  secret(): string {
    return 'secret';
  }

  @Query(() => String, { nullable: true })
  @RequireAuth({ within: '10m' })
  recent(): string {
    return 'recent';
  }

  @Query(() => String, { nullable: true })
  @Public()
  news(): string {
    return 'news';
  }

  @Query(() => String, { nullable: true })
  @SkipSession()
  skipped(@OfContext() session: TestSession | null): string {
    return session === null ? 'null' : 'a session';
  }

  @Query(() => String, { nullable: true })
  ofContext(@OfContext() session: TestSession | null): string {
    return String(session?.userId);
  }

  @Query(() => [Thing])
  things(@Args('count', { type: () => Number, defaultValue: 2 }) count: number): Thing[] {
    return Array.from({ length: count }, (_, index) => ({ name: `thing ${index}` }));
  }

  @Query(() => [Thing])
  @SkipSession()
  skippedThings(): Thing[] {
    return [{ name: 'thing' }];
  }

  @ResolveField(() => String, { nullable: true })
  owner(@Parent() thing: Thing, @Session() session: TestSession): string {
    return `${thing.name} of ${String(session.userId)}`;
  }

  @ResolveField(() => String, { nullable: true })
  does(@Args('step') step: string, @Session() session: TestSession): Promise<string | null> {
    return this.#run(step, session);
  }

  @ResolveField(() => String, { nullable: true })
  mine(@UserId() userId: string): string {
    return userId;
  }

  async #run(name: string, session: TestSession): Promise<string | null> {
    const step = this.#steps[name];
    if (step === undefined) throw new Error(`There is no step ${name}`);
    const result: unknown = await step(session);
    return result === undefined ? null : typeof result === 'string' ? result : JSON.stringify(result);
  }
}

/** An app with GraphQL at /graphql, that takes batches. */
export async function openGraphql(driver: Driver, setup: GraphqlSetup = {}): Promise<GraphqlApp> {
  const { steps = {}, graphql, resolvers = [StepResolver], imports = [], providers = [], ...rest } = setup;
  const isMercurius = driver === 'Mercurius';
  const options: GqlModuleOptions & Record<string, unknown> = {
    driver: isMercurius ? MercuriusDriver : ApolloDriver,
    autoSchemaFile: true,
    ...(isMercurius ? { allowBatchedQueries: true } : { allowBatchedHttpRequests: true, graphiql: false }),
    ...graphql,
  };
  const opened = await openApp(PLATFORM_OF[driver], {
    ...rest,
    imports: [GraphQLModule.forRoot(options), ...imports],
    providers: [{ provide: STEPS, useValue: steps }, ...resolvers, ...providers],
  });
  const ask: GraphqlApp['ask'] = (browser, query, headers) => {
    const bodies = [query].flat().map((one) => ({ query: one }));
    const [only] = bodies;
    return browser.post('/graphql', typeof query === 'string' ? only : bodies, headers);
  };
  return { ...opened, ask };
}

/** The same tests with each driver. Apps that they open are closed after each. On a database one driver does. */
export function onEachDriver(title: string, body: (open: OpenGraphql, driver: Driver) => void): void {
  const drivers = DATABASE === null ? DRIVERS : DRIVERS.slice(0, 1);
  describe.each(drivers)(`${title}, with %s`, (driver) => {
    const apps: INestApplication[] = [];
    afterEach(async () => {
      await closeGraphqlSockets();
      for (const app of apps.splice(0)) await app.close();
    });
    body(async (setup) => {
      const opened = await openGraphql(driver, setup);
      apps.push(opened.app);
      return opened;
    }, driver);
  });
}

/** An app, and a browser in which Ada is signed in. */
export async function openSignedIn(
  open: OpenGraphql,
  setup?: GraphqlSetup,
): Promise<GraphqlApp & { readonly ada: Browser }> {
  const opened = await open(setup);
  const ada = opened.browser();
  const { cookie } = await signIn(opened.app, 'ada');
  await ada.plant(cookie.slice(cookie.indexOf('=') + 1));
  opened.storage.forget();
  return { ...opened, ada };
}

/** The codes of the errors, by the field that each belongs to. */
export function codesOf({ errors = [] }: Answer): Record<string, string | undefined> {
  return Object.fromEntries(errors.map(({ path, extensions }) => [String(path), extensions?.code]));
}
