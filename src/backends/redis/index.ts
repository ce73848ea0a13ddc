export { RedisSessionBackend } from './redis-session-backend.js';
export type { RedisSessionBackendOptions } from './redis-options.js';
export type { RedisDurability } from './bucket-client.js';
export type { OwnClientOptions, RedisClient } from './connection/open-connection.js';
export type { IoRedisClient } from './connection/ioredis-connection.js';
export type { NodeRedisClient } from './connection/node-redis-connection.js';
export type { NodeRedisSentinel } from './connection/node-redis-sentinel-connection.js';
