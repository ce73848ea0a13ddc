// How many touches are heap-only updates in Postgres, which write no index: `node bench/databases/hot-updates.mjs`.
import { fill, idOf, openBackend, report, withDatabase } from './harness.mjs';

const SESSIONS = 20_000;
const ROUNDS = 10;
const BATCH = 50;

await withDatabase(async ({ dataSource, options }) => {
  const backend = await openBackend(options);
  await fill(dataSource, { count: SESSIONS });
  const before = await updates(dataSource);
  for (let round = 1; round <= ROUNDS; round++) {
    // Every session once a round, in an order of its own each time, in batches as they are written behind responses.
    const order = Array.from({ length: SESSIONS }, (_, index) => index).toSorted(() => Math.random() - 0.5);
    const now = Date.now() + round;
    for (let start = 0; start < SESSIONS; start += BATCH * 10) {
      const batches = Array.from({ length: 10 }, (_, batch) =>
        order.slice(start + batch * BATCH, start + (batch + 1) * BATCH),
      );
      await Promise.all(
        batches.map((batch) =>
          backend.touch(
            batch.map((index) => ({ id: idOf(index), lastActiveAt: now, expiresAt: now + 86_400_000, now })),
          ),
        ),
      );
    }
  }
  const expected = before.all + SESSIONS * ROUNDS;
  let after = await updates(dataSource);
  for (let wait = 0; wait < 50 && after.all < expected; wait++) {
    await new Promise((resolve) => setTimeout(resolve, 200)); // the server counts with some delay
    after = await updates(dataSource);
  }
  await backend.close();
  const [all, hot] = [after.all - before.all, after.hot - before.hot];
  const share = (100 * hot) / all;
  report(
    `heap-only among ${all} touches of ${SESSIONS} sessions`,
    `${share.toFixed(1)} %`,
    share >= 95,
    'at least 95 %',
  );
});

async function updates(dataSource) {
  const [{ all, hot }] = await dataSource.query(
    "SELECT n_tup_upd::int AS all, n_tup_hot_upd::int AS hot FROM pg_stat_user_tables WHERE relname = 'sessions'",
  );
  return { all, hot };
}
