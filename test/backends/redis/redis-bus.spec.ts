import { Redis } from 'ioredis';
import { setTimeout as sleep } from 'node:timers/promises';
import { RedisSessionBackend } from '../../../src/backends/redis/index.js';
import type { EndedSessions } from '../../../src/core/session-bus.js';
import { OwnRedis, withOwnRedis } from '../../support/own-redis.js';
import { OwnRedisCluster, withOwnRedisCluster } from '../../support/own-redis-cluster.js';
import { TcpGate } from '../../support/tcp-gate.js';
import { CLIENTS, CLUSTER_CLIENTS, ofIoRedis, type TestClient } from './support/redis-clients.js';

/** Listens by one client, and publishes by the other. */
async function listening(clients: readonly TestClient[], prefix = 'app:') {
  const [one, other] = clients.map(({ client }) => new RedisSessionBackend(client, { prefix }));
  if (!one || !other) throw new Error('not connected');
  const heard: EndedSessions[] = [];
  const stop = one.bus().subscribe((ended) => heard.push(ended));
  return { heard, stop, publish: (ended: EndedSessions) => other.bus().publish(ended) };
}

/** Waits until so many have been heard. */
async function hasHeard(heard: readonly EndedSessions[], count: number): Promise<void> {
  for (let looks = 0; heard.length < count; looks++) {
    if (looks === 500) throw new Error(`heard ${JSON.stringify(heard)}`);
    await sleep(20);
  }
}

withOwnRedis(() => {
  const listeners = {
    ...CLIENTS,
    'ioredis 5 that connects with its first command': async (port: number) =>
      ofIoRedis(new Redis(port, { lazyConnect: true })),
  };
  describe.each(Object.entries(listeners))('the bus on %s', (_, connect) => {
    let server: OwnRedis;
    let gate: TcpGate;
    let clients: readonly TestClient[];
    beforeEach(async () => {
      server = await OwnRedis.make();
      gate = new TcpGate({ host: '127.0.0.1', port: server.port });
      await gate.open();
      clients = await Promise.all([connect(gate.port), connect(server.port)]);
    });
    afterEach(async () => {
      for (const each of clients) each.end();
      await gate.shut();
      await server.remove();
    });

    it('says that it hears, then what is published, and nothing of other apps', async () => {
      const { heard, stop, publish } = await listening(clients);
      await hasHeard(heard, 1);
      const others = await listening(clients, 'other:');
      await hasHeard(others.heard, 1);
      await publish(['a', 'b']);
      await publish('all');
      await hasHeard(heard, 3);
      expect(heard).toEqual(['all', ['a', 'b'], 'all']);
      expect(others.heard).toEqual(['all']);
      await others.stop();
      await stop();
      await publish(['c']);
      await sleep(50);
      expect(heard).toHaveLength(3);
    });

    it('says that it may have missed something after the connection was lost', async () => {
      const { heard, stop, publish } = await listening(clients);
      await hasHeard(heard, 1);
      await gate.shut();
      await publish(['missed']);
      await gate.open();
      await hasHeard(heard, 2);
      await publish(['a']);
      await hasHeard(heard, 3);
      expect(heard).toEqual(['all', 'all', ['a']]);
      await stop();
    });
  });
});

withOwnRedisCluster(() => {
  let cluster: OwnRedisCluster;
  beforeAll(async () => {
    cluster = await OwnRedisCluster.make(0);
  });
  afterAll(() => cluster.remove());

  it.each(Object.entries(CLUSTER_CLIENTS))('hears on a Cluster, on %s', async (_, connect) => {
    const clients = await Promise.all([connect(cluster.nodes), connect(cluster.nodes)]);
    const { heard, stop, publish } = await listening(clients);
    await hasHeard(heard, 1);
    await publish(['a']);
    await hasHeard(heard, 2);
    expect(heard).toEqual(['all', ['a']]);
    await stop();
    for (const each of clients) each.end();
  });
});
