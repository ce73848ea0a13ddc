import { setTimeout as sleep } from 'node:timers/promises';
import { Cluster } from 'ioredis';
import { RedisSessionBackend } from '../../../src/backends/redis/index.js';
import { inserting, row, store } from '../../../src/testing/backend-contract/contract-rule.js';
import { onEachRedis, OwnRedis } from '../../support/own-redis.js';
import { onEachRedisCluster, OwnRedisCluster } from '../../support/own-redis-cluster.js';
import { TcpGate } from '../../support/tcp-gate.js';
import { closeAll, openBackend, openClient } from './support/open-redis.js';
import { CLIENTS } from './support/redis-clients.js';

onEachRedis((program) => {
  describe('a replica that lags behind, and is promoted', () => {
    let primary: OwnRedis;
    let replica: OwnRedis;
    let gate: TcpGate;
    beforeEach(async () => {
      primary = await OwnRedis.make(['--repl-diskless-sync-delay', '0'], { program });
      gate = new TcpGate({ host: '127.0.0.1', port: primary.port });
      await gate.open();
      replica = await OwnRedis.make(['--replicaof', '127.0.0.1', String(gate.port)], { program });
      await openClient(primary.port).set('seen', '1');
      await waitUntil(async () => (await replica.say('GET', 'seen')).endsWith('1'));
    });
    afterEach(async () => {
      await closeAll();
      await gate.shut();
      await Promise.all([primary.remove(), replica.remove()]);
    });

    /** The primary is gone with what the replica has not heard of; the replica takes its place. */
    const failOver = async () => {
      await primary.stop();
      await replica.say('REPLICAOF', 'NO', 'ONE');
      return openBackend(replica.port);
    };

    it('undoes a sign-out that the primary alone had acknowledged', async () => {
      const backend = openBackend(primary.port, { durability: 'primary' });
      await store(backend, row('a'));
      await openClient(primary.port).set('seen', '2');
      await waitUntil(async () => (await replica.say('GET', 'seen')).endsWith('2'));
      gate.stick();
      expect(await backend.delete({ ids: ['a'] })).toHaveLength(1);
      expect(await backend.find(['a'])).toEqual([null]);
      expect(await (await failOver()).find(['a'])).toEqual([row('a')]);
    });

    it.each(Object.entries(CLIENTS))(
      'undoes none that `replica` acknowledged, on %s: it refuses what nobody confirms',
      async (_, connect) => {
        const connected = await connect(primary.port);
        const open = (durabilityTimeout: number) =>
          new RedisSessionBackend(connected.client, { durability: 'replica', durabilityTimeout });
        const backend = open(5_000);
        await store(backend, row('a'), row('b'));
        expect(await backend.delete({ ids: ['b'] })).toHaveLength(1);
        gate.stick();
        const hasty = open(200);
        await expect(hasty.delete({ ids: ['a'] })).rejects.toThrow(
          /No replica confirmed the write within 200 ms/,
        );
        await expect(hasty.insert(inserting(row('c')))).rejects.toThrow(/No replica confirmed/);
        connected.end();
        expect(await (await failOver()).find(['a', 'b', 'c'])).toEqual([row('a'), null, null]);
      },
    );
  });

  it('waits for no replica where there is none, and says so', async () => {
    const server = await OwnRedis.make([], { program });
    const backend = openBackend(server.port, { durability: 'replica', durabilityTimeout: 50 });
    await expect(backend.insert(inserting(row('a')))).rejects.toThrow(/No replica confirmed/);
    await closeAll();
    await server.remove();
  });
});

onEachRedisCluster((program) => {
  let cluster: OwnRedisCluster;
  beforeAll(async () => {
    cluster = await OwnRedisCluster.make(1, program);
  });
  afterAll(() => cluster.remove());

  it('loses nothing that `replica` acknowledged when a master of a Cluster is killed under load', async () => {
    const client = new Cluster([...cluster.nodes], { redisOptions: { maxRetriesPerRequest: 2 } });
    client.on('error', () => undefined);
    const backend = new RedisSessionBackend(client, { durability: 'replica', durabilityTimeout: 200 });
    await backend.init();

    const [kept, ended] = [new Set<string>(), new Set<string>()];
    const load = { isOver: false, refusals: 0, afterwards: 0, isPromoted: false };
    const visit = async (name: number) => {
      for (let count = 0; !load.isOver; count++) {
        const one = row(`${name}-${count}`, { userId: `user-${name}-${count % 50}` });
        try {
          await backend.insert(inserting(one));
          kept.add(one.id);
          if (count % 2 === 0) continue;
          kept.delete(one.id); // until the sign-out is acknowledged, either may be
          await backend.delete({ ids: [one.id] });
          ended.add(one.id);
          if (load.isPromoted) load.afterwards++;
        } catch {
          load.refusals++;
          await sleep(50);
        }
      }
    };
    const visits = Array.from({ length: 20 }, (_, name) => visit(name));
    await waitUntil(async () => kept.size > 200);
    await cluster.servers[0]?.stop();
    const before = [...kept];
    await waitUntil(() =>
      backend.find(before).then(
        () => load.refusals > 0,
        () => false,
      ),
    );
    await cluster.servers[0]?.start(); // as a replica of the one that took its place
    load.isPromoted = true;
    await waitUntil(async () => load.afterwards > 200);
    load.isOver = true;
    await Promise.all(visits);

    const found = await backend.find([...kept]);
    expect(found.filter((each) => each === null)).toEqual([]);
    expect((await backend.find([...ended])).filter((each) => each !== null)).toEqual([]);
    expect(kept.size).toBeGreaterThan(200);
    expect(ended.size).toBeGreaterThan(200);
    client.disconnect();
  });
});

async function waitUntil(isSo: () => Promise<boolean>): Promise<void> {
  for (const end = performance.now() + 60_000; performance.now() < end; await sleep(20))
    if (await isSo()) return;
  throw new Error('it has not come to that within a minute');
}
