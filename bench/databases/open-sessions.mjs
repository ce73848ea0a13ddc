// What looking for ended sessions takes of the app's own CPU: `node bench/databases/open-sessions.mjs`. 5,000 sessions have
// something open, on PostgreSQL and on SQLite; each sweep looks all of them up, 500 at a time.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SessionStore } from '../../dist/core/session-store.js';
import { median, openBackend, quantile, report, timed, withDatabase } from './harness.mjs';

const OPEN = 5_000;
const SWEEPS = 40;
const [WARM_UP, GOAL] = [10, 100];

await withDatabase(({ options }) => measure('PostgreSQL', options));
for (const type of ['sqlite', 'better-sqlite3']) {
  const folder = await mkdtemp(join(tmpdir(), 'open-sessions-'));
  await measure(type === 'sqlite' ? 'sqlite3' : type, { type, database: join(folder, 'sessions.sqlite') });
  await rm(folder, { recursive: true });
}

async function measure(name, options) {
  const backend = await openBackend(options);
  const live = { recheck: '1h' }; // the sweeps are ours
  const store = new SessionStore(backend, { plaintext: true, maxPerUser: false, timeout: '60s', live });
  const data = { theme: 'dark', cart: Array.from({ length: 10 }, (_, item) => ({ item, count: 1 })) };
  const ids = [];
  for (let begun = 0; begun < OPEN; begun += 250) {
    const some = Array.from({ length: 250 }, (_, n) => store.create({}, `user-${begun + n}`, data));
    ids.push(...(await Promise.all(some)).map(({ session }) => session.id));
  }
  let ended = 0;
  for (const row of await backend.find(ids)) store.manager.live.add(row, { end: () => ended++ });
  const sweep = async () => {
    const before = process.cpuUsage();
    const took = await timed(() => sweepOf(store));
    const { user, system } = process.cpuUsage(before);
    return { cpu: (user + system) / 1000, took };
  };
  const sweeps = [];
  for (let n = 0; n < WARM_UP + SWEEPS; n++) sweeps.push(await sweep());
  const measured = sweeps.slice(WARM_UP);
  if (ended > 0 || store.manager.live.size !== OPEN) throw new Error(`${ended} have ended`);
  await store.close();
  const cpu = measured.map((one) => one.cpu);
  console.log(
    `${name}: ${median(measured.map(({ took }) => took)).toFixed(0)} ms a sweep, the first one ` +
      `${sweeps[0].cpu.toFixed(0)} ms of CPU, a tenth above ${quantile(cpu, 0.9).toFixed(0)} ms`,
  );
  report(
    `${OPEN} open sessions on ${name}, CPU of a sweep`,
    `${median(cpu).toFixed(0)} ms`,
    median(cpu) <= GOAL,
    `at most ${GOAL} ms`,
  );
}

/** One look-up of all that is open, until the last answer has come. */
async function sweepOf(store) {
  const { backend, live } = store.parts;
  const { alive } = backend;
  let left = OPEN;
  const done = new Promise((resolve) => {
    backend.alive = async (ids, now) => {
      const rows = await alive.call(backend, ids, now);
      left -= ids.length;
      if (left === 0) setImmediate(resolve);
      return rows;
    };
  });
  live.recheck('all');
  await done;
  backend.alive = alive;
}
