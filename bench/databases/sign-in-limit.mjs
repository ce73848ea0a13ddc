// Sign-in with a limit, 16 at a time of one user, beside the same in serializable transactions that are tried again
// until they go through: `node bench/databases/sign-in-limit.mjs`.
import { randomBytes } from 'node:crypto';
import { SessionStore } from '../../dist/core/session-store.js';
import { median, openBackend, report, timed, withDatabase } from './harness.mjs';

const AT_ONCE = 16;
const MAX = 5;
const ROUNDS = 10;
const SIGN_INS = 20; // of each, one after the other

await withDatabase(async ({ dataSource, options }) => {
  const store = new SessionStore(await openBackend(options), {
    key: randomBytes(32),
    maxPerUser: MAX,
    timeout: '60s',
  });
  await openBackend(options, 'other').then((backend) => backend.close());
  let [failures, retries, most] = [0, 0, 0];

  const ours = () =>
    store.create({}, 'ada').catch(() => {
      failures++;
    });
  const template = await rowLike(dataSource, store);
  const theirs = async () => {
    for (; ; retries++) {
      const runner = dataSource.createQueryRunner();
      try {
        await runner.startTransaction('SERIALIZABLE');
        const now = Date.now();
        const rows = await runner.query(
          'SELECT id FROM other WHERE user_id = $1 AND expires_at > $2 AND absolute_expires_at > $2 ORDER BY last_active_at, id',
          ['ada', now],
        );
        const victims = rows.slice(0, Math.max(0, rows.length + 1 - MAX)).map(({ id }) => id);
        if (victims.length > 0) await runner.query('DELETE FROM other WHERE id = ANY($1)', [victims]);
        await runner.query(template.insert, template.values(randomBytes(13).toString('hex')));
        await runner.commitTransaction();
        return;
      } catch (error) {
        await runner.rollbackTransaction().catch(() => undefined);
        if (error.code !== '40001' && error.code !== '40P01') throw error;
      } finally {
        await runner.release();
      }
      await new Promise((resolve) => setTimeout(resolve, 5 * Math.random()));
    }
  };
  const round = (signIn) =>
    timed(() =>
      Promise.all(
        Array.from({ length: AT_ONCE }, async () => {
          for (let n = 0; n < SIGN_INS; n++) await signIn();
        }),
      ),
    );
  await round(ours);
  await round(theirs);
  retries = 0;
  const ratios = [];
  const speeds = { ours: [], theirs: [] };
  for (let n = 0; n < ROUNDS; n++) {
    const order = n % 2 ? ['ours', 'theirs'] : ['theirs', 'ours'];
    const took = {};
    for (const side of order) took[side] = await round(side === 'ours' ? ours : theirs);
    for (const side of order) speeds[side].push((1000 * AT_ONCE * SIGN_INS) / took[side]);
    ratios.push(took.theirs / took.ours);
    most = Math.max(most, (await store.listForUser('ada')).length);
  }
  await store.close();
  console.log(
    `sign-ins a second: ${median(speeds.ours).toFixed(0)}, serializable ${median(speeds.theirs).toFixed(0)} ` +
      `(${(retries / (ROUNDS * AT_ONCE * SIGN_INS)).toFixed(1)} retries for each)`,
  );
  report('failures', failures, failures === 0, 'none');
  report('sessions of the user', most, most === MAX, `exactly ${MAX}`);
  const ratio = median(ratios);
  report(
    'sign-ins with a limit, to serializable transactions',
    `${ratio.toFixed(1)} ×`,
    ratio >= 4,
    'at least 4 ×',
  );
});

/** An INSERT of a row as the store makes them, with another id. */
async function rowLike(dataSource, store) {
  const { session } = await store.create({}, 'template');
  const [row] = await dataSource.query('SELECT * FROM sessions WHERE id = $1', [session.id]);
  const columns = Object.keys(row);
  const insert = `INSERT INTO other (${columns.join(', ')}) VALUES (${columns.map((_, index) => `$${index + 1}`).join(', ')})`;
  const values = (id) =>
    columns.map((name) => ({ ...row, id, user_id: 'ada', last_active_at: Date.now() })[name]);
  return { insert, values };
}
