import { Cluster } from 'ioredis';
import { bucketOfUser } from '../../../src/backends/redis/buckets.js';
import { RedisSessionBackend, type RedisSessionBackendOptions } from '../../../src/backends/redis/index.js';
import {
  inserting,
  insertLimited,
  NOW,
  row,
  store,
} from '../../../src/testing/backend-contract/contract-rule.js';
import { onEachRedis, OwnRedis } from '../../support/own-redis.js';
import { onEachRedisCluster, OwnRedisCluster } from '../../support/own-redis-cluster.js';
import { TcpGate } from '../../support/tcp-gate.js';
import { Load, waitUntil } from './support/load.js';
import { closeAll, openBackend, openClient } from './support/open-redis.js';
import { CLIENTS, type TestClient } from './support/redis-clients.js';

/** An id as the library makes it for a user. */
const idIn = (userId: string, number: number) => `01KB000000000000000000000${number}${bucketOfUser(userId)}`;

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
      await openClient(primary.port).set('seen', 'first');
      await waitUntil(async () => (await replica.say('GET', 'seen')).endsWith('first'));
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
      await openClient(primary.port).set('seen', 'second');
      await waitUntil(async () => (await replica.say('GET', 'seen')).endsWith('second'));
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

    it.each(Object.entries(CLIENTS))(
      'undoes none that was refused, and acknowledged to another connection that found it done, on %s',
      async (_, connect) => {
        const connected = await Promise.all([connect(primary.port), connect(primary.port)]);
        const [one, other] = connected.map(
          ({ client }) => new RedisSessionBackend(client, { durability: 'replica', durabilityTimeout: 200 }),
        ) as [RedisSessionBackend, RedisSessionBackend];
        const [first, second, third] = [idIn('ada', 1), idIn('ada', 2), idIn('bob', 3)];
        const theirs = row(third, { userId: 'bob' });
        const calls: ReadonlyArray<(backend: RedisSessionBackend) => Promise<unknown>> = [
          (backend) => backend.delete({ ids: [first] }),
          (backend) => backend.delete({ userId: 'ada' }),
          (backend) => backend.insert(inserting(theirs)),
          (backend) => backend.delete({ ids: ['nobody'] }),
        ];
        const patient = openBackend(primary.port, { durability: 'replica', durabilityTimeout: 5_000 });
        await store(patient, row(first), row(second));
        gate.stick();
        for (const backend of [one, other, other])
          for (const call of calls) await expect(call(backend)).rejects.toThrow(/No replica confirmed/);
        // The insert is taken back: nobody has the token of that session.
        expect(await other.find([first, second, third])).toEqual([null, null, null]);
        gate.unstick();
        for (const call of calls) await call(patient);
        for (const each of connected) each.end();
        expect(await (await failOver()).find([first, second, third])).toEqual([null, null, theirs]);
      },
    );

    it('confirms sign-outs while the server is full, those that find nothing too, and leaves no key for good', async () => {
      const backend = openBackend(primary.port, { durability: 'replica', durabilityTimeout: 5_000 });
      const hasty = openBackend(primary.port, { durability: 'replica', durabilityTimeout: 200 });
      await store(backend, row(idIn('ada', 1)), row('chosen'));
      await primary.say('DEL', 'seen');
      await primary.say('CONFIG', 'SET', 'maxmemory', '1');
      await expect(backend.insert(inserting(row(idIn('ada', 2))))).rejects.toThrow(/OOM/);
      for (const count of [1, 0]) {
        expect(await backend.delete({ ids: [idIn('ada', 1)] })).toHaveLength(count);
        expect(await backend.delete({ ids: ['chosen'] })).toHaveLength(count);
        expect(await backend.delete({ userId: 'nobody' })).toEqual([]);
      }
      gate.stick();
      await expect(hasty.delete({ ids: [idIn('ada', 1)] })).rejects.toThrow(/No replica confirmed/);
      await expect(hasty.delete({ userId: 'eve' })).rejects.toThrow(/No replica confirmed/);
      const client = openClient(primary.port);
      const keys = await client.keys('*');
      expect(keys.length).toBeGreaterThan(3);
      for (const key of keys) expect(await client.pttl(key)).toBeGreaterThan(0);
    });
  });

  it('does nothing where the server wants a replica too, so that no token changes without a client that hears of it', async () => {
    const primary = await OwnRedis.make([], { program });
    const [mine, other] = [row(idIn('ada', 1)), row(idIn('ada', 2))];
    try {
      const backend = openBackend(primary.port, { durability: 'replica', durabilityTimeout: 100 });
      await store(openBackend(primary.port), mine);
      const next = { ...mine, tokenHash: 'next', tokenGeneration: 1 };
      const change = { id: mine.id, expected: mine, next, now: NOW };
      await primary.say('CONFIG', 'SET', 'min-replicas-to-write', '1');
      await expect(backend.changeToken(change)).rejects.toThrow(/NOREPLICAS/);
      await expect(backend.insert(inserting(other))).rejects.toThrow(/NOREPLICAS/);
      expect(await backend.find([mine.id, other.id])).toEqual([mine, null]);
      await primary.say('CONFIG', 'SET', 'min-replicas-to-write', '0');
      await expect(backend.changeToken(change)).rejects.toThrow(/No replica confirmed/);
      expect((await backend.find([mine.id]))[0]?.tokenHash).toBe('next');
    } finally {
      await closeAll();
      await primary.remove();
    }
  });

  it.each<[string, (port: number) => Promise<TestClient>]>([
    ...Object.entries(CLIENTS),
    ['a client of our own', async (port) => ({ client: { port }, end: () => undefined })],
  ])(
    'a sign-in whose connection is lost while it waits for the replica is done once, on %s',
    async (_, connect) => {
      const primary = await OwnRedis.make(['--repl-diskless-sync-delay', '0'], { program });
      const [link, gate] = [1, 2].map(() => new TcpGate({ host: '127.0.0.1', port: primary.port }));
      await Promise.all([link?.open(), gate?.open()]);
      const replica = await OwnRedis.make(['--replicaof', '127.0.0.1', String(link?.port)], { program });
      const connected = await connect(gate?.port ?? 0);
      const options: RedisSessionBackendOptions = { durability: 'replica', durabilityTimeout: 5_000 };
      const backend = new RedisSessionBackend(connected.client, options);
      await store(backend, row('a'));
      link?.stick();
      const limit = { max: 1, onLimit: 'evict' } as const;
      const signIn = insertLimited(backend, row('b'), limit);
      await waitUntil(async () => (await primary.say('INFO', 'clients')).includes('blocked_clients:1'));
      await gate?.shut(); // it is stored, and the first of the replies have come
      link?.unstick();
      await gate?.open();
      const result = await signIn;
      expect(result).toMatchObject({ status: 'inserted', evicted: [{ id: 'a', userId: 'ada' }] });
      expect(await backend.find(['a', 'b'])).toEqual([null, row('b')]);
      await backend.close();
      connected.end();
      await Promise.all([link?.shut(), gate?.shut()]);
      await Promise.all([primary.remove(), replica.remove()]);
    },
  );

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

    const load = new Load(backend, 20);
    await waitUntil(() => load.kept.size > 200);
    await cluster.servers[0]?.stop();
    const before = [...load.kept];
    await waitUntil(() =>
      backend.find(before).then(
        () => load.refusals > 0,
        () => false,
      ),
    );
    await cluster.servers[0]?.start(); // as a replica of the one that took its place
    const enough = load.acknowledged + 600;
    await waitUntil(() => load.acknowledged > enough);
    await load.stop();

    expect(await load.undoneIn(backend)).toBe(0);
    expect(load.kept.size).toBeGreaterThan(200);
    expect(load.ended.size).toBeGreaterThan(200);
    client.disconnect();
  });
});
