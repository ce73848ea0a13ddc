// What a clean-up costs the requests beside it: `node bench/databases/cleanup.mjs`. 500,000 of 1,000,000 rows have
// expired; rounds with the clean-up alternate with rounds without, in one process, as in an app.
import { setTimeout as sleep } from 'node:timers/promises';
import { restAfter } from '../../dist/core/session-pruning.js';
import { fill, idOf, median, openBackend, quantile, report, withDatabase } from './harness.mjs';

const ROWS = 1_000_000;
const ROUND = 4_000; // milliseconds
const EVERY = 4; // milliseconds between requests
const BATCH = 1_000;

await withDatabase(async ({ dataSource, options }) => {
  const backend = await openBackend(options);
  await fill(dataSource, { count: ROWS, isExpired: 'i % 2 = 0' });
  let [cursor, deleted, slowest] = [null, 0, 0];

  const request = async () => {
    const id = idOf(1 + 2 * Math.floor((Math.random() * ROWS) / 2));
    const now = Date.now();
    const began = performance.now();
    const [row] = await backend.find([id]);
    if (row === null) throw new Error('a live row is gone');
    if (Math.random() < 0.2)
      await backend.touch([{ id, lastActiveAt: now, expiresAt: now + 86_400_000, now }]);
    return performance.now() - began;
  };
  /** Requests arrive whether or not those before them have ended. */
  const round = async (isCleaning) => {
    const times = [];
    const until = performance.now() + ROUND;
    const pruning = (async () => {
      while (isCleaning && performance.now() < until) {
        const began = performance.now();
        const step = await backend.prune({ now: Date.now(), cursor, batchSize: BATCH });
        const took = performance.now() - began;
        slowest = Math.max(slowest, took);
        [cursor, deleted] = [step.next, deleted + step.deleted];
        if (cursor === null) return;
        await sleep(restAfter(took)); // as the store does between two steps
      }
    })();
    while (performance.now() < until) {
      times.push(request());
      await new Promise((resolve) => setTimeout(resolve, EVERY));
    }
    const took = await Promise.all(times);
    await pruning;
    return quantile(took, 0.99);
  };
  await round(false);
  const [alone, beside] = [[], []];
  let isDone = false;
  while (!isDone) {
    alone.push(await round(false));
    beside.push(await round(true));
    isDone = cursor === null;
  }
  const [{ left }] = await dataSource.query(
    `SELECT COUNT(*)::int AS left FROM sessions WHERE expires_at <= ${Date.now()}`,
  );
  await backend.close();
  const ratio = median(beside.map((p99, index) => p99 / alone[index]));
  console.log(
    `p99 of a request: ${median(alone).toFixed(1)} ms, ${median(beside).toFixed(1)} ms beside the clean-up, ` +
      `whose slowest step of ${BATCH} rows took ${slowest.toFixed(0)} ms; ${beside.length} rounds of each`,
  );
  report('expired rows deleted', `${deleted}, ${left} left`, deleted === ROWS / 2 && left === 0, 'all');
  report('p99 beside the clean-up, to p99 alone', ratio.toFixed(2), ratio <= 2, 'at most 2');
});
