import {
  onEachDatabase,
  openDatabase,
  type SERVER_KINDS,
  type TestDatabase,
} from '../../../support/databases.js';
import { PATIENCE } from './open-backend.js';
import { Replica, stopReplicas } from './replica.js';

/** How long a storm lasts. `STORM_SECONDS=5 npm test -- storm` is a quick look. */
const SECONDS = Number(process.env['STORM_SECONDS'] ?? 60);
const REPLICAS = 3;
const USERS = 10;
const MAX = 3;

/** Three processes do everything at once, each with a clean-up that never rests: nothing deadlocks, nothing fails. */
export function describeStorm(kind: (typeof SERVER_KINDS)[number]): void {
  onEachDatabase(
    `${SECONDS} seconds of sign-ins, touches, saves, revokes and three clean-ups`,
    [kind],
    () => {
      afterEach(stopReplicas);

      it('fail nowhere, deadlocks included, and leave no user over the limit', async () => {
        const database = await openDatabase(kind);
        const more = { maxPerUser: MAX, timeout: PATIENCE } as const;
        const replicas = await Promise.all(
          Array.from({ length: REPLICAS }, () => Replica.on(database.options(), more)),
        );
        await Promise.all(replicas.map((replica) => replica.call('init')));
        const storms = await Promise.all(replicas.map((replica) => replica.call('storm', SECONDS, USERS)));
        expect(storms.flatMap(({ failures }) => failures)).toEqual([]);
        for (const { calls } of storms) expect(Math.min(...Object.values(calls))).toBeGreaterThan(SECONDS);
        expect(storms.map(({ deadlocks }) => deadlocks)).toEqual(storms.map(() => 0));
        expect(await isOverLimit(database)).toBe(false);
        await Promise.all(replicas.map((replica) => replica.call('close')));
        await database.drop();
      });
    },
  );
}

async function isOverLimit(database: TestDatabase): Promise<boolean> {
  const dataSource = await database.open();
  const now = Date.now();
  const rows: Array<{ count: string }> = await dataSource.query(
    `SELECT COUNT(*) AS count FROM sessions WHERE token_hash IS NOT NULL AND expires_at > ${now} GROUP BY user_id`,
  );
  return rows.some(({ count }) => Number(count) > MAX);
}
