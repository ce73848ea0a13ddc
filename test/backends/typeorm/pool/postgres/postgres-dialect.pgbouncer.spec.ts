import { DataSource } from 'typeorm';
import type { TypeOrmSessionBackendOptions } from '../../../../../src/backends/typeorm/typeorm-session-backend-options.js';
import { TypeOrmSessionBackend } from '../../../../../src/backends/typeorm/typeorm-session-backend.js';
import { SessionStore } from '../../../../../src/core/session-store.js';
import {
  inserting,
  row,
  store as storeRows,
  MINUTE,
  NOW,
} from '../../../../../src/testing/backend-contract/contract-rule.js';
import { evict } from '../../../../../src/testing/backend-contract/limit-fixtures.js';
import { describeSessionBackend } from '../../../../../src/testing/describe-session-backend.js';
import { OwnServer } from '../../../../support/own-server.js';
import { PgBouncer, SERVER_CONNECTIONS } from '../../../../support/pg-bouncer.js';
import { withPrograms } from '../../../../support/programs.js';
import { OPTIONS, PATIENCE } from '../../support/open-backend.js';

const MAX = 3;

describe('PgBouncer in transaction mode', () => {
  withPrograms(['initdb', 'postgres', 'pgbouncer'], () => {
    let server: OwnServer;
    let bouncer: PgBouncer;
    let direct: DataSource;
    let tables = 0;

    beforeAll(async () => {
      server = await OwnServer.make('postgres');
      bouncer = await PgBouncer.before(server);
      direct = await new DataSource(server.options()).initialize();
    });
    afterAll(async () => {
      await direct?.destroy();
      await bouncer?.stop();
      await server?.remove();
    });

    const open = (
      tableName = `sessions_${++tables}`,
      more: Partial<TypeOrmSessionBackendOptions> = {},
    ): TypeOrmSessionBackend => {
      return new TypeOrmSessionBackend(bouncer.options(), { ...OPTIONS, shared: false, tableName, ...more });
    };

    /** What each connection of PgBouncer's to the server says. */
    async function onEachConnection(sql: string): Promise<unknown[]> {
      const through = await new DataSource({ ...bouncer.options(), poolSize: 10 } as never).initialize();
      const said = await Promise.all(
        Array.from({ length: 4 * SERVER_CONNECTIONS }, () =>
          through.transaction(async (manager) => {
            const [{ pid }]: [{ pid: number }] = await manager.query('SELECT pg_backend_pid() AS pid');
            await manager.query('SELECT pg_sleep(0.05)');
            const rows: Array<{ value: unknown }> = await manager.query(sql);
            return [pid, rows[0]?.value] as const;
          }),
        ),
      );
      await through.destroy();
      const byConnection = new Map(said);
      expect(byConnection.size).toBe(SERVER_CONNECTIONS);
      return [...byConnection.values()];
    }

    describeSessionBackend('through it', () => {
      const tableName = `sessions_${++tables}`;
      return [open(tableName), open(tableName)];
    });

    it('keeps the limit of a user between two pools that share its connections', async () => {
      const tableName = `sessions_${++tables}`;
      const stores = [1, 2].map(
        () => new SessionStore(open(tableName), { plaintext: true, maxPerUser: MAX, timeout: PATIENCE }),
      );
      const [one] = stores as [SessionStore, SessionStore];
      await one.initSchema();
      await Promise.all(stores.flatMap((store) => Array.from({ length: 16 }, () => store.create({}, 'ada'))));
      expect(await one.listForUser('ada')).toHaveLength(MAX);
      await Promise.all(stores.map((store) => store.close()));
    });

    it('leaves no lock and no setting behind on a connection that others get, nor, if told, a prepared statement', async () => {
      await onEachConnection('DEALLOCATE ALL');
      const backend = open(undefined, { preparedStatements: false });
      const store = new SessionStore(backend, { plaintext: true, maxPerUser: MAX });
      const created = await Promise.all(Array.from({ length: 10 }, () => store.create({}, 'ada')));
      await Promise.all(created.map(({ token }) => store.readByToken(token)));
      await store.put('key', { userId: 'ada', data: { a: 1 } }, '1h');
      await store.cleanupExpired();
      await store.destroyAllForUser('ada');
      const locks: unknown[] = await direct.query("SELECT * FROM pg_locks WHERE locktype = 'advisory'");
      expect(locks).toEqual([]);
      const none = Array.from({ length: SERVER_CONNECTIONS }, () => 0);
      expect(await onEachConnection('SELECT COUNT(*)::int AS value FROM pg_prepared_statements')).toEqual(
        none,
      );
      const defaults = none.map(() => '0');
      for (const setting of ['statement_timeout', 'idle_in_transaction_session_timeout', 'lock_timeout']) {
        expect(await onEachConnection(`SELECT current_setting('${setting}') AS value`)).toEqual(defaults);
      }
      await store.close();
    });

    it('which forgets the names of statements, does without them: no call fails, each is done once, and the log says why', async () => {
      await onEachConnection('DEALLOCATE ALL');
      const warnings: string[] = [];
      const logger = { warn: (message: string) => void warnings.push(message), error: () => undefined };
      const tableName = `sessions_${++tables}`;
      const backends = [1, 2, 3].map(() => open(tableName, { logger }));
      const ids = Array.from({ length: 30 }, (_, index) => `id-${index}`);
      await backends[0]?.init();
      const use = { lastActiveAt: NOW + 1, expiresAt: NOW + 61 * MINUTE, now: NOW };
      const change = { ...use, expectedVersion: 1, version: 2, keyId: 'k', payload: Buffer.from('p') };
      const outcomes = backends.flatMap((backend, number) =>
        ids.map(async (one) => {
          const id = `${number} ${one}`;
          const { status } = await backend.insert(inserting(row(id, { userId: id }), { limit: evict(1) }));
          const [found] = await backend.find([id]);
          const [isSaved] = await backend.save([{ ...change, id }]);
          const ended = await backend.delete({ ids: [id] });
          return [status, found?.id, isSaved, ended.length];
        }),
      );
      const expected = backends.flatMap((_, number) =>
        ids.map((one) => ['inserted', `${number} ${one}`, true, 1]),
      );
      expect(await Promise.all(outcomes)).toEqual(expected);
      const saying =
        / statements are not prepared by name any more \((26000|42P05): .*`preparedStatements: false`/;
      expect(warnings).toEqual(backends.map(() => expect.stringMatching(saying)));
      await Promise.all(backends.map((backend) => backend.close()));
    });

    it('gives back the connection of a statement that hangs, and goes on', async () => {
      const tableName = `sessions_${++tables}`;
      const backend = open(tableName, { timeout: 3_000 });
      await backend.init();
      await storeRows(backend, row('a'));
      const holder = direct.createQueryRunner();
      await holder.startTransaction();
      await holder.query(`SELECT id FROM ${tableName} FOR UPDATE`);
      const use = { id: 'a', lastActiveAt: NOW + 1, expiresAt: NOW + 61 * MINUTE, now: NOW };
      const began = performance.now();
      const hanging = Array.from({ length: 5 }, () => backend.touch([use]));
      const results = await Promise.allSettled(hanging);
      expect(results.map(({ status }) => status)).toEqual(results.map(() => 'rejected'));
      expect(performance.now() - began).toBeLessThan(15_000);
      await holder.rollbackTransaction();
      await holder.release();
      const after = await Promise.all(
        Array.from({ length: 10 }, (_, index) => backend.insert(inserting(row(`b${index}`)))),
      );
      expect(after.map(({ status }) => status)).toEqual(after.map(() => 'inserted'));
      await backend.close();
    });

    it('cancels statements that hang, at the server, round after round', async () => {
      const tableName = `sessions_${++tables}`;
      const backend = open(tableName, { timeout: 1_000 });
      await backend.init();
      await storeRows(backend, row('a'));
      const holder = direct.createQueryRunner();
      await holder.startTransaction();
      await holder.query(`SELECT id FROM ${tableName} FOR UPDATE`);
      const running = async (): Promise<number> => {
        const rows: unknown[] = await direct.query(
          "SELECT 1 FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'UPDATE%'",
        );
        return rows.length;
      };
      const use = { id: 'a', lastActiveAt: NOW + 1, expiresAt: NOW + 61 * MINUTE, now: NOW };
      for (let round = 0; round < 4; round++) {
        // As many as are under way at the server: those that PgBouncer has not sent yet cannot be cancelled there.
        const hanging = Array.from({ length: SERVER_CONNECTIONS }, () => backend.touch([use]));
        const outcome = Promise.allSettled(hanging);
        while ((await running()) < SERVER_CONNECTIONS);
        expect((await outcome).map(({ status }) => status)).toEqual(hanging.map(() => 'rejected'));
        for (const end = performance.now() + 2_000; (await running()) > 0 && performance.now() < end;);
        expect(await running()).toBe(0); // though the row is still locked
      }
      await holder.rollbackTransaction();
      await holder.release();
      await backend.close();
    });
  });
});
