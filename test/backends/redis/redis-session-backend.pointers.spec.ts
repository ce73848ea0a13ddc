import { Redis } from 'ioredis';
import { bucketOfUser } from '../../../src/backends/redis/buckets.js';
import { RedisSessionBackend } from '../../../src/backends/redis/index.js';
import { inserting, MINUTE, NOW, row, store } from '../../../src/testing/backend-contract/contract-rule.js';
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

  describe('a key of the app, whose value has a user', () => {
    const keyed = (version: number, userId = 'ada') => row('k', { version, userId, tokenHash: null });
    const home = async () => (await admin.keys('app:*:s:k')).filter((key) => !key.includes(`{${ada}}`));
    /** What nobody waits for has been done. */
    const settle = async () => {
      for (let looks = 0; looks < 200 && (await home()).length > 0; looks++);
    };

    const endings: ReadonlyArray<readonly [string, () => Promise<unknown>]> = [
      ['deleted', () => backend.delete({ ids: ['k'] })],
      ['deleted as its user’s', () => backend.delete({ ids: ['k'], userId: 'ada' })],
      ['logged out everywhere', () => backend.delete({ userId: 'ada' })],
      ['replaced', () => backend.insert(inserting(row(id), { replaces: 'k' }))],
      [
        'replaced by a session of another user',
        () =>
          backend.insert(
            inserting(row(`01KB0000000000000000000001${bucketOfUser('bob')}`, { userId: 'bob' }), {
              replaces: 'k',
            }),
          ),
      ],
    ];
    it.each(endings)(
      'leaves no pointer when it is %s, and nothing for longer than ten minutes',
      async (_what, end) => {
        await store(backend, keyed(1));
        expect(await home()).toHaveLength(1);
        await end();
        await settle();
        expect(await home()).toEqual([]);
        expect(await admin.pttl(`app:{${ada}}:s:k`)).toBeLessThanOrEqual(10 * MINUTE);
        await store(backend, keyed(2));
        expect(await backend.find(['k'])).toEqual([keyed(2)]);
      },
    );

    it('is found as long as it is there, however often it is deleted and stored at the same time', async () => {
      for (let round = 0; round < 30; round++) {
        await Promise.all(
          [0, 1, 2, 3].flatMap((index) => [
            backend.insert(inserting(keyed(10 * round + index))),
            backend.delete({ ids: ['k'] }),
          ]),
        );
        await admin.ping();
        const rows = await backend.list({ userId: 'ada', now: NOW, orderBy: 'createdAt', limit: null });
        expect(await backend.find(['k'])).toEqual([rows[0] ?? null]);
      }
    });

    it('can be stored when whoever deleted it has ended half-way', async () => {
      await store(backend, keyed(1));
      const [key = ''] = await home();
      const pointer = (await admin.hget(key, 'p')) ?? '';
      await backend.delete({ ids: ['k'] });
      await settle();
      await admin.hset(key, 'p', pointer); // it was not taken down
      await store(backend, keyed(2));
      expect(await backend.find(['k'])).toEqual([keyed(2)]);
    });
  });

  describe('a session whose pointers somebody has made up', () => {
    const key = (bucket: string) => `app:{${bucket}}:s:${id}`;
    const [mine, elsewhere] = [row(id), bucketOfUser('bob')];
    beforeEach(() => store(backend, mine));

    it('is not one in another bucket than its user’s, where no list knows of it', async () => {
      await admin.rename(key(ada), key(elsewhere));
      await admin.hset(key(ada), 'p', `${elsewhere} 1`);
      expect(await backend.find([id])).toEqual([null]);
      expect(await backend.alive([id], NOW)).toEqual([null]);
    });

    it.each([
      ['that leads to itself', ada],
      ['that leads to nothing', elsewhere],
    ])('is found and changed where it is, beside a pointer %s', async (_, bucket) => {
      await admin.hset(key(ada), 'p', `${bucket} 1`);
      expect(await backend.find([id])).toEqual([mine]);
      const use = { id, lastActiveAt: NOW, expiresAt: NOW + MINUTE, now: NOW };
      expect(await backend.touch([use])).toEqual([true]);
      expect(await backend.delete({ ids: [id] })).toMatchObject([{ id }]);
      expect(await backend.find([id])).toEqual([null]);
    });
  });
});
