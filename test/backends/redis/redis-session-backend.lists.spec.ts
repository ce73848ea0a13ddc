import { Redis } from 'ioredis';
import { bucketOfUser } from '../../../src/backends/redis/buckets.js';
import { RedisSessionBackend } from '../../../src/backends/redis/index.js';
import { NOW, row, store } from '../../../src/testing/backend-contract/contract-rule.js';
import { onEachRedis, OwnRedis } from '../../support/own-redis.js';

onEachRedis((program) => {
  let server: OwnRedis;
  let admin: Redis;
  let backend: RedisSessionBackend;
  beforeAll(async () => {
    server = await OwnRedis.make([], { program });
    admin = new Redis(server.port);
    backend = new RedisSessionBackend(admin, { prefix: 'app:' });
  });
  beforeEach(async () => void (await admin.flushall()));
  afterAll(async () => {
    admin.disconnect();
    await server.remove();
  });

  const ada = bucketOfUser('ada');

  describe('a list with a limit', () => {
    const numbers = [4, 1, 3, 0, 2, 6, 5];
    const listed = async (orderBy: 'createdAt' | 'lastActiveAt', limit: number | null) => {
      const rows = await backend.list({ userId: 'ada', now: NOW, orderBy, limit });
      return rows.map((each) => each.id);
    };

    it('has the same rows, in the same order, as the beginning of one without', async () => {
      const instants = [NOW - 1, NOW - 2, NOW - 1, NOW - 10, NOW - 10.5, NOW - 1e-3];
      const ids = ['é', 'e', 'Z', 'z', '_', '-', '\u{10000}', '\uffff', 'ab', 'a'];
      for (const [index, each] of ids.entries()) {
        const [lastActiveAt = 0, createdAt = 0] = [instants[index % 6], instants[(index * 5) % 6]];
        await store(backend, row(each, { lastActiveAt, createdAt }));
      }
      for (const orderBy of ['createdAt', 'lastActiveAt'] as const) {
        const whole = await listed(orderBy, null);
        expect(whole).toHaveLength(ids.length);
        for (const limit of [1, 2, 5, 9, 10, 11])
          expect(await listed(orderBy, limit)).toEqual(whole.slice(0, limit));
      }
    });

    it('leaves out a damaged row, and gives the next one in its place', async () => {
      for (const number of numbers) await store(backend, row(`s${number}`, { createdAt: NOW - number }));
      await admin.hdel(`app:{${ada}}:s:s1`, 'r');
      expect(await listed('createdAt', 3)).toEqual(['s0', 's2', 's3']);
    });

    it('reads no more payloads than it gives', async () => {
      for (const number of numbers)
        await store(backend, row(`s${number}`, { createdAt: NOW - number, payload: Buffer.alloc(100_000) }));
      const reads = async () => {
        const stats = await admin.info('commandstats');
        return Number(/cmdstat_hget:calls=(\d+)/.exec(stats)?.[1] ?? 0);
      };
      const before = await reads();
      await listed('createdAt', 2);
      expect((await reads()) - before).toBe(2);
    });
  });
});
