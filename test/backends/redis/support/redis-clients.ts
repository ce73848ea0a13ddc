import { Redis } from 'ioredis';
import { Redis as Redis6 } from 'ioredis6';
import { createClient } from 'redis';
import { createClient as createClient6 } from 'redis6';
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

function ofIoRedis(client: Redis | Redis6): TestClient {
  client.on('error', () => undefined);
  return { client, end: () => client.disconnect() };
}

/** What is needed here of a client of `redis`. */
interface NodeRedis {
  on(event: 'error', listener: () => void): unknown;
  connect(): Promise<unknown>;
  destroy(): void;
}

async function ofNodeRedis(client: RedisClient & NodeRedis): Promise<TestClient> {
  client.on('error', () => undefined);
  await client.connect();
  return { client, end: () => client.destroy() };
}
