// What a health check costs on a table of a million sessions: `node bench/databases/health.mjs`. Each check is the first of
// a minute, so that it asks for the keys in use as well, which the others of that minute do not, and is waited for with that.
import { randomBytes } from 'node:crypto';
import { SessionStore } from '../../dist/core/session-store.js';
import { ManualClock } from '../../dist/testing/index.js';
import { fill, openBackend, quantile, report, timed, withDatabase } from './harness.mjs';

const SESSIONS = Number(process.env.SESSIONS ?? 1_000_000);
const CHECKS = 300;

await withDatabase(async ({ dataSource, options }) => {
  const backend = await openBackend(options);
  await fill(dataSource, { count: SESSIONS });
  await dataSource.query('ANALYZE sessions');
  const clock = new ManualClock(Date.now());
  const logger = { warn() {}, error() {} };
  const store = new SessionStore(backend, { key: randomBytes(32), timeout: '60s', clock }, logger);
  await store.checkHealth();
  const times = [];
  for (let check = 0; check < CHECKS; check++) {
    clock.advance('1m');
    times.push(await timed(() => store.checkHealth().then(() => store.manager.drain())));
  }
  const { keysInUse: keys } = await store.checkHealth();
  await store.close();
  console.log(`${SESSIONS} sessions, sealed by ${keys.join(', ')}; ${CHECKS} checks`);
  const [p50, p99] = [quantile(times, 0.5), quantile(times, 0.99)];
  console.log(`p50 ${p50.toFixed(1)} ms`);
  report('p99 of a check, in milliseconds', p99.toFixed(1), p99 <= 20, 'at most 20');
});
