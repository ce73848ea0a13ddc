// Sockets: `npm run build && node bench/sockets.mjs [--kind ws | socket.io] [--rounds 61] [--open 5000] [--connections 8]`. It prints
// - what a session adds to a message, as a multiple of what it adds to a read of a route: both handlers have `@RequireAuth()`
//   and read `@Session()`, and each is measured beside the same handler in an app without sessions, behind a guard of its own.
//   Server CPU in microseconds, the medians of the rounds, and the ratio with quartiles. `read, no gateway` is the same route
//   in an app that has sessions and no gateway, and so no AsyncLocalStorage, which takes time of each promise on Node 20 and 22.
// - what an idle socket keeps of the heap beyond what it keeps in an app without sessions: each socket has a session of its own,
//   all of them have been looked up once since, and garbage is collected.
// Each app has a process of its own, and they are measured in turns. Sessions are in a SQLite file, by better-sqlite3. Both ends
// of 5,000 sockets are open files: `ulimit -n` has to be above 5,200.
import 'reflect-metadata';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const TIMES = 400;
const OPENED_AT_ONCE = 50;

if (process.send) await serve();
else await measureAll();

/** The app of one process: with sessions or without, with a gateway or without. */
async function serve() {
  process.on('disconnect', () => process.exit());
  const [{ kind, dist, hasSessions, hasGateway, users, file }] = await once(process, 'message');
  const { Controller, Get, Module, UseGuards } = await import('@nestjs/common');
  const { NestFactory } = await import('@nestjs/core');
  const { ExpressAdapter } = await import('@nestjs/platform-express');
  const { WsAdapter } = await import('@nestjs/platform-ws');
  const { IoAdapter } = await import('@nestjs/platform-socket.io');
  const { SubscribeMessage, WebSocketGateway } = await import('@nestjs/websockets');
  const { RequireAuth, Session, SessionModule, SessionStore } = await import(`../${dist}/index.js`);
  const { signIn } = await import(`../${dist}/testing/index.js`);

  class Passing {
    canActivate() {
      return true;
    }
  }
  const guarded = hasSessions ? RequireAuth() : UseGuards(Passing);
  const decorate = (type, name, ...decorators) => {
    const descriptor = Object.getOwnPropertyDescriptor(type.prototype, name);
    for (const one of decorators) one(type.prototype, name, descriptor);
    if (hasSessions) Session()(type.prototype, name, 0);
  };

  class Reads {
    read(session) {
      return { userId: session?.userId ?? 'ada' };
    }
  }
  decorate(Reads, 'read', guarded, Get('read'));
  Controller()(Reads);

  class Messages {
    read(session) {
      return { event: 'read', data: { userId: session?.userId ?? 'ada' } };
    }
  }
  decorate(Messages, 'read', guarded, SubscribeMessage('read'));
  WebSocketGateway()(Messages);

  class BenchModule {}
  const sessions = () =>
    SessionModule.forRoot({
      key: Buffer.alloc(32, 'key of the benchmark'),
      dataSource: { type: 'better-sqlite3', database: file },
      cookie: { secure: false },
      live: { recheck: '1h' }, // the one sweep is asked for
    });
  Module({
    imports: hasSessions ? [sessions()] : [],
    controllers: [Reads],
    providers: hasGateway ? [Messages] : [],
  })(BenchModule);
  const app = await NestFactory.create(BenchModule, new ExpressAdapter(), {
    logger: ['warn', 'error', 'fatal'],
  });
  app.useWebSocketAdapter(kind === 'ws' ? new WsAdapter(app) : new IoAdapter(app));
  app.getHttpServer().keepAliveTimeout = 0; // connections wait while the other app is measured
  await app.listen(0, '127.0.0.1');
  const cookies = [];
  for (let i = 0; i < users; i++)
    cookies.push(hasSessions ? (await signIn(app, `user-${i}`)).cookie : cookieOfNobody(i));

  const asked = {
    cpu() {
      const { user, system } = process.cpuUsage();
      return user + system;
    },
    async heap() {
      if (hasSessions) app.get(SessionStore).manager.live.recheck('all');
      for (let i = 0; i < 5; i++) {
        await setTimeout(200);
        globalThis.gc();
      }
      return process.memoryUsage().heapUsed;
    },
  };
  process.on('message', async (what) => process.send(await asked[what]()));
  process.send({ port: app.getHttpServer().address().port, cookies });
}

/** For the app without sessions, whose requests are to be as long. */
function cookieOfNobody(number) {
  return `sid=${String(number).padEnd(123, 'x')}`;
}

async function measureAll() {
  const { values } = parseArgs({
    options: {
      kind: { type: 'string', default: 'ws' },
      rounds: { type: 'string', default: '61' },
      open: { type: 'string', default: '5000' },
      connections: { type: 'string', default: '8' },
      dist: { type: 'string', default: 'dist' },
    },
  });
  const folder = mkdtempSync(join(tmpdir(), 'nest-sessions-sockets-'));
  try {
    if (Number(values.open) > 0) await measureIdle(values, folder);
    if (Number(values.rounds) > 0) await measureCost(values, folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  process.exit();
}

async function measureIdle({ kind, dist, open }, folder) {
  const users = Number(open);
  const kept = [];
  for (const hasSessions of [false, true]) {
    const file = join(folder, 'idle.sqlite');
    const app = await start({ kind, dist, hasSessions, hasGateway: true, users, file });
    const warm = await openAll(kind, app, app.cookies.slice(0, OPENED_AT_ONCE));
    for (const socket of warm) socket.close();
    const before = await ask(app, 'heap');
    await openAll(kind, app, app.cookies);
    kept.push(((await ask(app, 'heap')) - before) / users);
    app.child.kill();
  }
  const [without, withSessions] = kept;
  console.log(
    `${kind}: an idle socket of ${users}: ${without.toFixed(0)} B without sessions, ${withSessions.toFixed(0)} B with them, ` +
      `${(withSessions - without).toFixed(0)} B more`,
  );
}

async function measureCost({ kind, dist, rounds: times, ...rest }, folder) {
  const connections = Number(rest.connections);
  const apps = {};
  const inApp = async (name, hasSessions, hasGateway) => {
    const file = join(folder, `${name}.sqlite`);
    const app = await start({ kind, dist, hasSessions, hasGateway, users: 1, file });
    const agent = new Agent({ keepAlive: true, maxSockets: connections });
    const cookies = Array.from({ length: connections }, () => app.cookies[0]);
    apps[name] = { ...app, connections, agent, sockets: hasGateway ? await openAll(kind, app, cookies) : [] };
  };
  await inApp('without', false, true);
  await inApp('with', true, true);
  await inApp('no gateway', true, false);
  const measured = {
    'bare read': () => cpuOf(apps.without, read),
    'read, no gateway': () => cpuOf(apps['no gateway'], read),
    read: () => cpuOf(apps.with, read),
    'bare message': () => cpuOf(apps.without, say),
    message: () => cpuOf(apps.with, say),
  };
  const names = Object.keys(measured);
  for (let warm = 0; warm < 12; warm++) for (const name of names) await measured[name]();
  const rounds = [];
  for (let round = 0; round < Number(times); round++) {
    const one = {};
    for (const name of round % 2 === 0 ? names : names.toReversed()) one[name] = await measured[name]();
    const added = one.message - one['bare message'];
    one.ratio = added / (one.read - one['bare read']);
    one.apart = added / (one['read, no gateway'] - one['bare read']);
    rounds.push(one);
  }
  const of = (name, at) =>
    rounds.map((one) => one[name]).toSorted((a, b) => a - b)[Math.floor(at * rounds.length)];
  const quartiles = (name) =>
    `${of(name, 0.5).toFixed(2)} (${of(name, 0.25).toFixed(2)} to ${of(name, 0.75).toFixed(2)})`;
  for (const name of names) console.log(`${name.padEnd(16)} ${of(name, 0.5).toFixed(0)} µs`);
  console.log(`${kind}: a session adds to a message ÷ what it adds to a read: ${quartiles('ratio')}`);
  console.log(`${kind}: ÷ what it adds to a read in an app without gateways: ${quartiles('apart')}`);
  for (const { child } of Object.values(apps)) child.kill();
}

async function start(app) {
  const child = fork(fileURLToPath(import.meta.url), { execArgv: ['--expose-gc', ...process.execArgv] });
  child.send(app);
  const [{ port, cookies }] = await once(child, 'message');
  return { child, port, cookies };
}

/** Server CPU of a request or a message in microseconds. */
async function cpuOf(app, one) {
  const before = await ask(app, 'cpu');
  let left = TIMES;
  const worker = async (number) => {
    while (left-- > 0) await one(app, number);
  };
  await Promise.all(Array.from({ length: app.connections }, (_, number) => worker(number)));
  return ((await ask(app, 'cpu')) - before) / TIMES;
}

async function ask({ child }, what) {
  child.send(what);
  const [answer] = await once(child, 'message');
  return answer;
}

function read({ port, cookies: [cookie], agent }) {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      { host: '127.0.0.1', port, agent, path: '/read', headers: { cookie } },
      (incoming) => {
        incoming.resume();
        incoming.on('end', () =>
          incoming.statusCode === 200 ? resolve() : reject(new Error(`Answered ${incoming.statusCode}`)),
        );
      },
    );
    outgoing.on('error', reject);
    outgoing.end();
  });
}

async function say({ sockets }, number) {
  const answer = await sockets[number].say();
  if (answer.userId === undefined) throw new Error(`Answered ${JSON.stringify(answer)}`);
}

async function openAll(kind, { port }, cookies) {
  const opened = [];
  for (let from = 0; from < cookies.length; from += OPENED_AT_ONCE) {
    const some = cookies.slice(from, from + OPENED_AT_ONCE);
    opened.push(...(await Promise.all(some.map((cookie) => openOne(kind, port, cookie)))));
  }
  return opened;
}

async function openOne(kind, port, cookie) {
  if (kind === 'ws') {
    const { WebSocket } = await import('ws');
    const socket = new WebSocket(`ws://127.0.0.1:${port}`, { headers: { cookie } });
    await once(socket, 'open');
    const say = async () => {
      socket.send('{"event":"read","data":{}}');
      const [text] = await once(socket, 'message');
      return JSON.parse(text).data;
    };
    return { say, close: () => socket.close() };
  }
  const { io } = await import('socket.io-client');
  const transports = ['websocket'];
  const socket = io(`http://127.0.0.1:${port}`, { transports, forceNew: true, extraHeaders: { cookie } });
  await new Promise((resolve, reject) => socket.once('connect', resolve).once('connect_error', reject));
  const say = () =>
    new Promise((resolve) => {
      socket.once('read', resolve);
      socket.once('exception', resolve);
      socket.emit('read', {});
    });
  return { say, close: () => socket.close() };
}
