import { Redis } from 'ioredis';
import { Redis as Redis6 } from 'ioredis6';
import { createClient } from 'redis';
import { createClient as createClient6 } from 'redis6';
import { RedisSessionBackend } from '../../../src/backends/redis/index.js';
import { NOW, row, store } from '../../../src/testing/backend-contract/contract-rule.js';
import { describeSessionBackend } from '../../../src/testing/describe-session-backend.js';
import { onEachRedis, OwnRedis } from '../../support/own-redis.js';
import { closeAll, openBackend } from './support/open-redis.js';
import { CLIENTS, ofIoRedis, ofNodeRedis, type TestClient } from './support/redis-clients.js';

const urlOf = (port: number) => `redis://127.0.0.1:${port}`;

/** Clients that give replies of other types than by default. */
const OTHER_TYPES: Readonly<Record<string, (port: number) => Promise<TestClient>>> = {
  'ioredis 5 with `stringNumbers`': async (port) => ofIoRedis(new Redis(port, { stringNumbers: true })),
  'ioredis 6 with `stringNumbers`': async (port) => ofIoRedis(new Redis6(port, { stringNumbers: true })),
  'ioredis 6 with RESP 3': async (port) => ofIoRedis(new Redis6(port, { protocol: 3 })),
  'redis 5 with RESP 3': async (port) => ofNodeRedis(createClient({ url: urlOf(port), RESP: 3 })),
  'redis 6 with RESP 3': async (port) => ofNodeRedis(createClient6({ url: urlOf(port), RESP: 3 })),
  'redis 6 with RESP 2': async (port) => ofNodeRedis(createClient6({ url: urlOf(port), RESP: 2 })),
  'redis 5 with numbers as text': async (port) =>
    ofNodeRedis(createClient({ url: urlOf(port), commandOptions: { typeMapping: { [58]: String } } })),
  'redis 6 with numbers as text': async (port) =>
    ofNodeRedis(createClient6({ url: urlOf(port), commandOptions: { typeMapping: { [58]: String } } })),
};

/** Begins a transaction on the connection of a client, as an app might that shares it. */
async function begin(client: object): Promise<void> {
  if ('evalshaBuffer' in client) await (client as unknown as Redis).multi({ pipeline: false });
  else await (client as ReturnType<typeof createClient>).sendCommand(['MULTI']);
}

async function discard(client: object): Promise<void> {
  if ('evalshaBuffer' in client) await (client as unknown as Redis).discard();
  else await (client as ReturnType<typeof createClient>).sendCommand(['DISCARD']);
}

onEachRedis((program) => {
  let server: OwnRedis;
  beforeAll(async () => {
    server = await OwnRedis.make([], { program });
  });
  afterAll(() => server.remove());
  afterEach(async () => {
    await closeAll();
    await server.say('FLUSHALL');
  });

  describe.each(Object.entries(OTHER_TYPES))('on %s', (name, connect) => {
    let clients: readonly [TestClient, TestClient];
    beforeAll(async () => {
      clients = [await connect(server.port), await connect(server.port)];
    });
    afterAll(() => clients.forEach((each) => each.end()));
    let count = 0;
    describeSessionBackend(`RedisSessionBackend on ${name}`, () => {
      const prefix = `${count++}:`;
      return [
        new RedisSessionBackend(clients[0].client, { prefix }),
        new RedisSessionBackend(clients[1].client, { prefix }),
      ];
    });

    it('a write waits for the replica', async () => {
      const options = { durability: 'replica', durabilityTimeout: 50 } as const;
      const backend = new RedisSessionBackend(clients[0].client, options);
      await expect(store(backend, row('a'))).rejects.toThrow(/No replica confirmed/);
    });

    it('is healthy', async () => {
      const backend = new RedisSessionBackend(clients[0].client);
      await backend.init();
      expect(await backend.health()).toMatchObject({ problems: [], warnings: [] });
    });
  });

  it.each(Object.entries(CLIENTS))(
    'while the app has a transaction open on its client, every call is refused, on %s',
    async (_, connect) => {
      const connected = await connect(server.port);
      const { client } = connected;
      const backend = new RedisSessionBackend(client);
      const mine = row('a');
      await store(backend, mine);
      const use = { id: 'a', lastActiveAt: NOW, expiresAt: NOW + 1, now: NOW };
      const change = { ...use, expectedVersion: 1, version: 2, keyId: 'k', payload: Buffer.from('p') };
      const step = { now: NOW, cursor: null, batchSize: 10 };
      const calls: ReadonlyArray<() => Promise<unknown>> = [
        () => backend.find(['a']),
        () => backend.alive(['a'], NOW),
        () => backend.list({ userId: 'ada', now: NOW, orderBy: 'createdAt', limit: null }),
        () => backend.save([change]),
        () => backend.touch([use]),
        () => backend.changeToken({ id: 'a', expected: mine, next: { ...mine, tokenUsed: true }, now: NOW }),
        () => backend.delete({ ids: ['a'] }),
        () => backend.delete({ userId: 'ada' }),
        () => store(backend, row('b')),
        () => backend.walk({ ...step, activeSince: null, authenticated: null, limit: 10 }),
        () => backend.prune(step),
        () => backend.keysInUse(NOW),
      ];
      await begin(client);
      const outcomes: string[] = [];
      for (const call of calls)
        outcomes.push(
          await call().then(
            (found) => `it said ${JSON.stringify(found)}`,
            (error: unknown) => String(error),
          ),
        );
      await discard(client);
      expect(outcomes.filter((each) => !each.includes('Redis replied with'))).toEqual([]);
      expect(outcomes[0]).toContain('where a list of 4 was expected');
      expect(outcomes[0]).toContain('The app has a `MULTI` open on the client of the sessions');
      expect(await backend.find(['a', 'b'])).toEqual([mine, null]);
      expect(await openBackend(server.port).delete({ userId: 'ada' })).toHaveLength(1);
      connected.end();
    },
  );
});
