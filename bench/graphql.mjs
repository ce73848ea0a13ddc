// GraphQL: `npm run build && node bench/graphql.mjs [--driver apollo-express | apollo-fastify | mercurius] [--rounds 15]`.
// A query of fifty fields that `@RequireAuth()` guards, beside the same query in an app without sessions whose fields a guard
// of its own lets pass, and beside what a session adds to a read of a route. Each app has a process of its own, and they are
// measured in turns. It prints the server CPU of a request in microseconds, as the median of the rounds, and the query with
// sessions ÷ (the query without + one read), with quartiles. Sessions are in a SQLite file, by better-sqlite3.
import 'reflect-metadata';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const FIELDS = 50;
const REQUESTS = { graphql: 150, read: 600 };
const CONNECTIONS = 8;

if (process.send) await serve();
else await measureAll();

/** The app of one process: with sessions or without. */
async function serve() {
  process.on('disconnect', () => process.exit());
  const [{ driver, hasSessions, file }] = await once(process, 'message');
  const { Controller, Get, Module, UseGuards } = await import('@nestjs/common');
  const { NestFactory } = await import('@nestjs/core');
  const { GraphQLModule, ObjectType, Field, Query, ResolveField, Resolver } = await import('@nestjs/graphql');
  const { ExpressAdapter } = await import('@nestjs/platform-express');
  const { FastifyAdapter } = await import('@nestjs/platform-fastify');
  const { RequireAuth, Session, SessionModule, SessionStore } = await import('../dist/index.js');
  const { signIn } = await import('../dist/testing/index.js');

  class Passing {
    canActivate() {
      return true;
    }
  }
  const guarded = hasSessions ? RequireAuth() : UseGuards(Passing);

  class Thing {}
  ObjectType()(Thing);
  Field(() => String)(Thing.prototype, 'name');

  class Things {
    thing() {
      return { name: 'tea' };
    }
  }
  const decorate = (type, name, ...decorators) => {
    const descriptor = Object.getOwnPropertyDescriptor(type.prototype, name);
    for (const one of decorators) one(type.prototype, name, descriptor);
  };
  decorate(
    Things,
    'thing',
    Query(() => Thing),
    guarded,
  );
  for (let i = 0; i < FIELDS; i++) {
    Object.defineProperty(Things.prototype, `f${i}`, {
      value: () => `value ${i}`,
      writable: true,
      configurable: true,
    });
    decorate(
      Things,
      `f${i}`,
      ResolveField(() => String),
      guarded,
    );
  }
  Resolver(() => Thing)(Things);

  class Reads {
    read(session) {
      return { userId: session?.userId ?? 'ada' };
    }
  }
  decorate(Reads, 'read', Get('read'), ...(hasSessions ? [RequireAuth()] : [UseGuards(Passing)]));
  if (hasSessions) Session()(Reads.prototype, 'read', 0);
  Controller()(Reads);

  class BenchModule {}
  const isMercurius = driver === 'mercurius';
  const { ApolloDriver } = isMercurius ? {} : await import('@nestjs/apollo');
  const { MercuriusDriver } = isMercurius ? await import('@nestjs/mercurius') : {};
  const sessions = () =>
    SessionModule.forRoot({
      key: Buffer.alloc(32, 'key of the benchmark'),
      dataSource: { type: 'better-sqlite3', database: file },
      cookie: { secure: false },
    });
  Module({
    imports: [
      ...(hasSessions ? [sessions()] : []),
      GraphQLModule.forRoot({
        driver: isMercurius ? MercuriusDriver : ApolloDriver,
        autoSchemaFile: true,
        fieldResolverEnhancers: ['guards'],
        ...(isMercurius ? {} : { graphiql: false }),
      }),
    ],
    controllers: [Reads],
    providers: [Things],
  })(BenchModule);
  const adapter = driver === 'apollo-express' ? new ExpressAdapter() : new FastifyAdapter();
  const app = await NestFactory.create(BenchModule, adapter, { logger: ['warn', 'error', 'fatal'] });
  app.getHttpServer().keepAliveTimeout = 0; // connections wait while the other app is measured
  await app.listen(0, '127.0.0.1');
  const cookie = hasSessions ? (await signIn(app, 'ada')).cookie : '';
  if (hasSessions) app.get(SessionStore);
  process.on('message', () => {
    const { user, system } = process.cpuUsage();
    process.send(user + system);
  });
  process.send({ port: app.getHttpServer().address().port, cookie });
}

async function measureAll() {
  const { values } = parseArgs({
    options: {
      driver: { type: 'string', default: 'apollo-express' },
      rounds: { type: 'string', default: '15' },
    },
  });
  const folder = mkdtempSync(join(tmpdir(), 'nest-sessions-graphql-'));
  const started = [];
  try {
    for (const hasSessions of [false, true]) {
      const child = fork(fileURLToPath(import.meta.url));
      child.send({ driver: values.driver, hasSessions, file: join(folder, 'bench.sqlite') });
      const [{ port, cookie }] = await once(child, 'message');
      const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
      started.push({ child, port, cookie, agent });
    }
    const [without, withSessions] = started;
    for (let warm = 0; warm < 4; warm++)
      for (const app of started) for (const kind of Object.keys(REQUESTS)) await cpuOf(app, kind);
    const rounds = [];
    for (let round = 0; round < Number(values.rounds); round++) {
      const [bare, read] = [await cpuOf(without, 'read'), await cpuOf(withSessions, 'read')];
      const [query, guarded] = [await cpuOf(without, 'graphql'), await cpuOf(withSessions, 'graphql')];
      rounds.push({ bare, read, query, guarded, ratio: guarded / (query + read - bare) });
    }
    const of = (name, at) =>
      rounds.map((one) => one[name]).toSorted((a, b) => a - b)[Math.floor(at * rounds.length)];
    for (const name of ['bare', 'read', 'query', 'guarded'])
      console.log(`${name.padEnd(8)} ${of(name, 0.5).toFixed(0)} µs`);
    console.log(
      `${values.driver}: ${of('ratio', 0.5).toFixed(3)} (${of('ratio', 0.25).toFixed(3)} to ${of('ratio', 0.75).toFixed(3)})`,
    );
  } finally {
    for (const { child, agent } of started) {
      agent.destroy();
      child.kill();
    }
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Server CPU of a request in microseconds. */
async function cpuOf(app, kind) {
  const times = REQUESTS[kind];
  const before = await askedCpu(app);
  let left = times;
  const worker = async () => {
    while (left-- > 0) await ask(app, kind);
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, worker));
  return ((await askedCpu(app)) - before) / times;
}

async function askedCpu({ child }) {
  child.send('cpu');
  const [cpu] = await once(child, 'message');
  return cpu;
}

function ask({ port, cookie, agent }, kind) {
  const query = `{ thing { ${Array.from({ length: FIELDS }, (_, i) => `f${i}`).join(' ')} } }`;
  const body = kind === 'graphql' ? JSON.stringify({ query }) : undefined;
  return new Promise((resolve, reject) => {
    const outgoing = request(
      {
        host: '127.0.0.1',
        port,
        agent,
        method: body ? 'POST' : 'GET',
        path: body ? '/graphql' : '/read',
        headers: {
          cookie,
          ...(body ? { 'content-type': 'application/json', 'content-length': body.length } : {}),
        },
      },
      (incoming) => {
        let text = '';
        incoming.on('data', (chunk) => (text += chunk));
        incoming.on('end', () => {
          if (incoming.statusCode === 200 && !text.includes('"errors"')) resolve();
          else reject(new Error(`${incoming.statusCode} ${text.slice(0, 200)}`));
        });
      },
    );
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}
