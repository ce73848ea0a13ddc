import { setTimeout as sleep } from 'node:timers/promises';
import type { DataSource } from 'typeorm';
import { onEachDatabase, openDatabase, SERVER_KINDS, type TestDatabase } from '../../support/databases.js';
import { AppProcess } from './support/app-process.js';
import { Client } from './support/client.js';

const CLIENTS = 16;
const PROCESSES = 3;

onEachDatabase('connections that a server ends under load', SERVER_KINDS, (kind) => {
  let database: TestDatabase;
  let admin: DataSource;

  beforeAll(async () => {
    database = await openDatabase(kind);
    admin = await database.open({ poolSize: 1 });
  });
  afterAll(() => database.drop());

  /** Ends every connection to the database but this one. */
  async function endAll(): Promise<void> {
    if (kind === 'postgres') {
      await admin.query(
        'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()',
      );
      return;
    }
    const rows: Array<{ id: string }> = await admin.query(
      'SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND id <> connection_id()',
    );
    for (const { id } of rows) await admin.query(`KILL ${id}`).catch(() => undefined); // it has ended by itself
  }

  async function useApp(app: AppProcess, load: { isOver: boolean }): Promise<void> {
    while (!load.isOver && app.isAlive) await fetch(`${app.address}/own`).catch(() => sleep(1));
  }

  it.each(['shared', 'own'] as const)(
    `five times in a row: ${PROCESSES} of ${PROCESSES} processes live on, with the pool: %s`,
    async (pool) => {
      for (let count = 0; count < PROCESSES; count++) {
        const app = await AppProcess.start({ database: database.options(), pool });
        try {
          await outlivesAll(app, pool === 'shared');
        } finally {
          await app.stop();
        }
      }
    },
  );

  /** @param isShared whether the app uses the pool as well; one of its own is TypeORM's affair alone */
  async function outlivesAll(app: AppProcess, isShared: boolean): Promise<void> {
    const clients = Array.from({ length: CLIENTS }, (_, index) => new Client(app.address, `user-${index}`));
    await Promise.all(clients.map((client) => client.signIn()));
    const load = { isOver: false };
    const loads = clients.map((client) => client.goOn(load));
    if (isShared) loads.push(useApp(app, load));
    const outcome = Promise.allSettled(loads);
    await sleep(200);
    for (let round = 0; round < 3; round++) {
      for (let time = 0; time < 5; time++) {
        await endAll();
        await sleep(5);
      }
      await sleep(100);
    }
    load.isOver = true;
    const ended = await outcome;
    expect(app.errors).toBe('');
    expect(app.isAlive).toBe(true);
    expect(ended.filter(({ status }) => status === 'rejected')).toEqual([]);
    const replies = clients.flatMap((client) => client.replies);
    const failed = replies.filter(({ status }) => status !== 200 && status !== 201 && status !== 503);
    expect(failed).toEqual([]);
    expect(replies.filter(({ method, status }) => method === 'GET' && status !== 200)).toEqual([]);
    expect(replies.filter(({ hasSetCookie }) => hasSetCookie)).toEqual([]);
    await endAll();
    const next = await Promise.all(
      [...clients, ...clients, ...clients.slice(8)].map((client) => client.read()),
    );
    expect(next.map(({ status }) => status)).toEqual(Array.from({ length: 40 }, () => 200));
    for (const client of clients) {
      const { body } = await client.read();
      expect(body.userId).toBe(client.user);
      expect(client.possible).toContain(body.theme);
    }
  }
});
