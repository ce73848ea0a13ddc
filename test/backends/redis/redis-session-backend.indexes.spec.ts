import { Redis } from 'ioredis';
import { bucketOfUser } from '../../../src/backends/redis/buckets.js';
import { RedisSessionBackend } from '../../../src/backends/redis/index.js';
import { MINUTE, NOW, row, store } from '../../../src/testing/backend-contract/contract-rule.js';
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
  const id = `01KB0000000000000000000001${ada}`;
  const [all, ofAda] = [`app:{${ada}}:i`, `app:{${ada}}:u:ada`];
  const use = { id, lastActiveAt: NOW, expiresAt: NOW + MINUTE, now: NOW };
  const next = { ...row(id), tokenUsed: true };

  describe('a session that its user’s index has lost', () => {
    const changes: ReadonlyArray<readonly [string, () => Promise<unknown>]> = [
      ['use', () => backend.touch([use])],
      [
        'a save',
        () =>
          backend.save([{ ...use, expectedVersion: 1, version: 2, keyId: 'k', payload: Buffer.from('p') }]),
      ],
      ['a new token', () => backend.changeToken({ id, expected: row(id), next, now: NOW })],
    ];
    it.each(changes)('is found by “log out everywhere” after %s', async (_what, change) => {
      await store(backend, row(id));
      const lives = [await admin.pttl(all), await admin.pttl(ofAda)];
      await admin.del(all, ofAda);
      await change();
      expect(await admin.zrange(all, 0, -1)).toEqual([id]);
      expect(await admin.zrange(ofAda, 0, -1, 'WITHSCORES')).toEqual([id, String(NOW + 600 * MINUTE)]);
      for (const [index, key] of [all, ofAda].entries())
        expect(Math.abs((await admin.pttl(key)) - (lives[index] ?? 0))).toBeLessThan(MINUTE);
      expect(await backend.delete({ userId: 'ada' })).toHaveLength(1);
      expect(await backend.find([id])).toEqual([null]);
    });
  });
});
