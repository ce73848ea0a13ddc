import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { RedisSessionBackend } from '../../../src/backends/redis/index.js';
import { inserting, NOW, row, store } from '../../../src/testing/backend-contract/contract-rule.js';
import { onEachRedis, OwnRedis } from '../../support/own-redis.js';
import { onEachRedisCluster, OwnRedisCluster } from '../../support/own-redis-cluster.js';
import { TcpGate } from '../../support/tcp-gate.js';
import { waitUntil } from './support/load.js';
import { closeAll, openBackend, openClient } from './support/open-redis.js';
import { CLIENTS, CLUSTER_CLIENTS, ofIoRedis, type TestClient } from './support/redis-clients.js';

/** What a call is refused with that reads from a replica. */
const REFUSED = /The server is a replica by now, and may not know which sessions have ended/;

const LIST = { userId: 'ada', now: NOW, orderBy: 'createdAt', limit: null } as const;

type Connect = (port: number) => Promise<TestClient>;

/** Clients that look for the primary when a server refuses a write. */
const FINDING: Readonly<Record<string, Connect>> = {
  'a client of our own': async (port) => ({
    client: { url: `redis://127.0.0.1:${port}` },
    end: () => undefined,
  }),
  'ioredis 5 with `reconnectOnError`': async (port) =>
    ofIoRedis(new Redis(port, { reconnectOnError: ({ message }) => message.startsWith('READONLY') })),
};

/** Looks until a look is refused, for 3 seconds; with what. */
async function refusalOf(backend: RedisSessionBackend, id: string): Promise<unknown> {
  for (const end = performance.now() + 3_000; performance.now() < end; await sleep(20)) {
    const error: unknown = await backend.find([id]).then(
      () => null,
      (reason: unknown) => reason,
    );
    if (error !== null) return error;
  }
  return 'it went on serving';
}

onEachRedis((program) => {
  let primary: OwnRedis;
  let replica: OwnRedis;
  let gate: TcpGate;
  beforeEach(async () => {
    primary = await OwnRedis.make(['--repl-diskless-sync-delay', '0'], { program });
    replica = await OwnRedis.make(['--replicaof', '127.0.0.1', String(primary.port)], { program });
    gate = new TcpGate({ host: '127.0.0.1', port: primary.port });
    await gate.open();
  });
  afterEach(async () => {
    await closeAll();
    await gate.shut();
    await Promise.all([primary.remove(), replica.remove()]);
  });

  /** A session is served; then the replica takes over, where it ends, and the link of the old primary to it is down. */
  const failOver = async (backend: RedisSessionBackend) => {
    await store(backend, row('a'));
    await openClient(primary.port).set('seen', 'yes');
    await waitUntil(async () => (await replica.say('GET', 'seen')).endsWith('yes'));
    expect(await backend.find(['a'])).toEqual([row('a')]);
    await replica.say('REPLICAOF', 'NO', 'ONE');
    expect(await openBackend(replica.port).delete({ userId: 'ada' })).toHaveLength(1);
    await primary.say('REPLICAOF', '127.0.0.1', '1');
  };

  describe('a primary that is demoted while connections live on', () => {
    it.each<[string, Connect]>([...Object.entries(CLIENTS), ...Object.entries(FINDING)])(
      'serves nothing any more, on %s, from a second later on',
      async (_, connect) => {
        const connected = await connect(primary.port);
        const backend = new RedisSessionBackend(connected.client);
        await failOver(backend);
        expect(await refusalOf(backend, 'a')).toEqual(
          expect.objectContaining({ message: expect.stringMatching(REFUSED) }),
        );
        const calls = [
          () => backend.find(['a']),
          () => backend.alive(['a'], NOW),
          () => backend.list(LIST),
          () => backend.delete({ userId: 'eve' }), // whose sessions it has not heard of
          () => backend.insert(inserting(row('b'))),
        ];
        for (const call of [...calls, ...calls]) await expect(call()).rejects.toThrow();
        await primary.say('REPLICAOF', 'NO', 'ONE');
        await waitUntil(() =>
          backend.find(['a']).then(
            () => true,
            () => false,
          ),
        );
        await backend.close();
        connected.end();
      },
    );

    it.each(Object.entries(FINDING))('is left for the new one by %s', async (_, connect) => {
      const connected = await connect(gate.port);
      const backend = new RedisSessionBackend(connected.client);
      await failOver(backend);
      gate.lead({ host: '127.0.0.1', port: replica.port });
      expect(await refusalOf(backend, 'a')).toEqual(
        expect.objectContaining({ message: expect.stringMatching(REFUSED) }),
      );
      await waitUntil(() =>
        backend.find(['a']).then(
          ([found]) => found === null,
          () => false,
        ),
      );
      await store(backend, row('c'));
      expect(await openBackend(replica.port).find(['c'])).toEqual([row('c')]);
      await backend.close();
      connected.end();
    });
  });

  it('a user who may not ask is served as before', async () => {
    const acl = ['ACL', 'SETUSER', 'app', 'on', '>pass', '~*', '&*', '+@all'];
    await primary.say(...acl);
    const backend = openBackend(primary.port, {}, { username: 'app', password: 'pass' });
    await backend.init();
    await primary.say(...acl, '-info');
    await store(backend, row('a'));
    expect(await backend.find(['a', 'b'])).toEqual([row('a'), null]);
  });

  it('a server is asked once a second, whatever is read', async () => {
    const backend = openBackend(primary.port);
    await store(backend, row('a'));
    const asked = async () =>
      Number(/cmdstat_info:calls=(\d+)/.exec(await openClient(primary.port).info('commandstats'))?.[1]);
    const before = await asked();
    const start = performance.now();
    let reads = 0;
    for (; performance.now() - start < 2_500; reads += 10)
      await Promise.all(Array.from({ length: 10 }, () => backend.find(['a'])));
    expect(reads).toBeGreaterThan(100);
    // Each look at the statistics is an INFO too, and a new connection of ioredis makes one.
    const byReads = (await asked()) - before - 2;
    expect(byReads).toBeGreaterThanOrEqual(2);
    expect(byReads).toBeLessThanOrEqual(4);
  });
});

onEachRedisCluster((program) => {
  let cluster: OwnRedisCluster;
  beforeAll(async () => {
    cluster = await OwnRedisCluster.make(1, program);
  });
  afterAll(() => cluster.remove());

  const roleOf = async (server: OwnRedis) =>
    /role:(\w+)/.exec(await server.say('INFO', 'replication'))?.[1] ?? '';

  /** All masters are demoted, while they run, and their replicas take over. */
  const failOver = async () => {
    await cluster.isReady();
    const roles = await Promise.all(cluster.servers.map(roleOf));
    const replicas = cluster.servers.filter((_, index) => roles[index] === 'slave');
    expect(replicas).toHaveLength(3);
    for (const replica of replicas) {
      await waitUntil(async () => {
        await replica.say('CLUSTER', 'FAILOVER'); // may come to nothing, so it is said again
        await sleep(500);
        return (await roleOf(replica)) === 'master';
      });
    }
    await cluster.isReady();
  };

  it.each(Object.entries(CLUSTER_CLIENTS))(
    'a master of a Cluster that is demoted serves nothing, since it sends clients on, on %s',
    async (_, connect) => {
      const connected = await connect(cluster.nodes);
      const backend = new RedisSessionBackend(connected.client);
      const ids = Array.from({ length: 40 }, (__, index) => `session-${index}`);
      await store(backend, ...ids.map((id) => row(id, { userId: id })));
      await failOver();
      const other = await connect(cluster.nodes);
      const second = new RedisSessionBackend(other.client);
      // Right after a failover, calls may be refused.
      await waitUntil(() =>
        second.delete({ ids }).then(
          () => true,
          () => false,
        ),
      );
      expect(await backend.find(ids)).toEqual(ids.map(() => null));
      connected.end();
      other.end();
    },
  );
});
