import { SessionModule } from 'nest-sessions';
import { RedisSessionBackend } from 'nest-sessions/redis';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { CLIENTS, type TestClient } from '../../backends/redis/support/redis-clients.js';
import { closeApps, eventually, KEY, OTHER_KEY, RecordingLogger, startApp } from '../../support/nest-app.js';
import { OwnRedis, withOwnRedis } from '../../support/own-redis.js';
import { TcpGate } from '../../support/tcp-gate.js';
import { Client, type Reply } from './support/client.js';

const TIMEOUT = 1_000;
/** A request looks the session up and then saves it: two waits. And the machine may be busy. */
const LONGEST = 2 * TIMEOUT + 1_500;

/** The clients of apps, and one of our own. */
const WAYS: ReadonlyArray<readonly [string, (port: number) => Promise<TestClient>]> = [
  ...Object.entries(CLIENTS),
  [
    'a client of our own',
    async (port) => ({ client: { url: `redis://127.0.0.1:${port}` }, end: () => undefined }),
  ],
];

withOwnRedis(() => {
  describe.each(WAYS)('a Redis in trouble, on %s', (_, connect) => {
    let server: OwnRedis;
    let gate: TcpGate;
    let connected: TestClient;
    let address: string;
    let ada: Client;

    beforeAll(async () => {
      server = await OwnRedis.make(['--appendonly', 'yes', '--appendfsync', 'always']);
      gate = new TcpGate({ host: '127.0.0.1', port: server.port });
      await gate.open();
      connected = await connect(gate.port);
      const backend = new RedisSessionBackend(connected.client);
      const app = await startApp({
        imports: [SessionModule.forRoot({ key: KEY, timeout: TIMEOUT, rotation: { every: '1h' }, backend })],
      });
      await app.listen(0, '127.0.0.1');
      const { port } = (app.getHttpServer() as import('node:http').Server).address() as AddressInfo;
      address = `http://127.0.0.1:${port}`;
      ada = new Client(address, 'ada');
      await ada.signIn();
      await ada.write('dark');
    });
    afterAll(async () => {
      await closeApps();
      connected.end();
      await gate.shut();
      await server.remove();
    });

    /** 503 in time, for whoever may try again, and the cookie stays. */
    function expectOutage(...replies: readonly Reply[]): void {
      for (const { status, retryAfter, hasSetCookie, took } of replies) {
        expect([status, retryAfter, hasSetCookie]).toEqual([503, '5', false]);
        expect(took).toBeLessThan(LONGEST);
      }
    }

    /** Without a restart, with what was acknowledged. */
    async function expectRecovery(): Promise<void> {
      let reply = await ada.read();
      for (let tries = 0; reply.status === 503 && tries < 100; tries++) {
        await sleep(100);
        reply = await ada.read();
      }
      expect([reply.status, reply.body.userId]).toEqual([200, 'ada']);
      expect(ada.possible).toContain(reply.body.theme);
      expect((await ada.write('after')).status).toBe(201);
      expect((await ada.read()).body).toEqual({ userId: 'ada', theme: 'after' });
      await new Client(address, 'bob').signIn();
    }

    it('out of reach', async () => {
      await gate.shut();
      expectOutage(...(await Promise.all([ada.read(), ada.read(), ada.write('during')])));
      await gate.open();
      await expectRecovery();
    });

    it('come back while the client is connecting again', async () => {
      await gate.shut();
      const during = Promise.all([ada.read(), ada.write('while')]);
      await sleep(300);
      await gate.open();
      for (const reply of await during) if (![200, 201].includes(reply.status)) expectOutage(reply);
      await expectRecovery();
    });

    it('crashed and started again', async () => {
      await server.stop();
      expectOutage(await ada.read(), await ada.write('during'));
      await server.start();
      await expectRecovery();
    });

    it('silent, over a connection that stays open', async () => {
      gate.stick();
      expectOutage(...(await Promise.all([ada.read(), ada.read(), ada.write('during')])));
      gate.unstick();
      await expectRecovery();
    });

    it('slower than the timeout', async () => {
      await server.say('CLIENT', 'PAUSE', String(2 * TIMEOUT));
      expectOutage(...(await Promise.all([ada.read(), ada.write('during')])));
      await expectRecovery();
    });

    it('read-only', async () => {
      await server.say('REPLICAOF', '127.0.0.1', '1');
      expect((await ada.read()).status).toBe(200);
      expectOutage(await ada.write('during'));
      await expect(new Client(address, 'eve').signIn()).rejects.toThrow('no sign-in: 503');
      await server.say('REPLICAOF', 'NO', 'ONE');
      await expectRecovery();
    });

    it('full', async () => {
      await server.say('CONFIG', 'SET', 'maxmemory', '1');
      expect((await ada.read()).status).toBe(200);
      expectOutage(await ada.write('during'));
      await expect(new Client(address, 'eve').signIn()).rejects.toThrow('no sign-in: 503');
      await server.say('CONFIG', 'SET', 'maxmemory', '0');
      await expectRecovery();
    });

    it('with another password than the client was told', async () => {
      await server.say('CONFIG', 'SET', 'requirepass', 'another');
      await gate.shut();
      await gate.open();
      expectOutage(await ada.read(), await ada.write('during'));
      await server.say('AUTH another\r\nCONFIG', 'SET', 'requirepass', '""');
      await expectRecovery();
    });

    it('that holds values of somebody else under our keys', async () => {
      for (const key of (await keys()).filter((each) => /:s:|:u:ada$/.test(each))) {
        await server.say('RENAME', key, `${key}-saved`);
        await server.say('SET', key, 'of-another-program');
      }
      expectOutage(await ada.read(), await ada.write('during'));
      await expect(new Client(address, 'ada').signIn()).rejects.toThrow('no sign-in: 503');
      for (const saved of (await keys()).filter((key) => key.endsWith('-saved')))
        await server.say('RENAME', saved, saved.slice(0, -'-saved'.length));
      await expectRecovery();
    });

    it('without its scripts', async () => {
      await server.say('SCRIPT', 'FLUSH');
      await expectRecovery();
    });

    it('that has been emptied: everybody signs in again, and nothing is 503', async () => {
      await server.say('FLUSHALL');
      expect(await ada.read()).toMatchObject({ status: 200, body: { userId: null } });
      await ada.signIn();
      expect(await ada.read()).toMatchObject({ status: 200, body: { userId: 'ada' } });
    });

    async function keys(): Promise<readonly string[]> {
      const reply = await server.say('KEYS', 'nest-sessions:*');
      return reply.split('\r\n').filter((line) => line.startsWith('nest-sessions:'));
    }
  });

  describe('a Redis', () => {
    let server: OwnRedis;
    afterEach(async () => {
      await closeApps();
      await server.remove();
    });

    async function start(url: string, key = KEY): Promise<{ logger: RecordingLogger; address: string }> {
      const logger = new RecordingLogger();
      const backend = new RedisSessionBackend({ url });
      const app = await startApp({
        logger,
        imports: [SessionModule.forRoot({ key, timeout: TIMEOUT, backend })],
      });
      await app.listen(0, '127.0.0.1');
      const { port } = (app.getHttpServer() as import('node:http').Server).address() as AddressInfo;
      return { logger, address: `http://127.0.0.1:${port}` };
    }

    it('whose password the app was told wrongly: the log says so at the start, and it is used once it is right', async () => {
      server = await OwnRedis.make(['--requirepass', 'right']);
      const { logger, address } = await start(`redis://:wrong@127.0.0.1:${server.port}`);
      expect(logger.about('Session storage fails').join()).toContain('WRONGPASS');
      const ada = new Client(address, 'ada');
      await expect(ada.signIn()).rejects.toThrow('no sign-in: 503');
      await server.say('AUTH right\r\nCONFIG', 'SET', 'requirepass', 'wrong');
      for (let tries = 0; ada.cookie === '' && tries < 100; tries++)
        await ada.signIn().catch(() => sleep(100));
      expect((await ada.read()).body.userId).toBe('ada');
    });

    it('whose keys another app has too: the log says so at the start, and neither takes the sessions of the other', async () => {
      server = await OwnRedis.make();
      const one = await start(server.url);
      const ada = new Client(one.address, 'ada');
      await ada.signIn();
      const other = await start(server.url, OTHER_KEY);
      await eventually(() => other.logger.lines.length > 0);
      expect(other.logger.lines).toEqual([
        expect.stringMatching(/sealed by the key .* of its own, on Redis a `prefix`/),
      ]);
      const thief = new Client(other.address, 'ada');
      thief.cookie = ada.cookie;
      expect((await thief.read()).body.userId).toBeNull();
      expect((await ada.read()).body.userId).toBe('ada');
    });
  });
});
