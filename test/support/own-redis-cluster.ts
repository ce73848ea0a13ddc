import { execFile } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { OwnRedis, REDIS_SERVERS, type RedisProgram } from './own-redis.js';
import { binary, freePort, withPrograms } from './programs.js';

const run = promisify(execFile);

/** Ports of a Cluster: each server has another one, 10,000 above its own, for the others. */
const HIGHEST_PORT = 55_000;

/** A Redis Cluster of a spec's own. */
export class OwnRedisCluster {
  private constructor(readonly servers: readonly OwnRedis[]) {}

  /**
   * @param replicas for each of the three masters
   * @param more arguments of each server
   */
  static async make(
    replicas: 0 | 1,
    program: RedisProgram = 'redis-server',
    more: readonly string[] = [],
  ): Promise<OwnRedisCluster> {
    const settings = ['--cluster-node-timeout', '2000', ...more];
    const servers: OwnRedis[] = [];
    for (let count = 0; count < 3 * (1 + replicas); count++)
      servers.push(await startMember(settings, program));
    const addresses = servers.map(({ port }) => `127.0.0.1:${port}`);
    const create = [
      '--cluster',
      'create',
      ...addresses,
      '--cluster-replicas',
      String(replicas),
      '--cluster-yes',
    ];
    await run(binary(commandLineOf(program)), create);
    const cluster = new OwnRedisCluster(servers);
    await cluster.isReady();
    return cluster;
  }

  /** Where clients begin. */
  get nodes(): ReadonlyArray<{ readonly host: string; readonly port: number }> {
    return this.servers.map(({ port }) => ({ host: '127.0.0.1', port }));
  }

  /** Waits until all servers know that all slots are served, and replicas have what their masters have. */
  async isReady(): Promise<void> {
    for (const end = performance.now() + 30_000; performance.now() < end; await sleep(50)) {
      const said = await Promise.all(
        this.servers.map(async (server) => [
          await server.say('CLUSTER', 'INFO'),
          await server.say('INFO', 'replication'),
        ]),
      );
      if (
        said.every(
          ([state, role]) => state?.includes('cluster_state:ok') && !role?.includes('link_status:down'),
        )
      )
        return;
    }
    throw new Error('the Cluster is not ready');
  }

  async remove(): Promise<void> {
    await Promise.all(this.servers.map((server) => server.remove()));
  }
}

/**
 * A server of a Cluster, whose two ports were free. The second may have been taken since, so it is tried on others.
 *
 * @param settings arguments of the program, beside the port and that it is of a Cluster
 */
export async function startMember(settings: readonly string[], program: RedisProgram): Promise<OwnRedis> {
  const all = ['--cluster-enabled', 'yes', ...settings];
  for (let tries = 1; ; tries++) {
    const port = await freePort();
    if (port >= HIGHEST_PORT) continue;
    try {
      return await OwnRedis.make(all, { port, program });
    } catch (error) {
      if (tries >= 10) throw error;
    }
  }
}

/** The program that makes a Cluster of servers. */
function commandLineOf(program: RedisProgram): string {
  return program.replace('-server', '-cli');
}

/** The same specs on a Cluster of Redis and on one of Valkey. */
export function onEachRedisCluster(body: (program: RedisProgram) => void): void {
  describe.each(Object.entries(REDIS_SERVERS))('on %s', (_, program) =>
    withPrograms([program, commandLineOf(program)], () => body(program)),
  );
}

/** Specs that need a Cluster of their own. */
export function withOwnRedisCluster(body: () => void): void {
  withPrograms(['redis-server', 'redis-cli'], body);
}
