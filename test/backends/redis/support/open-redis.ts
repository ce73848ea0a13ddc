import { Redis, type RedisOptions } from 'ioredis';
import {
  RedisSessionBackend,
  type RedisSessionBackendOptions,
} from '../../../../src/backends/redis/index.js';

/** What a test has opened: `closeAll` ends it. */
const opened: Array<() => unknown> = [];

/** A client of `ioredis` as an app has it, which gives up at once what it cannot send. */
export function openClient(port: number, options: RedisOptions = {}): Redis {
  const client = new Redis(port, '127.0.0.1', { maxRetriesPerRequest: 1, ...options });
  client.on('error', () => undefined);
  opened.push(() => client.disconnect());
  return client;
}

/** A backend on a client of the app. */
export function openBackend(
  port: number,
  options: RedisSessionBackendOptions = {},
  clientOptions: RedisOptions = {},
): RedisSessionBackend {
  return new RedisSessionBackend(openClient(port, clientOptions), options);
}

/** A backend on a client of its own. */
export function openOwnBackend(
  url: string,
  options: RedisSessionBackendOptions = {},
  clientOptions: RedisOptions = {},
): RedisSessionBackend {
  const backend = new RedisSessionBackend({ url, ...clientOptions }, options);
  opened.push(() => backend.close());
  return backend;
}

export async function closeAll(): Promise<void> {
  await Promise.all(opened.splice(0).map((close) => close()));
}
