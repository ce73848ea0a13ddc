import { expected } from '../../../core/option-checks.js';
import { SessionOptionsError } from '../../../core/session-errors.js';
import { type IoRedisClient, IoRedisConnection, isIoRedis } from './ioredis-connection.js';
import { isNodeRedis, type NodeRedisClient, NodeRedisConnection } from './node-redis-connection.js';
import {
  isNodeRedisSentinel,
  type NodeRedisSentinel,
  NodeRedisSentinelConnection,
} from './node-redis-sentinel-connection.js';
import { REDIS_OPTION_NAMES } from '../redis-options.js';
import type { RedisConnection } from './redis-connection.js';

/**
 * Options of a client of our own, which `ioredis` makes: an address, or what its `Redis` takes, such as `host`, `port`,
 * `username`, `password`, `db`, `tls`, and `sentinels` with `name`.
 */
export interface OwnClientOptions {
  /** `redis://user:password@host:6379/0`, or `rediss://` for TLS. */
  readonly url?: string;
  readonly [option: string]: unknown;
}

/** What `RedisSessionBackend` is given: a client of the app, of `ioredis` or `redis`, or options of one of our own. */
export type RedisClient = IoRedisClient | NodeRedisClient | NodeRedisSentinel | OwnClientOptions;

/**
 * Milliseconds that a connection may stay silent while it owes replies, before it is given up: the default of `timeout`, so
 * that one that the network has swallowed costs no more than the calls that met it.
 */
const SILENCE = 5_000;

/** Milliseconds for which a server that waits for others may answer later than it said. */
const SLACK = 1_000;

const CLIENTS = [isIoRedis, isNodeRedisSentinel, isNodeRedis] as const;

/**
 * @param wait milliseconds that a server may have to wait before it answers a write
 * @throws SessionOptionsError when it is none of these
 */
export async function openConnection(client: RedisClient, wait: number): Promise<RedisConnection> {
  if (isIoRedis(client)) return new IoRedisConnection(client, false);
  if (isNodeRedisSentinel(client)) return new NodeRedisSentinelConnection(client);
  if (isNodeRedis(client)) return new NodeRedisConnection(client);
  return new IoRedisConnection(await ownClient(client, Math.max(SILENCE, wait + SLACK)), true);
}

/** @throws SessionOptionsError for what is neither a client nor options */
export function checkClient(client: unknown): void {
  const isObject = typeof client === 'object' && client !== null;
  const isPlain = isObject && [Object.prototype, null].includes(Object.getPrototypeOf(client) as null);
  if (isObject && CLIENTS.some((is) => is(client))) return;
  if (!isPlain)
    throw expected(
      'client',
      'a client of ioredis or redis (node-redis), or options for one of our own, such as { url }',
      client,
    );
  checkOwnOptions(client as OwnClientOptions);
}

/** What says where a server is. */
const ADDRESSES = ['url', 'host', 'port', 'path', 'sentinels'] as const;

/** A variable that is not set must not lead to whatever listens on this machine, nor an option that stands elsewhere to nothing. */
function checkOwnOptions(options: OwnClientOptions): void {
  const misplaced = REDIS_OPTION_NAMES.find((name) => name in options);
  if (misplaced !== undefined)
    throw new SessionOptionsError(
      `\`${misplaced}\`: expected behind the client, as in new RedisSessionBackend({ url }, { ${misplaced} }), got it among ` +
        'the options of the client',
    );
  const given = ADDRESSES.filter((name) => name in options);
  const empty = given.find((name) => [undefined, null, ''].includes(options[name] as null));
  if (empty !== undefined || given.length === 0)
    throw expected(
      empty ?? 'client',
      "an address, such as { url: 'redis://127.0.0.1:6379' }",
      empty === undefined ? options : options[empty],
    );
}

async function ownClient({ url, ...options }: OwnClientOptions, silence: number): Promise<IoRedisClient> {
  const { Redis } = await import('ioredis').catch((cause: unknown) => {
    throw new SessionOptionsError(
      'RedisSessionBackend was given options, for which it needs ioredis: npm install ioredis, or give it a client',
      { cause },
    );
  });
  const own = {
    socketTimeout: silence,
    // A server that has been demoted refuses writes: whoever is behind the name by now takes them.
    reconnectOnError: ({ message }: Error) => (message.startsWith('READONLY') ? 2 : false),
    ...options,
    // What was sent and not answered may have been done. Whether to send it again is known to who sent it.
    autoResendUnfulfilledCommands: false,
    // Rejects them at once: otherwise ioredis would forget them, and nobody would ever hear of them.
    maxRetriesPerRequest: 0,
  } as const;
  const client = url === undefined ? new Redis(own) : new Redis(url, own);
  client.on('error', () => undefined); // each call that fails for it says so
  return client;
}
