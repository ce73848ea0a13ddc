import { setTimeout as sleep } from 'node:timers/promises';
import { DataSource } from 'typeorm';
import { TypeOrmSessionBackend } from '../../../../../src/backends/typeorm/typeorm-session-backend.js';
import { NOW, row, store } from '../../../../../src/testing/backend-contract/contract-rule.js';
import { OwnServer, withOwnServer } from '../../../../support/own-server.js';
import { OPTIONS } from '../../support/open-backend.js';

const ROWS = 300;
const ROUNDS = 10;

// On a server of its own: transactions of others, in whichever database, keep Postgres from clearing pages.
describe('the table of sessions on PostgreSQL', () => {
  withOwnServer('postgres', () => {
    it('has room in its pages, and touches that leave the indexes alone: at least 95 of 100', async () => {
      const server = await OwnServer.make('postgres');
      const dataSource = await new DataSource(server.options()).initialize();
      const backend = new TypeOrmSessionBackend(dataSource, { ...OPTIONS, shared: false });
      await backend.init();
      const ids = Array.from({ length: ROWS }, (_, index) => `id-${index}`);
      const scattered = ids.map((_, index) => ids[(index * 37) % ids.length] ?? ''); // as requests are
      const payload = Buffer.alloc(1_500, 'sealed'); // as long as a row may be that keeps its payload in its page
      await store(backend, ...ids.map((id) => row(id, { payload })));
      for (let round = 1; round <= ROUNDS; round++) {
        const use = { lastActiveAt: NOW + round, expiresAt: NOW + 3_600_000 + round, now: NOW };
        for (let first = 0; first < ROWS; first += 10)
          await backend.touch(scattered.slice(first, first + 10).map((id) => ({ id, ...use })));
      }
      const { updated, hot } = await updatesOf(dataSource, ROWS * ROUNDS);
      expect(updated).toBe(ROWS * ROUNDS);
      expect(hot / updated).toBeGreaterThanOrEqual(0.95);
      await dataSource.destroy();
      await server.remove();
    });
  });
});

/** Updates of the table, and those that no index had to learn of, as soon as Postgres has counted that many. */
async function updatesOf(
  dataSource: DataSource,
  expected: number,
): Promise<{ updated: number; hot: number }> {
  for (let attempt = 0; ; attempt++) {
    await dataSource.query('SELECT pg_stat_force_next_flush()');
    const [stats]: Array<{ n_tup_upd: string; n_tup_hot_upd: string }> = await dataSource.query(
      "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'sessions'",
    );
    const updated = Number(stats?.n_tup_upd);
    if (updated >= expected || attempt === 100) return { updated, hot: Number(stats?.n_tup_hot_upd) };
    await sleep(50);
  }
}
