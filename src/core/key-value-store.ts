import type { Duration } from './duration.js';

/**
 * The smallest face of a store: values under keys, each with a lifetime.
 *
 * `V` is what is put, `R` what comes back.
 */
export interface KeyValueStore<K, V, R = V> {
  /** The live value, or `null`. */
  get(key: K): Promise<R | null>;
  /** Inserts or replaces. `ttl`: milliseconds, or a string such as `'30m'`. */
  put(key: K, value: V, ttl: Duration): Promise<R>;
  /** Idempotent; whether there was one. */
  delete(key: K): Promise<boolean>;
  /** Deletes what has expired; how many. */
  pruneExpired(): Promise<number>;
}
