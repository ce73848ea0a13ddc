import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { bucketOfUser } from '../../../src/backends/redis/buckets.js';
import { RedisSessionBackend, type RedisSessionBackendOptions } from '../../../src/backends/redis/index.js';
import { inserting, row } from '../../../src/testing/backend-contract/contract-rule.js';
import { OwnRedis } from '../../support/own-redis.js';
import { OwnRedisCluster } from '../../support/own-redis-cluster.js';
import { withPrograms } from '../../support/programs.js';
import { Load, waitUntil } from './support/load.js';
import { closeAll, openBackend } from './support/open-redis.js';
import { CLIENTS, CLUSTER_CLIENTS, type TestClient } from './support/redis-clients.js';

/** A server that writes every second, as it does by itself when it has a file. */
const WITH_FILE = ['--appendonly', 'yes', '--appendfsync', 'everysec'];

withPrograms(['valkey-server', 'strace'], () => {
  let server: OwnRedis;
  beforeAll(async () => {
    server = await OwnRedis.make(WITH_FILE, { program: 'valkey-server' });
  });
  afterEach(closeAll);
  afterAll(() => server.remove());

  it('loses nothing that was acknowledged when the server is killed while its disk is slow', async () => {
    await server.stop();
    server.syncDelay = 700;
    await server.start();
    const loads = await Promise.all(
      Object.entries({ ...CLIENTS, 'primary alone': CLIENTS['ioredis 5'] }).map(async ([name, connect]) => {
        const prefix = `${randomUUID()}:`;
        const options: RedisSessionBackendOptions =
          name === 'primary alone' ? { prefix } : { prefix, durability: 'fsync', durabilityTimeout: 10_000 };
        const connected = await connect(server.port);
        const backend = new RedisSessionBackend(connected.client, options);
        await backend.init();
        return { name, prefix, connected, load: new Load(backend, 20) };
      }),
    );
    await waitUntil(() => loads.every(({ load }) => load.kept.size >= 40 && load.ended.size >= 20));
    await waitUntil(async () =>
      (await server.say('INFO', 'persistence')).includes('aof_pending_bio_fsync:1'),
    );
    await sleep(300); // by now the file lacks what memory has
    await server.stop();
    for (const { connected } of loads) connected.end();
    await Promise.all(loads.map(({ load }) => load.stop()));

    server.syncDelay = 0;
    await server.start();
    const undone = new Map<string, number>();
    for (const { name, prefix, load } of loads)
      undone.set(name, await load.undoneIn(openBackend(server.port, { prefix })));
    expect(undone.get('primary alone')).toBeGreaterThan(0);
    undone.delete('primary alone');
    expect([...undone]).toEqual(Object.keys(CLIENTS).map((name) => [name, 0]));
  });

  it('acknowledges nothing before it is on the disk, with `appendfsync always`', async () => {
    await server.stop();
    server.syncDelay = 400;
    await server.start();
    await server.say('CONFIG', 'SET', 'appendfsync', 'always');
    const backend = openBackend(server.port, { durability: 'fsync', durabilityTimeout: 10_000 });
    for (const id of ['a', 'b', 'c']) {
      const begun = performance.now();
      await backend.insert(inserting(row(id)));
      expect(performance.now() - begun).toBeGreaterThanOrEqual(400);
    }
  });
});

withPrograms(['valkey-server', 'valkey-cli'], () => {
  const IDS = Array.from({ length: 12 }, (_, index) => `session-${index}`);

  /** Signs in, and out every second one. @returns the backend, and the prefix of its keys */
  const write = async ({ client }: TestClient) => {
    const prefix = `${randomUUID()}:`;
    const backend = new RedisSessionBackend(client, {
      prefix,
      durability: 'fsync',
      durabilityTimeout: 3_000,
    });
    await backend.init();
    await Promise.all(IDS.map((id) => backend.insert(inserting(row(id, { userId: `user-${id}` })))));
    const ended = IDS.filter((_, index) => index % 2 === 1);
    expect(await backend.delete({ ids: ended })).toHaveLength(ended.length);
    return { prefix, backend };
  };

  it('refuses what never gets to the disk, on each client', async () => {
    const server = await OwnRedis.make(WITH_FILE, { program: 'valkey-server' });
    const clients = await Promise.all(Object.values(CLIENTS).map((connect) => connect(server.port)));
    const written = await Promise.all(clients.map(write));
    await server.say('CONFIG', 'SET', 'appendfsync', 'no');
    await Promise.all(
      written.map(({ backend }) =>
        expect(backend.insert(inserting(row('never')))).rejects.toThrow(
          /The server did not confirm within 3000 ms that the write is on its disk/,
        ),
      ),
    );
    for (const client of clients) client.end();
    await server.remove();
  });

  it('refuses what another connection found done too, on each client', async () => {
    const server = await OwnRedis.make(WITH_FILE, { program: 'valkey-server' });
    try {
      const id = `01KB0000000000000000000001${bucketOfUser('ada')}`;
      await openBackend(server.port).insert(inserting(row(id)));
      for (const connect of Object.values(CLIENTS)) {
        await server.say('CONFIG', 'SET', 'appendfsync', 'no');
        const clients = await Promise.all([connect(server.port), connect(server.port)]);
        for (const { client } of clients) {
          const backend = new RedisSessionBackend(client, { durability: 'fsync', durabilityTimeout: 200 });
          await expect(backend.delete({ ids: [id] })).rejects.toThrow(/did not confirm within 200 ms/);
        }
        await server.say('CONFIG', 'SET', 'appendfsync', 'everysec');
        const patient = new RedisSessionBackend(clients[0]?.client ?? {}, {
          durability: 'fsync',
          durabilityTimeout: 5_000,
        });
        expect(await patient.delete({ ids: [id] })).toEqual([]);
        for (const client of clients) client.end();
      }
    } finally {
      await closeAll();
      await server.remove();
    }
  });

  it('refuses to start where there is no file', async () => {
    const server = await OwnRedis.make([], { program: 'valkey-server' });
    await expect(openBackend(server.port, { durability: 'fsync' }).init()).rejects.toThrow(
      /`durability`: 'fsync' needs the append-only file, which is off/,
    );
    await closeAll();
    await server.remove();
  });

  it('keeps what was acknowledged when all masters of a Cluster are killed, on each client', async () => {
    const cluster = await OwnRedisCluster.make(0, 'valkey-server', WITH_FILE);
    const clients = await Promise.all(
      Object.values(CLUSTER_CLIENTS).map((connect) => connect(cluster.nodes)),
    );
    const written = await Promise.all(clients.map(write));
    for (const client of clients) client.end();
    await Promise.all(cluster.servers.map((server) => server.stop()));
    await Promise.all(cluster.servers.map((server) => server.start()));
    await cluster.isReady();
    const after = await CLUSTER_CLIENTS['ioredis 6'](cluster.nodes);
    for (const { prefix } of written) {
      const found = await new RedisSessionBackend(after.client, { prefix }).find(IDS);
      expect(found.map((each) => each !== null)).toEqual(IDS.map((_, index) => index % 2 === 0));
    }
    after.end();
    await cluster.remove();
  });
});
