import { randomUUID } from 'node:crypto';
import { Cluster } from 'ioredis';
import { RedisSessionBackend } from '../../../src/backends/redis/index.js';
import type { SessionRow } from '../../../src/core/session-row.js';
import {
  insertLimited,
  inserting,
  NOW,
  row,
  deleteActive,
} from '../../../src/testing/backend-contract/contract-rule.js';
import { describeSessionBackend } from '../../../src/testing/describe-session-backend.js';
import { onEachRedisCluster, OwnRedisCluster } from '../../support/own-redis-cluster.js';
import { CLUSTER_CLIENTS, type TestClient } from './support/redis-clients.js';

onEachRedisCluster((program) => {
  let cluster: OwnRedisCluster;
  beforeAll(async () => {
    cluster = await OwnRedisCluster.make(0, program);
  });
  afterAll(() => cluster.remove());

  describe.each(Object.entries(CLUSTER_CLIENTS))('a Cluster of three masters, on %s', (name, connect) => {
    let clients: readonly TestClient[];
    beforeAll(async () => {
      clients = await Promise.all([connect(cluster.nodes), connect(cluster.nodes)]);
    });
    afterAll(() => clients.forEach((each) => each.end()));

    /** Two backends over an empty storage. */
    const open = () => {
      const prefix = `${randomUUID()}:`;
      const [one, other] = clients.map(({ client }) => new RedisSessionBackend(client, { prefix }));
      if (!one || !other) throw new Error('not connected');
      return [one, other] as const;
    };
    describeSessionBackend(`RedisSessionBackend on ${name}`, open);

    it('keeps the limits of many users in storms of sign-ins', async () => {
      const backends = open();
      const users = Array.from({ length: 30 }, (_, index) => `user-${index}`);
      const limit = { max: 3, onLimit: 'evict' } as const;
      const storm = users.flatMap((userId) =>
        Array.from({ length: 12 }, (_, index) =>
          insertLimited(backends[index % 2 ? 1 : 0], row(`${userId}-${index}`, { userId }), limit),
        ),
      );
      const results = await Promise.all(storm);
      expect(new Set(results.map(({ status }) => status))).toEqual(new Set(['inserted']));
      const left = await Promise.all(
        users.map((userId) => backends[0].list({ userId, now: NOW, orderBy: 'createdAt', limit: null })),
      );
      expect(left.map((rows) => rows.length)).toEqual(users.map(() => 3));
      const ended = await Promise.all(users.map((userId) => backends[1].delete({ userId })));
      expect(ended.flat()).toHaveLength(90);
    });

    it('replaces a session of a visitor, on another server or not, by one of many sign-ins', async () => {
      const backends = open();
      for (let round = 0; round < 20; round++) {
        const old = row(`visitor-${round}`, { userId: null });
        await backends[0].insert(inserting(old));
        const results = await Promise.all(
          Array.from({ length: 6 }, (_, index) => {
            const next = row(`new-${round}-${index}`, { userId: `user-${index}` });
            const build = (replaced: SessionRow | null) => (replaced ? next : null);
            return backends[index % 2 ? 1 : 0].insert(inserting(next, { replaces: old.id, build }));
          }),
        );
        expect(results.filter(({ status }) => status === 'inserted')).toHaveLength(1);
        expect(await backends[1].find([old.id])).toEqual([null]);
      }
      expect(await deleteActive(backends[0])).toBe(20);
    });

    it('is healthy, all of its masters', async () => {
      const [backend] = open();
      await backend.init();
      expect(await backend.health()).toMatchObject({ problems: [], warnings: [] });
      await cluster.servers[2]?.say('CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lfu');
      expect((await backend.health()).problems).toEqual([expect.stringContaining('allkeys-lfu')]);
      await expect(open()[1].init()).rejects.toThrow(/allkeys-lfu/);
      await cluster.servers[2]?.say('CONFIG', 'SET', 'maxmemory-policy', 'noeviction');
    });
  });

  it('is read from its masters only', async () => {
    const client = new Cluster([...cluster.nodes], { scaleReads: 'slave', lazyConnect: true });
    await expect(new RedisSessionBackend(client).init()).rejects.toThrow(
      /`scaleReads` of the Cluster client/,
    );
  });
});
