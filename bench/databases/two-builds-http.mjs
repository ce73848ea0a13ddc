// HTTP, old beside new: `node bench/databases/two-builds-http.mjs <dist of one build> <dist of another>
// [--database better-sqlite3 | sqlite | postgres | mariadb] [--platform express | fastify] [--rounds 21]`. Each build has a
// server of its own, and they are measured in turns. For a read and for a write it prints the server CPU of a request (user
// and system, all threads) as the median of the rounds, and that of the second build ÷ that of the first with quartiles.
// The rounds are spread over three starts of the servers: one process may be slower than the next that runs the same code.
import { execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { cpSync, existsSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { DataSource } from 'typeorm';
import { Pool } from 'undici';
import { MARIADB, POSTGRES, median, quantile } from './harness.mjs';

const STARTS = 3;
const SESSIONS = 64;
const CONNECTIONS = 32;
/** Requests of one measurement. Four times as many warm a server up, and a tenth goes before each measurement. */
const WORK = {
  read: { method: 'GET', path: '/read', times: 2000 },
  write: { method: 'POST', path: '/write', times: 1000 },
};
/** Milliseconds after which a server that does not answer has failed. */
const PATIENCE = 60_000;
const DATABASE_SERVERS = { postgres: POSTGRES, mariadb: MARIADB };

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    database: { type: 'string', default: 'better-sqlite3' },
    platform: { type: 'string', default: 'express' },
    rounds: { type: 'string', default: '21' },
  },
});
const { database, platform } = values;
const rounds = Number(values.rounds);
const builds = positionals.map((build) => resolve(build));

function expect(isSo, what) {
  if (!isSo) throw new Error(`expected ${what}`);
}
const areBuilds = builds.length === 2 && builds.every((build) => existsSync(join(build, 'index.js')));
expect(areBuilds, 'the folders of two builds, such as ../old/dist and dist');
expect(
  ['better-sqlite3', 'sqlite', 'postgres', 'mariadb'].includes(database),
  '--database better-sqlite3, sqlite, postgres or mariadb',
);
expect(['express', 'fastify'].includes(platform), '--platform express or fastify');
expect(Number.isInteger(rounds) && rounds >= 1, '--rounds 1 or more');

/** Copies of the builds beside this repository's packages, so that a build made meanwhile changes nothing. */
const folder = mkdtempSync(join(tmpdir(), 'nest-sessions-builds-'));
const run = `bench_${randomBytes(6).toString('hex')}`;
const children = new Set();
let isInterrupted = false;

/** A core for the servers, another for the load, where there are two and `taskset`. */
function pin() {
  const servers = ['taskset', '-c', '0'];
  try {
    execFileSync('taskset', ['-c', '-p', '1', String(process.pid)], { stdio: 'ignore' });
    return servers;
  } catch {
    return [];
  }
}
const pinned = pin();

/** The app on one build, with sessions that are signed in. */
class Server {
  #child;
  #ended;
  #pool;
  #cookies = [];
  #next = 0;

  static async start(settings) {
    if (isInterrupted) throw new Error('interrupted');
    const server = new Server();
    const main = join(import.meta.dirname, 'two-builds-server.mjs');
    const [file, ...args] = [...pinned, process.execPath, main];
    const child = spawn(file, args, {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      env: { ...process.env, NODE_ENV: 'production' },
    });
    children.add(child);
    server.#child = child;
    const exit = once(child, 'exit').finally(() => children.delete(child));
    server.#ended = exit.then(() => {
      throw new Error('a server has ended: see what it says above');
    });
    server.#ended.catch(() => undefined);
    const port = await server.#ask(settings);
    server.#pool = new Pool(`http://127.0.0.1:${port}`, {
      connections: CONNECTIONS,
      pipelining: 1,
      headersTimeout: PATIENCE,
    });
    for (let i = 0; i < SESSIONS; i++) {
      const { cookie } = await server.#send({ method: 'POST', path: `/sign-in?user=user-${i}` });
      expect(cookie !== undefined, 'a cookie of each sign-in');
      server.#cookies.push(cookie);
    }
    return server;
  }

  async #ask(question) {
    const answer = once(this.#child, 'message', { signal: AbortSignal.timeout(PATIENCE) });
    this.#child.send(question);
    return (await Promise.race([answer, this.#ended]))[0];
  }

  async #send({ method, path }, cookie) {
    const headers = cookie === undefined ? {} : { cookie };
    const answer = await this.#pool.request({ method, path, headers });
    const text = await answer.body.text();
    expect(answer.statusCode < 300, `${method} ${path} to succeed, got ${answer.statusCode}: ${text}`);
    const set = [answer.headers['set-cookie']].flat()[0];
    return { cookie: set?.split(';')[0], count: JSON.parse(text).count };
  }

  /** So many requests, one at a time on each connection. */
  async load(work, times) {
    let left = times;
    const connection = async () => {
      while (left-- > 0) await this.#send(work, this.#cookies[this.#next++ % SESSIONS]);
    };
    await Promise.all(Array.from({ length: CONNECTIONS }, connection));
  }

  /** Microseconds of CPU that a request takes. */
  async cpuOf(work) {
    await this.load(work, work.times / 10);
    const before = await this.#ask('usage');
    await this.load(work, work.times);
    return ((await this.#ask('usage')) - before) / work.times;
  }

  async warmUp() {
    for (const work of Object.values(WORK)) await this.load(work, 4 * work.times);
    for (const cookie of this.#cookies) {
      const { count } = await this.#send(WORK.read, cookie);
      expect(count > 0, `each session to be saved, got a count of ${count}`);
    }
  }
}

/** Which of the two is first, in turns. */
const orderOf = (turn) => (turn % 2 === 0 ? [0, 1] : [1, 0]);

/** Both servers, on tables or files of their own. */
async function startServers(start) {
  const servers = [];
  for (const at of orderOf(start)) {
    const file = { type: database, database: join(folder, `${start}-${at}.sqlite`) };
    servers[at] = await Server.start({
      build: join(folder, String(at), 'index.js'),
      platform,
      dataSource: DATABASE_SERVERS[database] ?? file,
      tableName: `${run}_${at}`,
    });
  }
  return servers;
}

async function endServers() {
  const ends = [...children].map(async (child) => {
    const exit = once(child, 'exit');
    child.kill('SIGKILL');
    await exit;
  });
  await Promise.all(ends);
}

async function dropTables() {
  if (!(database in DATABASE_SERVERS)) return;
  const admin = await new DataSource(DATABASE_SERVERS[database]).initialize();
  try {
    for (const at of [0, 1]) await admin.query(`DROP TABLE IF EXISTS ${run}_${at}`);
  } finally {
    await admin.destroy();
  }
}

/** Adds the rounds of one start, for each kind of work the microseconds of both builds. */
async function measure(start, samples) {
  const [first, end] = [start, start + 1].map((at) => Math.floor((at * rounds) / STARTS));
  if (first === end) return;
  const servers = await startServers(start);
  for (const server of servers) await server.warmUp();
  for (const [name, work] of Object.entries(WORK)) {
    for (let round = first; round < end; round++) {
      const cpu = [];
      for (const at of orderOf(round)) cpu[at] = await servers[at].cpuOf(work);
      samples[name].push(cpu);
    }
  }
}

function print(samples) {
  for (const [name, pairs] of Object.entries(samples)) {
    const [one, other] = [0, 1].map((at) => median(pairs.map((cpu) => cpu[at])).toFixed(1));
    const ratios = pairs.map(([a, b]) => b / a);
    const [low, middle, high] = [0.25, 0.5, 0.75].map((q) => quantile(ratios, q).toFixed(2));
    console.log(
      `${database}, ${platform}, ${name}: ${one} µs, ${other} µs, second ÷ first ${middle} (${low} to ${high})`,
    );
  }
}

async function main() {
  for (const [at, build] of builds.entries()) cpSync(build, join(folder, String(at)), { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  symlinkSync(join(import.meta.dirname, '../../node_modules'), join(folder, 'node_modules'), 'junction');
  const samples = { read: [], write: [] };
  for (let start = 0; start < STARTS; start++) {
    try {
      await measure(start, samples);
    } finally {
      await endServers();
      await dropTables();
    }
  }
  print(samples);
}

// A signal ends the servers: what waits for them fails, and everything is tidied up on the way out.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    isInterrupted = true;
    void endServers();
  });
}
try {
  await main();
} finally {
  rmSync(folder, { recursive: true, force: true });
}
