import type { Duration } from './duration.js';

/**
 * The smallest face of a store: values under keys, each with a lifetime. `SessionStore` has it. Code that needs no
 * more of a store should ask for no more.
 *
 * `K` is what a key is, `V` what is put, `R` what comes back.
 *
 * @example
 * ```ts
 * export class Drafts {
 *   constructor(private readonly kept: KeyValueStore<string, SessionStateInput, SessionRecord>) {}
 *
 *   async keep(userId: string, text: string) {
 *     await this.kept.put(`draft:${userId}`, { userId, data: { text } }, '7d');
 *   }
 *
 *   async find(userId: string) {
 *     return (await this.kept.get(`draft:${userId}`))?.data ?? null;
 *   }
 * }
 * ```
 */
export interface KeyValueStore<K, V, R = V> {
  /** The value of a key; `null` when there is none, or it has expired. */
  get(key: K): Promise<R | null>;
  /**
   * Inserts a value, or replaces the one that is there.
   *
   * @param ttl how long it lives: milliseconds, or a string such as `'30m'`
   */
  put(key: K, value: V, ttl: Duration): Promise<R>;
  /** Removes a value; whether there was one. Idempotent. */
  delete(key: K): Promise<boolean>;
  /** Deletes the values that have expired; how many. */
  pruneExpired(): Promise<number>;
}
