import 'reflect-metadata';
import { type INestApplication, Module, type Type } from '@nestjs/common';
import { ApolloDriver } from '@nestjs/apollo';
import { NestFactory } from '@nestjs/core';
import {
  Args,
  Field,
  GraphQLModule,
  type GqlModuleOptions,
  Int,
  Mutation,
  ObjectType,
  Parent,
  Query,
  ResolveField,
  Resolver,
  Subscription,
} from '@nestjs/graphql';
import { MercuriusDriver } from '@nestjs/mercurius';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { RequireAuth, Session, SessionModule, UserId } from 'nest-sessions';
import { MemorySessionBackend } from 'nest-sessions/testing';
import { WebSocket } from 'ws';
import './notes';

@ObjectType()
class Order {
  @Field(() => Int)
  id!: number;
}

@Resolver(() => Order)
class AccountResolver {
  @Mutation(() => String)
  async signIn(@Args('name') name: string, @Session() session: Session): Promise<string> {
    await session.authenticate(name);
    return name;
  }

  @Mutation(() => Int)
  @RequireAuth()
  note(@Args('text') text: string, @Session() session: Session): Promise<number> {
    return session.update((data) => (data.notes ??= []).push(text));
  }

  @Mutation(() => Boolean)
  async signOut(@Session() session: Session): Promise<boolean> {
    await session.logout();
    return true;
  }

  @Query(() => String, { nullable: true })
  @RequireAuth()
  me(@UserId() userId: string): string {
    return userId;
  }

  @Query(() => [String])
  notes(@Session() session: Session): string[] {
    return session.data.notes ?? [];
  }

  @Query(() => [Order])
  orders(): Order[] {
    return [{ id: 7 }];
  }

  @Subscription(() => String)
  @RequireAuth()
  async *greeting(@UserId() userId: string): AsyncGenerator<{ greeting: string }> {
    yield { greeting: `Hello, ${userId}` };
  }

  @ResolveField(() => String, { nullable: true })
  @RequireAuth()
  address(@Parent() order: Order, @UserId() userId: string): string {
    return `${order.id} of ${userId}`;
  }
}

function appModule(options: GqlModuleOptions & Record<string, unknown>): Type {
  @Module({
    imports: [
      SessionModule.forRoot({ key: randomBytes(32), backend: MemorySessionBackend }),
      GraphQLModule.forRoot({ autoSchemaFile: true, fieldResolverEnhancers: ['guards'], ...options }),
    ],
    providers: [AccountResolver],
  })
  class AppModule {}
  return AppModule;
}

interface Answer {
  readonly data?: Record<string, unknown> | null;
  readonly errors?: readonly { readonly extensions?: { readonly code?: string } }[];
}

/** A socket for operations, as a page at that address opens it; of one that is refused the status. */
async function openSocket(url: string, headers: Record<string, string>): Promise<WebSocket | number> {
  const socket = new WebSocket(url, 'graphql-transport-ws', { headers });
  const opened = new Promise<WebSocket | number>((resolve, reject) => {
    socket.once('open', () => resolve(socket));
    socket.once('unexpected-response', (_request, response: IncomingMessage) =>
      resolve(response.statusCode ?? 0),
    );
    socket.once('error', reject);
  });
  return opened;
}

/** The first message of that type, after another was sent. */
async function exchange(socket: WebSocket, message: object, type: string): Promise<{ payload?: unknown }> {
  socket.send(JSON.stringify(message));
  for (;;) {
    const [text] = (await once(socket, 'message')) as [Buffer];
    const reply = JSON.parse(text.toString()) as { type: string; payload?: unknown };
    if (reply.type === type) return reply;
  }
}

/** A socket has the session that it was opened with, and none for a page of another site. */
async function checkSocket(origin: string, cookie: string): Promise<WebSocket> {
  const url = `${origin.replace('http', 'ws')}/graphql`;
  assert.equal(await openSocket(url, { cookie, origin: 'https://evil.example' }), 403);
  const socket = await openSocket(url, { cookie, origin });
  assert.ok(socket instanceof WebSocket);
  await exchange(socket, { type: 'connection_init' }, 'connection_ack');
  const ask = async (id: string, query: string) =>
    (await exchange(socket, { id, type: 'subscribe', payload: { query } }, 'next')).payload;
  assert.deepEqual(await ask('1', 'subscription { greeting }'), { data: { greeting: 'Hello, ada' } });
  assert.deepEqual(await ask('2', '{ me notes orders { address } }'), {
    data: { me: 'ada', notes: ['tea', 'milk'], orders: [{ address: '7 of ada' }] },
  });
  return socket;
}

/** A mutation signs in and out, queries see who is signed in, and a refusal has its code. */
async function check(app: INestApplication): Promise<void> {
  await app.listen(0, '127.0.0.1');
  const origin = await app.getUrl();
  const ask = async (query: string, headers: Record<string, string> = {}) => {
    const response = await fetch(`${origin}/graphql`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', ...headers },
      body: JSON.stringify({ query }),
    });
    const { data, errors = [] } = (await response.json()) as Answer;
    const [cookie] = response.headers.getSetCookie();
    return {
      data,
      codes: errors.map(({ extensions }) => extensions?.code),
      cookie: cookie?.split(';', 1)[0],
    };
  };

  const stranger = await ask('{ me orders { id address } }');
  assert.deepEqual(stranger.data, { me: null, orders: [{ id: 7, address: null }] });
  assert.deepEqual(stranger.codes, ['authentication_required', 'authentication_required']);
  assert.equal(stranger.cookie, undefined);

  const signedIn = await ask('mutation { signIn(name: "ada") }');
  assert.deepEqual(signedIn.data, { signIn: 'ada' });
  assert.match(signedIn.cookie ?? '', /sid=./);
  const ada = { Cookie: signedIn.cookie ?? '' };

  const noted = await ask('mutation { first: note(text: "tea") second: note(text: "milk") }', ada);
  assert.deepEqual(noted.data, { first: 1, second: 2 });
  const read = await ask('{ me notes orders { address } }', ada);
  assert.deepEqual(read.data, { me: 'ada', notes: ['tea', 'milk'], orders: [{ address: '7 of ada' }] });
  assert.deepEqual(read.codes, []);

  const foreign = { ...ada, Origin: 'https://evil.example' };
  assert.deepEqual((await ask('mutation { note(text: "evil") }', foreign)).codes, ['cross_site_request']);
  assert.deepEqual((await ask('{ notes }', ada)).data, { notes: ['tea', 'milk'] });

  assert.deepEqual((await ask('subscription { greeting }', ada)).data, null);
  const ended = once(await checkSocket(origin, ada.Cookie), 'close');
  assert.deepEqual((await ask('mutation { signOut }', ada)).data, { signOut: true });
  const [status, reason] = (await ended) as [number, Buffer];
  assert.equal(`${status} ${reason.toString()}`, '1008 logout');
  assert.deepEqual((await ask('{ me }', ada)).codes, ['authentication_required']);
  await app.close();
}

async function main(): Promise<void> {
  const apollo = appModule({ driver: ApolloDriver, subscriptions: { 'graphql-ws': true } });
  const mercurius = appModule({ driver: MercuriusDriver, subscription: { fullWsTransport: true } });
  const options = { logger: ['error', 'warn'] as ('error' | 'warn')[], abortOnError: false };
  await check(await NestFactory.create(apollo, new ExpressAdapter(), options));
  await check(await NestFactory.create(apollo, new FastifyAdapter(), options));
  await check(await NestFactory.create(mercurius, new FastifyAdapter(), options));
  console.log(
    'resolvers have the session, over HTTP and over sockets, with Apollo on Express and on Fastify, and with Mercurius',
  );
}

void main();
