import { TypeOrmModule } from '@nestjs/typeorm';
import { SessionModule, SessionStore, TypeOrmSessionBackend } from 'nest-sessions';
import { setTimeout as sleep } from 'node:timers/promises';
import type { DataSourceOptions } from 'typeorm';
import { closeApps, KEY, startApp } from '../../support/nest-app.js';
import { onEachOwnServer } from '../../support/own-server.js';
import { ServerPair } from '../../support/server-pair.js';
import { Client, type Reply } from './support/client.js';

const TIMEOUT = 2_000;
const CLIENTS = 12;
const POOL = 8;
/** Replies before, and afterwards. */
const ENOUGH = 60;
/** Milliseconds after which no connection is in use that was made before. */
const SETTLED = 500;

onEachOwnServer('a primary that is demoted while its standby takes over', (kind) => {
  describe.each(['shared', 'own'] as const)('with the pool: %s', (pool) => {
    let pair: ServerPair;
    /** Of an app that is busy all the time, and of one that rests from before until after. */
    let clients: Client[];
    let atRest: Client[];

    beforeAll(async () => {
      pair = await ServerPair.make(kind);
      const [busy, resting] = [await start(), await start()];
      clients = Array.from({ length: CLIENTS }, (_, index) => new Client(busy, `user-${index}`));
      atRest = Array.from(
        { length: POOL },
        (_, index) => new Client(resting, `user-${CLIENTS - 1 - (index % 6)}`),
      );
    });
    afterAll(async () => {
      await closeApps();
      await pair.remove();
    });

    /** An app at the name. @returns its address */
    async function start(): Promise<string> {
      const database = { ...pair.name(), poolSize: POOL } as DataSourceOptions;
      const app = await startApp({
        imports: [
          TypeOrmModule.forRoot({ ...database, retryAttempts: 0 }),
          SessionModule.forRoot({
            key: KEY,
            timeout: TIMEOUT,
            rotation: { every: '1h' },
            ...(pool === 'own' ? { dataSource: database } : {}),
          }),
        ],
      });
      await app.listen(0, '127.0.0.1');
      const { port } = (app.getHttpServer() as import('node:http').Server).address() as { port: number };
      return `http://127.0.0.1:${port}`;
    }

    /** What another replica does, whose connections are all to the new primary. */
    async function revoke(users: readonly string[]): Promise<void> {
      const backend = new TypeOrmSessionBackend(pair.options(pair.second), {
        tableName: 'sessions',
        createTable: false,
        timeout: TIMEOUT,
        shared: false,
      });
      const store = new SessionStore(backend, { key: KEY });
      for (const user of users) expect(await store.destroyAllForUser(user)).toBe(1);
      await store.close();
    }

    const allReplies = (some: readonly Client[]): Reply[] => some.flatMap(({ replies }) => replies);
    const since = (some: readonly Client[], instant: number): Reply[] =>
      allReplies(some).filter(({ began }) => began > instant);
    const isServed = ({ status, body }: Reply): boolean => status === 200 && typeof body.userId === 'string';

    it('serves no session that has been revoked at the new one, and everybody else, at once where nobody had asked meanwhile', async () => {
      await Promise.all(clients.map((client) => client.signIn()));
      const [revoked, others] = [clients.slice(0, CLIENTS / 2), clients.slice(CLIENTS / 2)];
      for (const client of atRest)
        client.cookie = clients.find(({ user }) => user === client.user)?.cookie ?? '';
      const warm = await Promise.all(atRest.map((client) => client.read()));
      expect(warm.filter((reply) => !isServed(reply))).toEqual([]);
      const load = { isOver: false };
      const loads = clients.map((client) => client.goOn(load));
      while (allReplies(clients).length < ENOUGH) await sleep(20);
      const demoted = performance.now();
      await pair.demoteFirst();
      await pair.promoteSecond();
      await revoke(revoked.map(({ user }) => user));
      const acknowledged = performance.now();
      await sleep(SETTLED);
      while (since(others, acknowledged + SETTLED).length < ENOUGH) await sleep(20);
      const rested = await Promise.all(atRest.map((client) => client.read()));
      expect(rested.filter((reply) => !isServed(reply))).toEqual([]);
      load.isOver = true;
      await Promise.all(loads);

      const before = allReplies(clients).filter(({ began, took }) => began + took < demoted);
      expect(before.filter(({ status }) => status !== 200 && status !== 201)).toEqual([]);

      expect(since(revoked, acknowledged).length).toBeGreaterThan(0);
      expect(since(revoked, acknowledged).filter(isServed)).toEqual([]);

      // Connections that were made while the name led to the first are renewed after a quarter of a second.
      const settled = since(others, acknowledged + SETTLED);
      expect(settled.filter(({ status }) => status !== 200 && status !== 201)).toEqual([]);
      expect(settled.filter(({ hasSetCookie }) => hasSetCookie)).toEqual([]);
      for (const client of others) {
        const { body } = await client.read();
        expect(body.userId).toBe(client.user);
        expect(client.possible).toContain(body.theme);
      }

      const refused = since(others, demoted).filter(({ status }) => status !== 200 && status !== 201);
      expect(new Set(refused.map(({ status }) => status))).toEqual(new Set(refused.length > 0 ? [503] : []));
      expect(Math.max(...allReplies(clients).map(({ took }) => took))).toBeLessThan(2 * TIMEOUT + 1_500);
    });
  });
});
