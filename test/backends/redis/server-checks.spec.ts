import { RedisSessionBackend } from '../../../src/backends/redis/index.js';
import { ServerChecks } from '../../../src/backends/redis/server-checks.js';
import type { RedisConnection } from '../../../src/backends/redis/connection/redis-connection.js';
import { SessionOptionsError } from '../../../src/core/session-errors.js';
import { insertLimited, inserting, NOW, row } from '../../../src/testing/backend-contract/contract-rule.js';
import { onEachRedis, OwnRedis } from '../../support/own-redis.js';
import { startMember } from '../../support/own-redis-cluster.js';
import { closeAll, openBackend, openClient, openOwnBackend } from './support/open-redis.js';
import { CLIENTS } from './support/redis-clients.js';

const LIST = { userId: 'ada', now: NOW, orderBy: 'createdAt', limit: null } as const;

onEachRedis((program) => {
  const servers: OwnRedis[] = [];
  const start = async (...settings: string[]) => {
    const server = await OwnRedis.make(settings, { program });
    servers.push(server);
    return server;
  };
  afterEach(async () => {
    await closeAll();
    await Promise.all(servers.splice(0).map((server) => server.remove()));
  });

  /** What `init()` is refused with. */
  const refusalOf = async (backend: RedisSessionBackend) => {
    const refusal: unknown = await backend.init().catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(SessionOptionsError);
    return refusal instanceof Error ? refusal.message : '';
  };

  describe('init', () => {
    it.each(Object.entries(CLIENTS))('refuses a server that evicts keys, on %s', async (_, connect) => {
      const { port } = await start('--maxmemory-policy', 'allkeys-lru');
      const connected = await connect(port);
      expect(await refusalOf(new RedisSessionBackend(connected.client))).toMatch(
        /expected `maxmemory-policy noeviction`, got allkeys-lru. Redis would throw sessions away/,
      );
      connected.end();
    });

    it('knows the policy where CONFIG is forbidden too', async () => {
      const { port } = await start('--rename-command', 'CONFIG', '', '--maxmemory-policy', 'volatile-ttl');
      expect(await refusalOf(openBackend(port))).toContain('got volatile-ttl');
    });

    it('refuses a member of a Cluster to a client that knows of none', async () => {
      const server = await startMember([], program);
      servers.push(server);
      expect(await refusalOf(openBackend(server.port))).toContain('it belongs to a Cluster');
    });

    it('refuses `fsync` where the server cannot tell, or has no file', async () => {
      const { port } = await start();
      expect(await refusalOf(openBackend(port, { durability: 'fsync' }))).toMatch(
        /'fsync' needs (Redis 7.2 or later, got|the append-only file)/,
      );
    });

    // There is no such old server here: what it says of itself is all that is asked.
    it.each([
      ['6.0.16', 'expected Redis 6.2 or later, or Valkey, got 6.0.16'],
      ['6.2.0', null],
      ['10.0.1', null],
    ])('knows version %s', async (version, fault) => {
      const started = new ServerChecks(
        saying(`redis_version:${version}\r\nmaxmemory_policy:noeviction\r\n`),
        () => ({ prefix: '', durability: 'primary', channel: null }),
      ).start();
      await (fault === null
        ? expect(started).resolves.toBeUndefined()
        : expect(started).rejects.toThrow(fault));
    });

    it('says that the password is wrong', async () => {
      const server = await start('--requirepass', 'right');
      const wrong = openOwnBackend(`redis://:wrong@127.0.0.1:${server.port}`);
      await expect(wrong.init()).rejects.toThrow(/WRONGPASS|NOAUTH/);
      await expect(openBackend(server.port).init()).rejects.toThrow(/NOAUTH/);
      await expect(openOwnBackend(`redis://:right@127.0.0.1:${server.port}`).init()).resolves.toBeUndefined();
    });
  });

  describe('health', () => {
    it('has nothing to say of a server as it should be, and tells its time', async () => {
      const { port } = await start();
      const backend = openBackend(port);
      await backend.init();
      const { problems, warnings, now } = await backend.health();
      expect({ problems, warnings }).toEqual({ problems: [], warnings: [] });
      expect(Math.abs((now ?? 0) - Date.now())).toBeLessThan(1_000);
    });

    it('tells that keys have been evicted since the start', async () => {
      const server = await start();
      const backend = openBackend(server.port);
      await backend.init();
      await server.say('CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lru');
      await server.say('CONFIG', 'SET', 'maxmemory', '2500000');
      const client = openClient(server.port);
      for (let index = 0; index < 40; index++) await client.set(`other-${index}`, 'x'.repeat(100_000));
      await server.say('CONFIG', 'SET', 'maxmemory-policy', 'noeviction');
      const { problems } = await backend.health();
      expect(problems).toHaveLength(1);
      expect(problems[0]).toMatch(/[1-9][0-9]* keys have been evicted since the start/);
    });

    it('tells a replica from a primary, which alone takes sign-ins', async () => {
      const primary = await start();
      const replica = await start('--replicaof', '127.0.0.1', String(primary.port));
      const [first, second] = [openBackend(primary.port), openBackend(replica.port)];
      await first.insert(inserting(row('a')));
      await openClient(primary.port).wait(1, 10_000);
      await expect(second.find(['a'])).rejects.toThrow(/The server is a replica by now/);
      await expect(second.insert(inserting(row('b')))).rejects.toThrow(/READONLY|is a replica by now/);
      await expect(second.delete({ ids: ['a'] })).rejects.toThrow(/READONLY|is a replica by now/);
      expect((await second.health()).problems).toEqual([expect.stringContaining('a read-only replica')]);
    });

    it('tells that no replica is there to confirm', async () => {
      const { port } = await start();
      const backend = openBackend(port, { durability: 'replica' });
      await backend.init();
      expect((await backend.health()).problems).toEqual([expect.stringContaining('no replica is connected')]);
    });
  });

  describe('a server that is full', () => {
    it('is read, and ends sessions, and takes no new ones', async () => {
      const server = await start();
      const backend = openBackend(server.port);
      await backend.init();
      for (const id of ['a', 'b', 'c']) await backend.insert(inserting(row(id)));
      await server.say('CONFIG', 'SET', 'maxmemory', '1');
      const limit = { max: 1, onLimit: 'evict' } as const;
      await expect(insertLimited(backend, row('d'), limit)).rejects.toThrow(/OOM/);
      expect(await backend.find(['a', 'd'])).toEqual([row('a'), null]);
      expect(await backend.list(LIST)).toHaveLength(3);
      expect(await backend.delete({ ids: ['a'] })).toHaveLength(1);
      expect(await backend.delete({ userId: 'ada' })).toHaveLength(2);
      await server.say('CONFIG', 'SET', 'maxmemory', '0');
      expect((await insertLimited(backend, row('d'), limit)).status).toBe('inserted');
    });
  });
});

/** A connection to a server that says this of itself. */
function saying(info: string): RedisConnection {
  const none = () => Promise.reject(new Error('not asked here'));
  return {
    isCluster: false,
    send: none,
    sendTogether: none,
    openListener: none,
    publish: none,
    close: none,
    masters: async () => [{ name: 'a server', send: async () => Buffer.from(info) }],
  };
}
