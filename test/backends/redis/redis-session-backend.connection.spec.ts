import { setTimeout as sleep } from 'node:timers/promises';
import { RedisSessionBackend } from '../../../src/backends/redis/index.js';
import {
  insertLimited,
  MINUTE,
  NOW,
  row,
  store,
} from '../../../src/testing/backend-contract/contract-rule.js';
import { onEachRedis, OwnRedis } from '../../support/own-redis.js';
import { TcpGate } from '../../support/tcp-gate.js';
import { closeAll, openBackend, openOwnBackend } from './support/open-redis.js';
import { CLIENTS, type TestClient } from './support/redis-clients.js';

/** The clients of apps, and one of our own. */
const WAYS: ReadonlyArray<readonly [string, (port: number) => Promise<TestClient>]> = [
  ...Object.entries(CLIENTS),
  [
    'a client of our own',
    async (port) => ({ client: { url: `redis://127.0.0.1:${port}` }, end: () => undefined }),
  ],
];

onEachRedis((program) => {
  let server: OwnRedis;
  let gate: TcpGate;
  beforeEach(async () => {
    server = await OwnRedis.make([], { program });
    gate = new TcpGate({ host: '127.0.0.1', port: server.port });
    await gate.open();
  });
  afterEach(async () => {
    await closeAll();
    await gate.shut();
    await server.remove();
  });

  describe.each(WAYS)('on %s', (_, connect) => {
    let connected: TestClient;
    let backend: RedisSessionBackend;
    beforeEach(async () => {
      connected = await connect(gate.port);
      backend = new RedisSessionBackend(connected.client);
      await backend.init();
    });
    afterEach(async () => {
      await backend.close();
      connected.end();
    });

    it('a sign-in whose answer is lost is done once, and tells whom it evicted', async () => {
      await store(backend, row('a'));
      gate.loseAnswerTo(/n-0123456789/);
      const limit = { max: 1, onLimit: 'evict' } as const;
      const result = await insertLimited(backend, row('n-0123456789'), limit);
      expect(result).toMatchObject({ status: 'inserted', evicted: [{ id: 'a', userId: 'ada' }] });
      expect(await backend.list({ userId: 'ada', now: NOW, orderBy: 'createdAt', limit: null })).toHaveLength(
        1,
      );
    });

    it('a save and a token change whose answers are lost hit', async () => {
      const one = row('a');
      await store(backend, one);
      gate.loseAnswerTo(/changed-once/);
      const change = {
        id: 'a',
        expectedVersion: one.version,
        version: 4711,
        keyId: 'k1',
        payload: Buffer.from('changed-once'),
        lastActiveAt: NOW,
        expiresAt: NOW + MINUTE,
        now: NOW,
      };
      expect(await backend.save([change])).toEqual([true]);
      const next = { ...one, tokenHash: 'e'.repeat(64), tokenGeneration: 3 };
      gate.loseAnswerTo(/e{64}/);
      expect(await backend.changeToken({ id: 'a', expected: one, next, now: NOW })).toBe(true);
      expect(await backend.find(['a'])).toMatchObject([
        { version: 4711, tokenHash: 'e'.repeat(64), payload: Buffer.from('changed-once') },
      ]);
    });

    it('an outage is over when the server is back, without a restart', async () => {
      await store(backend, row('a'));
      await gate.shut();
      const during = backend.find(['a']).catch((error: unknown) => error);
      await sleep(300);
      await gate.open();
      const found = await Promise.race([during, sleep(20_000, undefined, { ref: false })]);
      expect(found instanceof Error || Array.isArray(found)).toBe(true);
      for (let tries = 0; ; tries++) {
        const again = await backend.find(['a']).catch(() => null);
        if (again === null && tries < 200) await sleep(50);
        else {
          expect(again).toEqual([row('a')]);
          break;
        }
      }
    });
  });

  it('a server that falls silent is given up, by a client of our own', async () => {
    const backend = openOwnBackend(`redis://127.0.0.1:${gate.port}`, {}, { socketTimeout: 500 });
    await store(backend, row('a'));
    gate.stick();
    const silent = backend.find(['a']).catch(() => 'given up');
    await sleep(800);
    gate.unstick();
    expect(await silent).toEqual([row('a')]); // over another connection
    expect(await openBackend(server.port).find(['a'])).toEqual([row('a')]);
  });
});
