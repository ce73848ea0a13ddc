// The store without a server, old beside new: `node bench/databases/two-builds.mjs <dist of one build> <dist of another>
// [better-sqlite3 | sqlite]`. Both run in this process, in turns. For each kind of work it prints the CPU of one piece (user
// and system, all threads) as the median of 31 rounds, and that of the second build ÷ that of the first.
import 'reflect-metadata';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { median } from './harness.mjs';

const ROUNDS = 31;
const SESSIONS = 64;
const AT_ONCE = 16;
const DATA = { theme: 'dark', count: 1, cart: [{ sku: 'a-1', n: 2 }], locale: 'en-GB', csrf: 'x'.repeat(32) };

const [first, second, type = 'better-sqlite3'] = process.argv.slice(2);
if (!first || !second) throw new Error('expected the folders of two builds, such as dist and ../old/dist');
const folder = mkdtempSync(join(tmpdir(), 'nest-sessions-builds-'));

/** A store of one build, on a file of its own, and the tokens of its sessions. */
async function open(build, index) {
  const load = (path) => import(pathToFileURL(join(resolve(build), path)).href);
  const { SessionStore } = await load('index.js');
  const { TypeOrmSessionBackend } = await load('backends/typeorm/typeorm-session-backend.js');
  const options = { tableName: 'sessions', createTable: true, timeout: 5000, shared: false };
  const backend = new TypeOrmSessionBackend({ type, database: join(folder, `${index}.sqlite`) }, options);
  const store = new SessionStore(backend, { key: Buffer.alloc(32, 'key of the benchmark') });
  await store.initSchema();
  const tokens = [];
  for (let i = 0; i < SESSIONS; i++) {
    const { token } = await store.create({}, `user-${i}`, { ...DATA });
    tokens.push(token.reveal());
  }
  return { store, tokens };
}

const readOne = ({ store, tokens }, i) => store.readByToken(tokens[i % SESSIONS]);

async function saveOne(subject, i) {
  const { id, data, expiresAt } = await readOne(subject, i);
  const isSaved = await subject.store.flush(
    id,
    { ...data, count: data.count + 1 },
    new Date(),
    expiresAt,
    data,
  );
  if (!isSaved) throw new Error('a session was not saved');
}

/** `times` pieces of work, so many at once. */
const inGroups = (size, piece) => async (subject, times) => {
  for (let i = 0; i < times; i += size) {
    await Promise.all(Array.from({ length: size }, (_, at) => piece(subject, i + at)));
  }
};

const WORK = {
  'a read alone': { times: 400, run: inGroups(1, readOne) },
  'a read among sixteen': { times: 1600, run: inGroups(AT_ONCE, readOne) },
  'a read and a save among sixteen': { times: 640, run: inGroups(AT_ONCE, saveOne) },
};

async function cpuOf(work, subject) {
  const before = process.cpuUsage();
  await work.run(subject, work.times);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / work.times;
}

try {
  const subjects = [await open(first, 1), await open(second, 2)];
  for (const [name, work] of Object.entries(WORK)) {
    for (const subject of subjects) await work.run(subject, 4 * work.times);
    const rounds = [];
    for (let round = 0; round < ROUNDS; round++) {
      const cpu = [];
      for (const at of round % 2 === 0 ? [0, 1] : [1, 0]) cpu[at] = await cpuOf(work, subjects[at]);
      rounds.push(cpu);
    }
    const [one, other] = [0, 1].map((at) => median(rounds.map((cpu) => cpu[at])).toFixed(1));
    const ratio = median(rounds.map(([a, b]) => b / a)).toFixed(2);
    console.log(`${type}, ${name}: ${one} µs, ${other} µs, second ÷ first ${ratio}`);
  }
  await Promise.all(subjects.map(({ store }) => store.close()));
} finally {
  rmSync(folder, { recursive: true, force: true });
}
