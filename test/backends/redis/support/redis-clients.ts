import { Cluster, Redis } from 'ioredis';
import { Cluster as Cluster6, Redis as Redis6 } from 'ioredis6';
import { createClient, createCluster, createSentinel } from 'redis';
import {
  createClient as createClient6,
  createCluster as createCluster6,
  createSentinel as createSentinel6,
} from 'redis6';
import { PRIMARY_NAME } from '../../../support/own-sentinel-group.js';
import type { RedisClient } from '../../../../src/backends/redis/index.js';

/** The clients that apps may have: each connects to a server, and says how it ends. */
export const CLIENTS = {
  'ioredis 5': async (port: number) => ofIoRedis(new Redis(port)),
  'ioredis 5 with automatic pipelines': async (port: number) =>
    ofIoRedis(new Redis(port, { enableAutoPipelining: true })),
  'ioredis 6': async (port: number) => ofIoRedis(new Redis6(port)),
  'redis 5': async (port: number) => ofNodeRedis(createClient({ url: urlOf(port) })),
  'redis 6': async (port: number) => ofNodeRedis(createClient6({ url: urlOf(port) })),
} as const;

/** A client that is connected. */
export interface TestClient {
  readonly client: RedisClient;
  end(): unknown;
}

const urlOf = (port: number) => `redis://127.0.0.1:${port}`;

/** What is needed here of a client of `ioredis`. */
interface IoRedis {
  on(event: 'error', listener: () => void): unknown;
  disconnect(): void;
}

/** A client of `ioredis`. */
export function ofIoRedis(client: RedisClient & IoRedis): TestClient {
  client.on('error', () => undefined);
  return { client, end: () => client.disconnect() };
}

/** What is needed here of a client of `redis`. */
interface NodeRedis {
  on(event: 'error', listener: () => void): unknown;
  connect(): Promise<unknown>;
  destroy(): unknown;
}

/** A client of `redis`. */
export async function ofNodeRedis(client: RedisClient & NodeRedis): Promise<TestClient> {
  client.on('error', () => undefined);
  await client.connect();
  return { client, end: () => client.destroy() };
}

/** Nodes of a Cluster by which a client begins. */
type Nodes = ReadonlyArray<{ readonly host: string; readonly port: number }>;

/** The same for a Cluster. */
export const CLUSTER_CLIENTS = {
  'ioredis 5': async (nodes: Nodes) => ofIoRedis(new Cluster([...nodes])),
  'ioredis 5 with automatic pipelines': async (nodes: Nodes) =>
    ofIoRedis(new Cluster([...nodes], { enableAutoPipelining: true })),
  'ioredis 6': async (nodes: Nodes) => ofIoRedis(new Cluster6([...nodes])),
  'redis 5': async (nodes: Nodes) => ofNodeRedis(createCluster({ rootNodes: urlsOf(nodes) })),
  'redis 6': async (nodes: Nodes) => ofNodeRedis(createCluster6({ rootNodes: urlsOf(nodes) })),
} as const;

const urlsOf = (nodes: Nodes) => nodes.map(({ port }) => ({ url: urlOf(port) }));

/** The same behind Sentinel. */
export const SENTINEL_CLIENTS = {
  'ioredis 5': async (sentinels: Nodes) => ofIoRedis(new Redis(ioRedisOptions(sentinels))),
  'ioredis 6': async (sentinels: Nodes) => ofIoRedis(new Redis6(ioRedisOptions(sentinels))),
  'redis 5': async (sentinels: Nodes) =>
    ofNodeRedis(createSentinel({ name: PRIMARY_NAME, sentinelRootNodes: [...sentinels] })),
  'redis 6': async (sentinels: Nodes) =>
    ofNodeRedis(createSentinel6({ name: PRIMARY_NAME, sentinelRootNodes: [...sentinels] })),
  'redis 6 with several connections': async (sentinels: Nodes) =>
    ofNodeRedis(
      createSentinel6({ name: PRIMARY_NAME, sentinelRootNodes: [...sentinels], masterPoolSize: 2 }),
    ),
  'a client of our own': async (sentinels: Nodes) => ({
    client: { ...ioRedisOptions(sentinels) },
    end: () => undefined,
  }),
} as const;

const ioRedisOptions = (sentinels: Nodes) => ({ sentinels: [...sentinels], name: PRIMARY_NAME });
