import { expected, oneOf, positiveInteger, refuseUnknown, requireObject } from '../../core/option-checks.js';
import type { RedisDurability } from './bucket-client.js';

/** How `RedisSessionBackend` keeps sessions. */
export interface RedisSessionBackendOptions {
  /**
   * What all its keys begin with: letters, digits, `:`, `-`, `_`, `.` and `/`. Apps that share a server need one each.
   *
   * @default 'nest-sessions:'
   */
  readonly prefix?: string;
  /**
   * When a write counts as done: `'primary'`, when the server that took it has it in memory; `'replica'`, when a replica has
   * it too; `'fsync'`, when it is on the disk of the server that took it (Redis 7.2). @default 'primary'
   */
  readonly durability?: RedisDurability;
  /** Milliseconds that a write waits for what `durability` asks for, before it fails. @default 1000 */
  readonly durabilityTimeout?: number;
}

/** The same, checked, with its defaults. */
export type RedisSettings = Required<RedisSessionBackendOptions>;

const DEFAULTS: RedisSettings = {
  prefix: 'nest-sessions:',
  durability: 'primary',
  durabilityTimeout: 1_000,
};

/** Names of the options of `RedisSessionBackend`. */
export const REDIS_OPTION_NAMES: readonly string[] = Object.keys(DEFAULTS);

/** @throws SessionOptionsError */
export function resolveRedisOptions(options: RedisSessionBackendOptions): RedisSettings {
  requireObject('options', 'an object', options);
  refuseUnknown('option of RedisSessionBackend', options, REDIS_OPTION_NAMES);
  const settings = { ...DEFAULTS, ...options };
  if (typeof settings.prefix !== 'string' || !/^[\w:./-]*$/.test(settings.prefix))
    throw expected('prefix', 'letters, digits, and any of : . / - _', settings.prefix);
  oneOf('durability', settings.durability, ['primary', 'replica', 'fsync']);
  positiveInteger('durabilityTimeout', settings.durabilityTimeout);
  return settings;
}
