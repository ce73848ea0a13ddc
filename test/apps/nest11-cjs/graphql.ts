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
} from '@nestjs/graphql';
import { MercuriusDriver } from '@nestjs/mercurius';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { RequireAuth, Session, SessionModule, UserId } from 'nest-sessions';
import { MemorySessionBackend } from 'nest-sessions/testing';
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

  assert.deepEqual((await ask('mutation { signOut }', ada)).data, { signOut: true });
  assert.deepEqual((await ask('{ me }', ada)).codes, ['authentication_required']);
  await app.close();
}

async function main(): Promise<void> {
  const apollo = appModule({ driver: ApolloDriver });
  const mercurius = appModule({ driver: MercuriusDriver });
  const options = { logger: ['error', 'warn'] as ('error' | 'warn')[], abortOnError: false };
  await check(await NestFactory.create(apollo, new ExpressAdapter(), options));
  await check(await NestFactory.create(apollo, new FastifyAdapter(), options));
  await check(await NestFactory.create(mercurius, new FastifyAdapter(), options));
  console.log('resolvers have the session, with Apollo on Express and on Fastify, and with Mercurius');
}

void main();
