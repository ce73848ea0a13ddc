/**
 * Whoever is anonymous is refused wherever a protection is written, on every transport. This file imports nothing of
 * the suite: scripts/check-apps.sh runs it on Nest 11 too, in a CommonJS app on the packed package.
 */
import {
  Controller,
  Get,
  Injectable,
  type INestApplication,
  type INestMicroservice,
  type LoggerService,
  Module,
  type ModuleMetadata,
  type Type,
} from '@nestjs/common';
import { ExternalContextCreator, LazyModuleLoader, NestFactory } from '@nestjs/core';
import {
  ClientProxyFactory,
  EventPattern,
  MessagePattern,
  type MicroserviceOptions,
  Transport,
} from '@nestjs/microservices';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { IoAdapter } from '@nestjs/platform-socket.io';
import { WsAdapter } from '@nestjs/platform-ws';
import { BaseWsExceptionFilter, SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { once } from 'node:events';
import type { AddressInfo, Server } from 'node:net';
import { Public, RequireAuth, SessionGoneError, SessionModule, SessionOptionsError } from 'nest-sessions';
import { MemorySessionBackend, signIn } from 'nest-sessions/testing';
import { firstValueFrom, timeout } from 'rxjs';
import { io } from 'socket.io-client';
import { WebSocket } from 'ws';

/** 32 bytes, never used outside tests. */
const KEY = Buffer.alloc(32, 'key of the protection specs');
const SECRET = 'what only a signed-in user may see';
const NEWS = 'what everybody may see';

/** Where a protection is written. */
const PLACES = ['@RequireAuth() on the method', '@RequireAuth() on the class', 'requireAuth: true'] as const;
type Place = (typeof PLACES)[number];
const DECORATED = PLACES.filter((place) => place !== 'requireAuth: true');

/** The same two handlers on every transport: `secret` is protected, `open` is not. */
interface Handlers {
  secret(): unknown;
  open(): unknown;
}

class Answers implements Handlers {
  secret(): string {
    return SECRET;
  }

  open(): string {
    return NEWS;
  }
}

/** As gateways answer: with a message. */
class Messages implements Handlers {
  secret(): object {
    return { event: 'answer', data: SECRET };
  }

  open(): object {
    return { event: 'answer', data: NEWS };
  }
}

/** Counts the events that arrive, and says how many. */
class CountedEvents extends Answers {
  #events = 0;

  @EventPattern('happened')
  happened(_data: object): void {
    this.#events++;
  }

  @MessagePattern('seen')
  seen(): number {
    return this.#events;
  }
}

/** How a transport decorates a class and its handlers. */
interface Decorators {
  readonly type: ClassDecorator;
  readonly on: (name: string) => MethodDecorator;
}

function protectedAt(place: Place, base: new () => Handlers, { type, on }: Decorators): Type {
  class ProtectedHandlers extends base {
    override secret(): unknown {
      return super.secret();
    }

    override open(): unknown {
      return super.open();
    }
  }
  const decorate = (name: 'secret' | 'open', decorators: readonly MethodDecorator[]): void => {
    const descriptor = Object.getOwnPropertyDescriptor(ProtectedHandlers.prototype, name);
    for (const one of decorators) one(ProtectedHandlers.prototype, name, descriptor as PropertyDescriptor);
  };
  const isOnMethod = place === '@RequireAuth() on the method';
  decorate('secret', [on('secret'), ...(isOnMethod ? [RequireAuth()] : [])]);
  decorate('open', [on('open'), ...(isOnMethod ? [] : [Public()])]);
  type(ProtectedHandlers);
  if (place === '@RequireAuth() on the class') RequireAuth()(ProtectedHandlers);
  return ProtectedHandlers;
}

const controllerAt = (place: Place): Type =>
  protectedAt(place, Answers, { type: Controller('app'), on: (name) => Get(name) });

const gatewayAt = (place: Place): Type =>
  protectedAt(place, Messages, { type: WebSocketGateway(), on: (name) => SubscribeMessage(name) });

/** The events of it are open to all. */
function messagesAt(place: Place): Type {
  return protectedAt(place, CountedEvents, { type: Controller(), on: (name) => MessagePattern(name) });
}

/** Keeps what an app logs. */
class KeptLog implements LoggerService {
  readonly lines: string[] = [];

  log(): void {}
  debug(): void {}
  verbose(): void {}
  warn(message: unknown): void {
    this.lines.push(String(message));
  }
  error(message: unknown): void {
    this.lines.push(String(message));
  }
  fatal(message: unknown): void {
    this.lines.push(String(message));
  }
  about(text: string): string[] {
    return this.lines.filter((line) => line.includes(text));
  }
}

const withSessions = (place: Place): NonNullable<ModuleMetadata['imports']> => [
  SessionModule.forRoot({
    key: KEY,
    backend: MemorySessionBackend,
    cleanup: false,
    requireAuth: place === 'requireAuth: true',
  }),
];

@Module({})
class AppModule {}

const closing: Array<() => unknown> = [];
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});

interface Opened {
  readonly app: INestApplication;
  readonly log: KeptLog;
}

interface Setup extends ModuleMetadata {
  readonly adapter?: ExpressAdapter | FastifyAdapter;
  readonly prepare?: (app: INestApplication) => unknown;
}

async function create({ adapter = new ExpressAdapter(), prepare, ...metadata }: Setup): Promise<Opened> {
  const log = new KeptLog();
  const app = await NestFactory.create({ module: AppModule, ...metadata }, adapter, {
    logger: log,
    abortOnError: false,
    forceCloseConnections: true,
  });
  closing.push(() => app.close());
  await prepare?.(app);
  return { app, log };
}

async function listen(setup: Setup): Promise<Opened & { readonly port: number }> {
  const opened = await create(setup);
  await opened.app.listen(0, '127.0.0.1');
  const { port } = opened.app.getHttpServer().address() as AddressInfo;
  return { ...opened, port };
}

/** How a client is answered: with the text, or with a refusal. */
type Answer = string | { readonly refused: unknown };

async function overHttp(port: number, name: string, cookie = ''): Promise<Answer> {
  const response = await fetch(`http://127.0.0.1:${port}/app/${name}`, { headers: { cookie } });
  const text = await response.text();
  return response.ok ? text : { refused: { status: response.status, ...(JSON.parse(text) as object) } };
}

const REFUSED_BY_GATEWAY = {
  refused: { status: 'error', message: 'Sign in first', code: 'authentication_required' },
};

/** Without sessions nobody can be signed in. */
const REFUSED_WITHOUT_SESSIONS = {
  refused: {
    status: 'error',
    message: 'This needs a signed-in user, and sessions do not reach this gateway',
    code: 'session_unsupported',
  },
};

/** Nest 11 tells clients of ws nothing of exceptions: they see that they are refused by getting no answer. */
const TELLS_WS_CLIENTS = 'isNativeWebSocket' in BaseWsExceptionFilter.prototype;

interface GatewayKind {
  readonly adapt: (app: INestApplication) => void;
  /** @param refused what a refusal is taken for that nobody is told of */
  readonly ask: (
    port: number,
    name: string,
    options?: { readonly cookie?: string; readonly refused?: Answer },
  ) => Promise<Answer>;
}

const GATEWAYS: Record<'ws' | 'socket.io', GatewayKind> = {
  ws: {
    adapt: (app) => void app.useWebSocketAdapter(new WsAdapter(app)),
    ask: async (port, name, { cookie = '', refused = REFUSED_BY_GATEWAY } = {}) => {
      const client = new WebSocket(`ws://127.0.0.1:${port}`, { headers: { cookie } });
      closing.push(() => client.terminate());
      await once(client, 'open');
      const names = TELLS_WS_CLIENTS ? [name] : [name, 'open'];
      for (const event of names) client.send(JSON.stringify({ event, data: {} }));
      const [message] = (await once(client, 'message')) as [Buffer];
      const { event, data } = JSON.parse(message.toString()) as { event: string; data: string };
      if (name === 'secret' && data === NEWS) return refused; // the next question is what is answered
      return event === 'exception' ? { refused: data } : data;
    },
  },
  'socket.io': {
    adapt: (app) => void app.useWebSocketAdapter(new IoAdapter(app)),
    ask: async (port, name, { cookie = '' } = {}) => {
      const client = io(`http://127.0.0.1:${port}`, {
        transports: ['websocket'],
        extraHeaders: { cookie },
        forceNew: true,
      });
      closing.push(() => client.disconnect());
      const answer = new Promise<Answer>((resolve) => {
        client.on('exception', (data: unknown) => resolve({ refused: data }));
        client.on('answer', (data: string) => resolve(data));
      });
      client.emit(name, {});
      return answer;
    },
  },
};

/** A port that the system chooses as the server begins to listen: {@link portOf} tells it. */
const TCP: MicroserviceOptions = {
  transport: Transport.TCP,
  options: { host: '127.0.0.1', port: 0 },
};

function portOf(service: INestMicroservice): number {
  return (service.unwrap<Server>().address() as AddressInfo).port;
}

function clientOf(port: number) {
  const client = ClientProxyFactory.create({
    transport: Transport.TCP,
    options: { host: '127.0.0.1', port },
  });
  closing.push(() => client.close());
  const ask = (name: string): Promise<Answer | number> =>
    firstValueFrom(client.send<string | number>(name, {}).pipe(timeout(60_000))).catch((error: unknown) => ({
      refused: error,
    }));
  return {
    ask,
    /** Sends an event, and waits until something is seen of it. */
    tell: async (name: string, isSeen: () => Promise<boolean>): Promise<boolean> => {
      await firstValueFrom(client.emit(name, {}), { defaultValue: null });
      for (let tries = 0; tries < 100 && !(await isSeen()); tries++);
      return isSeen();
    },
  };
}

async function failure(starting: Promise<unknown>): Promise<unknown> {
  return starting.then(
    () => 'it has started',
    (error: unknown) => error,
  );
}

describe.each(['express', 'fastify'] as const)('an HTTP route on %s', (platform) => {
  const adapter = () => (platform === 'express' ? new ExpressAdapter() : new FastifyAdapter());

  it.each(PLACES)('is closed by %s', async (place) => {
    const controllers = [controllerAt(place)];
    const { app, port } = await listen({ adapter: adapter(), imports: withSessions(place), controllers });
    expect(await overHttp(port, 'secret')).toEqual({
      refused: expect.objectContaining({ status: 401, code: 'authentication_required' }) as unknown,
    });
    expect(await overHttp(port, 'open')).toBe(NEWS);
    const { cookie } = await signIn(app, 'ada');
    expect(await overHttp(port, 'secret', cookie)).toBe(SECRET);
  });

  it.each(DECORATED)(
    'is closed by %s in an app that forgot SessionModule, and the log says so',
    async (place) => {
      const controllers = [controllerAt(place)];
      const { port, log } = await listen({ adapter: adapter(), controllers });
      expect(log.about('SessionModule.forRoot()')).toHaveLength(1);
      expect(await overHttp(port, 'secret')).toEqual({
        refused: { status: 500, statusCode: 500, message: 'Internal server error' },
      });
      expect(log.about('SessionModule.forRoot()').length).toBeGreaterThan(1);
      expect(await overHttp(port, 'open')).toBe(NEWS);
    },
  );

  it.each(PLACES)('of a lazily loaded module is closed by %s', async (place) => {
    @Module({ controllers: [controllerAt(place)] })
    class LazyModule {}
    const { port } = await listen({
      adapter: adapter(),
      imports: withSessions(place),
      prepare: (app) => app.get(LazyModuleLoader).load(() => LazyModule),
    });
    expect(await overHttp(port, 'secret')).toEqual({
      refused: expect.objectContaining({ status: 401, code: 'authentication_required' }) as unknown,
    });
    expect(await overHttp(port, 'open')).toBe(NEWS);
  });
});

describe.each(['ws', 'socket.io'] as const)('a gateway on %s', (kind) => {
  const { adapt, ask } = GATEWAYS[kind];

  it.each(PLACES)('is closed by %s, and says why', async (place) => {
    const providers = [gatewayAt(place)];
    const { port, log } = await listen({ imports: withSessions(place), providers, prepare: adapt });
    expect(await ask(port, 'secret')).toEqual(REFUSED_BY_GATEWAY);
    expect(await ask(port, 'secret')).toEqual(REFUSED_BY_GATEWAY);
    expect(await ask(port, 'open')).toBe(NEWS);
    expect(log.lines).toEqual([]);
  });

  it.each(PLACES)('is open to a signed-in user under %s', async (place) => {
    const providers = [gatewayAt(place)];
    const { app, port } = await listen({ imports: withSessions(place), providers, prepare: adapt });
    const { cookie } = await signIn(app, 'ada');
    expect(await ask(port, 'secret', { cookie })).toBe(SECRET);
  });

  it.each(DECORATED)('is closed by %s in an app that forgot SessionModule', async (place) => {
    const { port, log } = await listen({ providers: [gatewayAt(place)], prepare: adapt });
    expect(await ask(port, 'secret', { refused: REFUSED_WITHOUT_SESSIONS })).toEqual(
      REFUSED_WITHOUT_SESSIONS,
    );
    expect(await ask(port, 'open')).toBe(NEWS);
    expect(log.about('SessionModule.forRoot()').length).toBeGreaterThan(0);
  });

  it.each(PLACES)('of a lazily loaded module is closed by %s', async (place) => {
    @Module({ providers: [gatewayAt(place)] })
    class LazyModule {}
    const { port } = await listen({
      imports: withSessions(place),
      prepare: async (app) => {
        adapt(app);
        await app.get(LazyModuleLoader).load(() => LazyModule);
      },
    });
    expect(await ask(port, 'secret')).toEqual(REFUSED_BY_GATEWAY);
    expect(await ask(port, 'open')).toBe(NEWS);
  });
});

/** Calls a handler as @nestjs/graphql calls resolvers. */
async function query(app: INestApplication, resolver: Type, name: string): Promise<unknown> {
  const instance = app.get<Record<string, () => unknown>>(resolver, { strict: false });
  const call = app
    .get(ExternalContextCreator)
    .create(
      instance,
      instance[name]!,
      name,
      undefined,
      undefined,
      undefined,
      undefined,
      undefined,
      'graphql',
    );
  return call({}, {}, {}, {}) as Promise<unknown>;
}

describe('a resolver that is called for no HTTP request', () => {
  const resolverAt = (place: Place): Type =>
    protectedAt(place, Answers, { type: Injectable(), on: () => () => undefined });

  it.each(PLACES)('is closed by %s, and says why', async (place) => {
    const resolver = resolverAt(place);
    const { app, log } = await create({ imports: withSessions(place), providers: [resolver] });
    await app.init();
    await expect(query(app, resolver, 'secret')).rejects.toMatchObject({
      message: 'This needs a signed-in user, and sessions do not reach GraphQL without an HTTP request',
      code: 'session_unsupported',
    });
    expect(await query(app, resolver, 'open')).toBe(NEWS);
    expect(log.about('ProtectedHandlers.secret')).toHaveLength(1);
  });

  it.each(DECORATED)('is closed by %s in an app that forgot SessionModule', async (place) => {
    const resolver = resolverAt(place);
    const { app } = await create({ providers: [resolver] });
    await app.init();
    await expect(query(app, resolver, 'secret')).rejects.toMatchObject({ code: 'session_unsupported' });
    expect(await query(app, resolver, 'open')).toBe(NEWS);
  });
});

describe('a TCP microservice', () => {
  async function serve(metadata: ModuleMetadata): Promise<{ port: number; log: KeptLog }> {
    const log = new KeptLog();
    const service: INestMicroservice = await NestFactory.createMicroservice<MicroserviceOptions>(
      { module: AppModule, ...metadata },
      { ...TCP, logger: log, abortOnError: false },
    );
    closing.push(() => service.close());
    await service.listen();
    return { port: portOf(service), log };
  }

  it.each(DECORATED)('does not start with %s, and says which', async (place) => {
    const error = await failure(serve({ imports: withSessions(place), controllers: [messagesAt(place)] }));
    expect(error).toBeInstanceOf(SessionOptionsError);
    expect(String(error)).toContain('ProtectedHandlers.secret');
  });

  it('is no business of requireAuth: true: messages are answered and events arrive', async () => {
    const place = 'requireAuth: true';
    const { port } = await serve({ imports: withSessions(place), controllers: [messagesAt(place)] });
    const client = clientOf(port);
    expect(await client.ask('secret')).toBe(SECRET);
    expect(await client.tell('happened', async () => (await client.ask('seen')) === 1)).toBe(true);
  });

  it.each(DECORATED)('refuses what %s protects in an app that forgot SessionModule', async (place) => {
    const { port, log } = await serve({ controllers: [messagesAt(place)] });
    expect(await clientOf(port).ask('secret')).toEqual({
      refused: expect.objectContaining({ status: 'error' }) as unknown,
    });
    expect(await clientOf(port).ask('open')).toBe(NEWS);
    expect(log.about('SessionModule.forRoot()').length).toBeGreaterThan(0);
  });
});

describe.each([
  ['before init', { inheritAppConfig: false }],
  ['before init', { inheritAppConfig: true }],
  ['after init', { inheritAppConfig: false }],
  ['after init', { inheritAppConfig: true }],
] as const)('a microservice connected to an app %s, with %p', (moment, options) => {
  async function connected(app: INestApplication): Promise<number> {
    const service = app.connectMicroservice(TCP, options);
    await app.startAllMicroservices();
    return portOf(service);
  }

  async function hybrid(setup: Setup): Promise<Opened & { readonly port: number }> {
    const opened = await create(setup);
    const { app } = opened;
    if (moment === 'after init') await app.init();
    const port = await connected(app);
    if (moment === 'before init') await app.init();
    return { ...opened, port };
  }

  it.each(DECORATED)('does not start with %s, and says which', async (place) => {
    const error = await failure(hybrid({ imports: withSessions(place), controllers: [messagesAt(place)] }));
    expect(error).toBeInstanceOf(SessionOptionsError);
    expect(String(error)).toContain('ProtectedHandlers.secret');
  });

  it('is no business of requireAuth: true: messages are answered and events arrive', async () => {
    const place = 'requireAuth: true';
    const { port } = await hybrid({ imports: withSessions(place), controllers: [messagesAt(place)] });
    const client = clientOf(port);
    expect(await client.ask('secret')).toBe(SECRET);
    expect(await client.tell('happened', async () => (await client.ask('seen')) === 1)).toBe(true);
  });

  it.each(DECORATED)('refuses what %s protects in an app that forgot SessionModule', async (place) => {
    const { port, log } = await hybrid({ controllers: [messagesAt(place)] });
    expect(await clientOf(port).ask('secret')).toEqual({
      refused: expect.objectContaining({ status: 'error' }) as unknown,
    });
    expect(log.about('SessionModule.forRoot()').length).toBeGreaterThan(0);
  });

  it.each(DECORATED)('does not load a module lazily with %s, and what is loaded refuses', async (place) => {
    @Module({ controllers: [messagesAt(place)] })
    class LazyModule {}
    const { app } = await create({ imports: withSessions(place) });
    if (moment === 'after init') await app.init();
    const error = await failure(app.get(LazyModuleLoader).load(() => LazyModule));
    expect(error).toBeInstanceOf(SessionOptionsError);
    expect(String(error)).toContain('ProtectedHandlers.secret');
    @Module({})
    class OtherModule {}
    await app.get(LazyModuleLoader).load(() => OtherModule); // others still are
    const client = clientOf(await connected(app));
    expect(await client.ask('secret')).toEqual({
      refused: expect.objectContaining({ status: 'error' }) as unknown,
    });
    expect(await client.ask('open')).toBe(NEWS);
  });
});

/** What the store may say to a handler, whoever calls it. */
class Refused {
  @Public()
  list(): never {
    throw new SessionGoneError('the session has ended meanwhile');
  }
}

describe('an error of this library outside HTTP', () => {
  it('is answered and logged by Nest in a message handler, and logged in one of events', async () => {
    @Controller()
    class RefusedController extends Refused {
      @MessagePattern('list')
      override list(): never {
        return super.list();
      }

      @EventPattern('listed')
      listed(_data: object): void {
        super.list();
      }
    }
    const { app, log } = await create({
      imports: withSessions('requireAuth: true'),
      controllers: [RefusedController, messagesAt('requireAuth: true')],
    });
    const service = app.connectMicroservice(TCP, { inheritAppConfig: true });
    await app.startAllMicroservices();
    await app.init();
    const { ask, tell } = clientOf(portOf(service));
    expect(await ask('list')).toEqual({ refused: { status: 'error', message: 'Internal server error' } });
    expect(log.about('the session has ended meanwhile')).toHaveLength(1);
    const isLogged = async (): Promise<boolean> => {
      await ask('open');
      return log.about('the session has ended meanwhile').length === 2;
    };
    expect(await tell('listed', isLogged)).toBe(true);
  });

  it('is left as it is in a resolver', async () => {
    const { app } = await create({ imports: withSessions('requireAuth: true'), providers: [Refused] });
    await app.init();
    await expect(query(app, Refused, 'list')).rejects.toBeInstanceOf(SessionGoneError);
  });
});
