// The storage on a database server, old beside new: `node bench/databases/two-builds-server-cpu.mjs <dist of one build>
// <dist of another> [postgres | mariadb]`, on Linux, on the machine of the server. Both run in this process, in turns, on a
// database of their own. For each kind of call it prints the CPU of one in this process and in the threads of the server
// that serve it, and how long it takes, as the median of 31 rounds, each with that of the second build ÷ that of the first.
import 'reflect-metadata';
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { DataSource } from 'typeorm';
import { MARIADB, POSTGRES, idOf, median } from './harness.mjs';

const ROUNDS = 31;
const ROWS = 256;

const [first, second, kind = 'postgres'] = process.argv.slice(2);
if (!first || !second) throw new Error('expected the folders of two builds, such as ../old/dist and dist');
const server = { postgres: POSTGRES, mariadb: MARIADB }[kind];
if (server === undefined) throw new Error(`expected postgres or mariadb, got ${kind}`);
const now = Date.now();
const use = { lastActiveAt: now, expiresAt: now + 86_400_000, now };
const ids = (start, count) => Array.from({ length: count }, (_, at) => idOf((start * count + at) % ROWS));

function row(index) {
  const { lastActiveAt, expiresAt } = use;
  const token = { tokenHash: randomBytes(32).toString('hex'), supersededHash: null, tokenIssuedAt: now };
  const state = { graceUntil: now, tokenUsed: true, tokenGeneration: 0, replacedTokens: '', version: 1 };
  const times = {
    createdAt: now,
    authenticatedAt: now,
    lastActiveAt,
    expiresAt,
    absoluteExpiresAt: now + 1e10,
  };
  const rest = { keyId: 'k1', idleTtl: 86_400_000, persistent: true, payload: randomBytes(300) };
  return { id: idOf(index), userId: `user-${index}`, ...token, ...state, ...times, ...rest };
}

/** A backend of one build, on a table of its own with rows. */
async function open(build, index, database) {
  const path = join(resolve(build), 'backends/typeorm/typeorm-session-backend.js');
  const { TypeOrmSessionBackend } = await import(pathToFileURL(path).href);
  // Connections outlive the rounds, or the CPU of those that are gone would be missing.
  const extra = kind === 'postgres' ? { idleTimeoutMillis: 0 } : { idleTimeout: 3_600_000 };
  const options = { tableName: `sessions_${index}`, createTable: true, timeout: 60_000, shared: false };
  const backend = new TypeOrmSessionBackend({ ...server, database, poolSize: 10, extra }, options);
  await backend.init();
  for (let i = 0; i < ROWS; i++) {
    const built = row(i);
    await backend.insert({ userId: built.userId, limit: null, replaces: null, build: () => built });
  }
  return backend;
}

const find = (count) => (backend, i) => backend.find(ids(i, count));
const alive = (count) => (backend, i) => backend.alive(ids(i, count), now);
const touch = (backend, i) => backend.touch([{ id: idOf(i % ROWS), ...use }]);
const save = (count) => (backend, i) => {
  const change = { ...use, version: 1, expectedVersion: 1, keyId: 'k1', payload: Buffer.alloc(300, i) };
  return backend.save(ids(i, count).map((id) => ({ id, ...change })));
};
const WORK = {
  'a look-up of one': { call: find(1), times: 400 },
  'a look-up of one, sixteen calls at once': { call: find(1), times: 800, atOnce: 16 },
  'a look-up of eight': { call: find(8), times: 200 },
  'whether eight are active': { call: alive(8), times: 200 },
  'a touch': { call: touch, times: 200 },
  'a save': { call: save(1), times: 200 },
  'a save of eight': { call: save(8), times: 100 },
};

async function run({ call, atOnce = 1 }, backend, times) {
  for (let i = 0; i < times; i += atOnce) {
    const answers = await Promise.all(Array.from({ length: atOnce }, (_, at) => call(backend, i + at)));
    if (!answers.flat().every(Boolean)) throw new Error('a row was not found');
  }
}

/** Where Linux says how much CPU each thread of the server has used that serves the database. */
async function threadsOf(admin, database) {
  if (kind === 'postgres') {
    const rows = await admin.query('SELECT pid FROM pg_stat_activity WHERE datname = $1', [database]);
    return rows.map(({ pid }) => `/proc/${pid}/schedstat`);
  }
  const rows = await admin.query('SELECT tid FROM information_schema.processlist WHERE db = ?', [database]);
  const isServer = (pid) => readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === 'mariadbd';
  const pid = readdirSync('/proc').find((name) => /^\d+$/.test(name) && isServer(name));
  return rows.map(({ tid }) => `/proc/${pid}/task/${tid}/schedstat`);
}

/** Microseconds. */
const cpuOf = (threads) =>
  threads.reduce((sum, path) => sum + Number(readFileSync(path, 'utf8').split(' ')[0]), 0) / 1_000;

async function measure(work, backend, threads) {
  const [own, theirs, began] = [process.cpuUsage(), cpuOf(threads), performance.now()];
  await run(work, backend, work.times);
  const took = (performance.now() - began) * 1_000;
  const { user, system } = process.cpuUsage(own);
  return { app: user + system, server: cpuOf(threads) - theirs, took };
}

function print(name, times, rounds) {
  const figures = ['app', 'server', 'took'].map((what) => {
    const [one, other] = [0, 1].map((at) =>
      (median(rounds.map((both) => both[at][what])) / times).toFixed(1),
    );
    return `${what} ${one}, ${other} µs, ${median(rounds.map(([a, b]) => b[what] / a[what])).toFixed(2)}`;
  });
  console.log(`${kind}, ${name}: ${figures.join('; ')}`);
}

const database = `sessions_bench_${randomBytes(6).toString('hex')}`;
const admin = await new DataSource(server).initialize();
await admin.query(`CREATE DATABASE ${database}`);
const backends = [];
try {
  for (const build of [first, second]) backends.push(await open(build, backends.length, database));
  for (const [name, work] of Object.entries(WORK)) {
    for (const backend of backends) await run(work, backend, 3 * work.times);
    const threads = await threadsOf(admin, database);
    const rounds = [];
    for (let round = 0; round < ROUNDS; round++) {
      const both = [];
      for (const at of round % 2 === 0 ? [0, 1] : [1, 0])
        both[at] = await measure(work, backends[at], threads);
      rounds.push(both);
    }
    print(name, work.times, rounds);
  }
} finally {
  await Promise.all(backends.map((backend) => backend.close()));
  await admin.query(`DROP DATABASE ${database}`);
  await admin.destroy();
}
