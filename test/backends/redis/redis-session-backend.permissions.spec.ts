import { randomUUID } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { Cluster, Redis } from 'ioredis';
import { createClient, createCluster } from 'redis';
import { RedisSessionBackend, type RedisSessionBackendOptions } from '../../../src/backends/redis/index.js';
import { SessionOptionsError } from '../../../src/core/session-errors.js';
import { describeSessionBackend } from '../../../src/testing/describe-session-backend.js';
import { inserting, NOW, row } from '../../../src/testing/backend-contract/contract-rule.js';
import { onEachRedis, OwnRedis } from '../../support/own-redis.js';
import { OwnRedisCluster, onEachRedisCluster } from '../../support/own-redis-cluster.js';
import { waitUntil } from './support/load.js';
import { ofIoRedis, type TestClient } from './support/redis-clients.js';

const ROOT = new URL('../../../', import.meta.url);
const PAGE = readFileSync(new URL('docs/redis.md', ROOT), 'utf8');

/** The words of the line in the document, and what it says that a Cluster and the disk need as well. */
const LINE = (/^ACL SETUSER .*$/m.exec(PAGE)?.[0] ?? '').split(' ');
const ON_CLUSTER = (/^- `([^`]+)` as well on a Cluster/m.exec(PAGE)?.[1] ?? '').split(' ');
const FOR_DISK = (/^- `([^`]+)` as well for `durability: 'fsync'`/m.exec(PAGE)?.[1] ?? '').split(' ');
const COMMANDS = LINE.filter((word) => word.startsWith('+'));

/** The names of commands in the line that no check tries: what is published may not be listened to. */
const LISTENING = ['+subscribe', '+unsubscribe'];

const USER = { username: 'app', password: 'password' } as const;

/** What begins as the line wants it, and is nobody else's. */
const ownPrefix = () => `nest-sessions:${randomUUID()}:`;

/** One call of each kind, on a storage that is empty. */
async function callsOf(backend: RedisSessionBackend): Promise<void> {
  await backend.init();
  const [mine, next] = [row('a'), row('b')];
  await backend.insert(inserting(mine));
  expect(await backend.find(['a'])).toEqual([mine]);
  const use = { id: 'a', lastActiveAt: NOW, expiresAt: mine.expiresAt, now: NOW };
  expect(await backend.touch([use])).toEqual([true]);
  const visitor = row(`visitor${backend.idSuffix(null)}`, { userId: null });
  await backend.insert(inserting(visitor));
  await backend.insert(inserting(next, { replaces: visitor.id, limit: { max: 1, onLimit: 'evict' } }));
  const listing = { userId: 'ada', now: NOW, orderBy: 'createdAt', limit: null } as const;
  expect(await backend.list(listing)).toEqual([next]);
  expect(await backend.keysInUse(NOW)).toEqual(new Set([next.keyId]));
  await backend.prune({ now: NOW, cursor: null, batchSize: 100 });
  expect(await backend.delete({ ids: ['b'] })).toHaveLength(1);
  expect(await backend.delete({ userId: 'ada' })).toEqual([]);
  expect((await backend.health()).problems).toEqual([]);
}

/** Hears over one bus what the other publishes. */
async function hears(backend: RedisSessionBackend): Promise<void> {
  const heard: unknown[] = [];
  const stop = backend.bus().subscribe((ended) => heard.push(ended));
  await waitUntil(async () => heard.length === 1); // it has heard itself
  await backend.bus().publish(['a']);
  await waitUntil(async () => heard.length === 2);
  await stop();
}

/** Clients of that user, and how each ends. */
const CLIENTS_OF_USER: Record<string, (port: number) => Promise<TestClient>> = {
  ioredis: async (port) => ofIoRedis(new Redis(port, USER)),
  redis: async (port) => {
    const client = createClient({ url: `redis://127.0.0.1:${port}`, ...USER });
    client.on('error', () => undefined);
    await client.connect();
    return { client, end: () => client.destroy() };
  },
  'a client of our own': async (port) => ({ client: { port, ...USER }, end: () => undefined }),
};

it('what scripts run is in the line that the document gives', () => {
  const folder = new URL('src/backends/redis/', ROOT);
  const sources = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.name.endsWith('.ts'))
    .map((entry) => readFileSync(`${entry.parentPath}/${entry.name}`, 'utf8'))
    .join('\n');
  const run = [...sources.matchAll(/redis\.p?call\(\s*'([A-Z]+)'/g)].map(
    ([, name]) => `+${name?.toLowerCase()}`,
  );
  expect(new Set(run).size).toBeGreaterThan(10);
  expect(COMMANDS).toEqual(expect.arrayContaining([...new Set(run)]));
});

onEachRedis((program) => {
  let server: OwnRedis;
  let replica: OwnRedis;
  beforeAll(async () => {
    server = await OwnRedis.make(['--appendonly', 'yes', '--repl-diskless-sync-delay', '0'], { program });
    replica = await OwnRedis.make(['--replicaof', '127.0.0.1', String(server.port)], { program });
    await waitUntil(async () => (await server.say('INFO', 'replication')).includes('state=online'));
  });
  beforeEach(async () => {
    expect(await server.say(...LINE)).toBe('+OK');
  });
  afterAll(() => Promise.all([server.remove(), replica.remove()]));

  const open = (options: RedisSessionBackendOptions = {}) =>
    new RedisSessionBackend({ port: server.port, ...USER }, { prefix: ownPrefix(), ...options });

  describe('the whole contract', () => {
    describeSessionBackend("RedisSessionBackend under the document's ACL, with a replica", () => {
      const options = { prefix: ownPrefix(), durability: 'replica', durabilityTimeout: 5_000 } as const;
      return [open(options), open(options)];
    });
  });

  it.each(Object.entries(CLIENTS_OF_USER))('each kind of call, and the bus, on %s', async (_, connect) => {
    for (const durability of ['primary', 'replica'] as const) {
      const connected = await connect(server.port);
      const options = { prefix: ownPrefix(), durability, durabilityTimeout: 5_000 };
      const backend = new RedisSessionBackend(connected.client, options);
      await callsOf(backend);
      await hears(backend);
      await callsOf(new RedisSessionBackend(connected.client, { ...options, prefix: ownPrefix() }));
      await backend.close();
      connected.end();
    }
  });

  it('each command that is taken away is named at the start, and by health', async () => {
    const tried = COMMANDS.filter((word) => !LISTENING.includes(word));
    const backend = open({ durability: 'replica', durabilityTimeout: 5_000 });
    backend.bus();
    await backend.init();
    const named: Record<string, readonly boolean[]> = {};
    for (const word of tried) {
      const name = word.slice(1).toUpperCase().replace('|', ' ');
      await server.say('ACL', 'SETUSER', 'app', `-${word.slice(1)}`);
      const refusal: unknown = await backend.init().catch((error: unknown) => error);
      const { problems } = await backend.health();
      expect(refusal).toBeInstanceOf(SessionOptionsError);
      const says = `the user of the connection may not run ${name} on what begins with "nest-sessions:`;
      named[word] = [String(refusal).includes(says), problems.some((problem) => problem.includes(says))];
      await server.say('ACL', 'SETUSER', 'app', word);
    }
    expect(named).toEqual(Object.fromEntries(tried.map((word) => [word, [true, true]])));
    await backend.init();
    await backend.close();
  });

  it('keys and a channel of another name are noticed as well', async () => {
    const other = open({ prefix: 'other:' });
    await expect(other.init()).rejects.toThrow(/may not run .*HMGET.* on what begins with "other:"/);
    await other.close();
    await server.say('ACL', 'SETUSER', 'app', 'resetchannels');
    const mute = open();
    await mute.init(); // it publishes nothing
    mute.bus();
    await expect(mute.init()).rejects.toThrow(/may not run PUBLISH on what begins with/);
    await mute.close();
  });

  it('with its addition the disk confirms too, where the server can', async () => {
    const said = await server.say('ACL', 'SETUSER', 'app', ...FOR_DISK);
    expect(said.startsWith('+OK')).toBe(program === 'valkey-server');
    if (program === 'redis-server') return;
    const options = { durability: 'fsync', durabilityTimeout: 5_000 } as const;
    const backend = open(options);
    await callsOf(backend);
    await backend.close();
    await server.say('ACL', 'SETUSER', 'app', ...FOR_DISK.map((word) => `-${word.slice(1)}`));
    const connected = ofIoRedis(new Redis(server.port, { ...USER, enableAutoPipelining: true }));
    const refused = new RedisSessionBackend(connected.client, { prefix: ownPrefix(), ...options });
    await expect(refused.init()).rejects.toThrow(/may not run WAITAOF/);
    connected.end();
  });
});

onEachRedisCluster((program) => {
  it('with its additions each kind of call, and the bus, go on a Cluster', async () => {
    const cluster = await OwnRedisCluster.make(0, program);
    for (const server of cluster.servers) expect(await server.say(...LINE, ...ON_CLUSTER)).toBe('+OK');
    const one = ofIoRedis(new Cluster([...cluster.nodes], { redisOptions: USER }));
    const node = createCluster({
      rootNodes: cluster.nodes.map(({ port }) => ({ url: `redis://127.0.0.1:${port}` })),
      defaults: USER,
    });
    node.on('error', () => undefined);
    await node.connect();
    for (const client of [one.client, node]) {
      const backend = new RedisSessionBackend(client, { prefix: ownPrefix() });
      await callsOf(backend);
      await hears(backend);
    }
    for (const server of cluster.servers) await server.say('ACL', 'SETUSER', 'app', '-zadd', '-exists');
    await expect(new RedisSessionBackend(one.client).init()).rejects.toThrow(
      /may not run .*EXISTS.*ZADD|ZADD.*EXISTS/,
    );
    one.end();
    node.destroy();
    await cluster.remove();
  });
});
