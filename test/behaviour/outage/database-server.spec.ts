import type { INestApplication } from '@nestjs/common';
import { TypeOrmModule, type TypeOrmModuleOptions } from '@nestjs/typeorm';
import { SessionModule, SessionStore } from 'nest-sessions';
import { setTimeout as sleep } from 'node:timers/promises';
import { DataSource } from 'typeorm';
import { closeApps, KEY, startApp } from '../../support/nest-app.js';
import { onEachOwnServer, OwnServer } from '../../support/own-server.js';
import { Client, type Reply } from './support/client.js';

const TIMEOUT = 2_000;
/** A request looks the session up and then saves it: two waits. And the machine may be busy. */
const LONGEST = 2 * TIMEOUT + 1_500;
const CLIENTS = 8;

onEachOwnServer('a server that goes away', (kind) => {
  let server: OwnServer;
  let app: INestApplication;
  let clients: Client[];

  beforeAll(async () => {
    server = await OwnServer.make(kind);
  });
  afterAll(() => server.remove());

  beforeEach(async () => {
    const sessions = SessionModule.forRoot({ key: KEY, timeout: TIMEOUT, rotation: { every: '1h' } });
    app = await startApp({
      imports: [appDatabase(5), sessions],
    });
    await app.listen(0, '127.0.0.1');
    clients = Array.from({ length: CLIENTS }, (_, index) => newClient(`user-${index}`));
    await Promise.all(clients.map((client) => client.signIn()));
  });
  afterEach(async () => {
    server.thaw();
    await closeApps();
  });

  function appDatabase(poolSize: number) {
    const options = { ...server.options(), poolSize, retryAttempts: 0 };
    return TypeOrmModule.forRoot(options as TypeOrmModuleOptions);
  }

  function newClient(user: string): Client {
    const { port } = (app.getHttpServer() as import('node:http').Server).address() as { port: number };
    return new Client(`http://127.0.0.1:${port}`, user);
  }

  const repliesSince = (start: number): Reply[] => clients.flatMap((client) => client.replies.slice(start));

  /** Nobody is told anything but that it works, or that it does not work now. */
  function expectOnlyOutage(replies: readonly Reply[]): void {
    expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([200, 201, 503]));
    expect(replies.filter(({ hasSetCookie }) => hasSetCookie)).toEqual([]);
    expect(replies.filter(({ status, body }) => status === 200 && body.userId === null)).toEqual([]);
    expect(replies.filter(({ status, retryAfter }) => status === 503 && retryAfter === null)).toEqual([]);
    expect(Math.max(...replies.map(({ took }) => took))).toBeLessThan(LONGEST);
  }

  /** Everybody is still signed in, with what was acknowledged, and nothing waits for anything. */
  async function expectRecovery(): Promise<void> {
    const end = performance.now() + 30_000;
    for (const client of clients) {
      let reply = await client.read();
      for (; reply.status === 503 && performance.now() < end; await sleep(50)) reply = await client.read();
      expect(reply).toMatchObject({ status: 200, body: { userId: client.user } });
      expect(client.possible).toContain(reply.body.theme);
    }
    const after = await Promise.all(
      clients.flatMap((client) => Array.from({ length: 5 }, (_, index) => client.write(`again ${index}`))),
    );
    expect(after.map(({ status }) => status)).toEqual(after.map(() => 201));
    const began = performance.now();
    await Promise.all(clients.map((client) => client.read()));
    expect(performance.now() - began).toBeLessThan(TIMEOUT);
  }

  it('stopped under load and started again: 503 in time, no cookie is touched, nobody is signed out, and it recovers by itself', async () => {
    const load = { isOver: false };
    const loads = clients.map((client) => client.goOn(load));
    await sleep(500);
    await server.stop();
    await sleep(2_000);
    const during = clients.map((client) => client.replies.length);
    await sleep(500);
    const down = clients.flatMap((client, index) => client.replies.slice(during[index]));
    expect(new Set(down.map(({ status }) => status))).toEqual(new Set([503]));
    await server.start();
    await sleep(500);
    load.isOver = true;
    await Promise.all(loads);
    expectOnlyOutage(repliesSince(0));
    await expectRecovery();
  });

  it('frozen under load: 503 in time and no request that hangs, and it recovers by itself', async () => {
    const load = { isOver: false };
    const loads = clients.map((client) => client.goOn(load));
    await sleep(300);
    server.freeze();
    await sleep(2.5 * TIMEOUT);
    server.thaw();
    await sleep(500);
    load.isOver = true;
    await Promise.all(loads);
    expectOnlyOutage(repliesSince(0));
    await expectRecovery();
  });

  it('a lock that another connection holds: 503 in time for what has to wait for it, and the pool is whole afterwards', async () => {
    const other = await new DataSource(server.options()).initialize();
    const holder = other.createQueryRunner();
    await holder.startTransaction();
    await holder.query('SELECT id FROM sessions FOR UPDATE');
    const replies = await Promise.all(clients.map((client, index) => client.write(`held ${index}`)));
    expect(replies.map(({ status }) => status)).toEqual(replies.map(() => 503));
    expect(Math.max(...replies.map(({ took }) => took))).toBeLessThan(LONGEST);
    const reads = await Promise.all(clients.map((client) => client.read()));
    expect(reads.map(({ status }) => status)).toEqual(reads.map(() => 200));
    await holder.rollbackTransaction();
    await holder.release();
    await other.destroy();
    await expectRecovery();
  });

  it('a pool that the app has used up: 503 in time, and the pool is whole when the app gives it back', async () => {
    const dataSource = app.get(DataSource);
    const runners = Array.from({ length: 5 }, () => dataSource.createQueryRunner());
    await Promise.all(runners.map((runner) => runner.connect()));
    const replies = await Promise.all(clients.map((client) => client.read()));
    expect(replies.map(({ status }) => status)).toEqual(replies.map(() => 503));
    expect(Math.max(...replies.map(({ took }) => took))).toBeLessThan(LONGEST);
    await Promise.all(runners.map((runner) => runner.release()));
    expect(replies.filter(({ hasSetCookie }) => hasSetCookie)).toEqual([]);
    await expectRecovery();
  });

  it('ten transactions of the app that each wait for a session call all finish, with a pool of the sessions’ own', async () => {
    const sessions = SessionModule.forRoot({ key: KEY, timeout: TIMEOUT, dataSource: server.options() });
    const own = await startApp({ imports: [appDatabase(10), sessions] });
    const store = own.get(SessionStore);
    const work = Array.from({ length: 10 }, () =>
      own.get(DataSource).transaction(async (manager) => {
        await manager.query('SELECT 1');
        return (await store.create({}, 'ada')).session.userId;
      }),
    );
    expect(await Promise.all(work)).toEqual(work.map(() => 'ada'));
  });

  it('ten transactions of the app that each wait for a session call of the same ten connections are told so in time', async () => {
    const sessions = SessionModule.forRoot({ key: KEY, timeout: TIMEOUT });
    const shared = await startApp({ imports: [appDatabase(10), sessions] });
    const store = shared.get(SessionStore);
    const dataSource = shared.get(DataSource);
    const transactions = { open: 0 };
    const began = performance.now();
    const results = await Promise.allSettled(
      Array.from({ length: 10 }, () =>
        dataSource.transaction(async (manager) => {
          await manager.query('SELECT 1');
          for (transactions.open++; transactions.open < 10;) await sleep(5);
          await store.create({}, 'ada');
        }),
      ),
    );
    expect(performance.now() - began).toBeLessThan(LONGEST);
    expect(results.filter(({ status }) => status === 'rejected').length).toBeGreaterThan(0);
    expect((await store.create({}, 'ada')).session.userId).toBe('ada');
  });
});
