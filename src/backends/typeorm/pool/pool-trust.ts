import { EventEmitter } from 'node:events';
import type { DataSource } from 'typeorm';
import { performance } from '../../../core/timers.js';
import { property } from '../driver-error.js';

/** Milliseconds for which a connection is new: what it says, the next one would say too. */
const NEW = 250;

/**
 * Which idle connections of a pool are used. One that failed says something of those that were made before it: their server
 * may have been demoted as well, or the network between may have swallowed them as well. So they are not tried in turn, each
 * by a call that fails for it, but ended as they come up.
 */
export class PoolTrust {
  readonly #made = new WeakMap<object, number>();
  readonly #heard = new WeakMap<object, number>();
  readonly #demotionListeners = new Set<() => void>();
  /** Connections made earlier may lead to a server that has been demoted. */
  #demotedAt = -Infinity;
  /** Connections that have not answered since may never do. */
  #silentSince = -Infinity;

  /** @param pool what emits an event for each connection that it makes; otherwise all are trusted */
  constructor(private readonly pool: EventEmitter | null) {
    const note = (connection: unknown): void => {
      if (isObject(connection)) this.#made.set(connection, performance.now());
    };
    pool?.on('connect', note); // of `pg`
    pool?.on('connection', note); // of `mysql2`
  }

  /** Whether a connection that has been idle is to be ended rather than used. */
  isDoubtful(connection: unknown): boolean {
    if (this.pool === null || !isObject(connection)) return false;
    const made = this.#made.get(connection) ?? 0;
    return made < this.#demotedAt || Math.max(made, this.#heard.get(connection) ?? 0) < this.#silentSince;
  }

  /** A connection has answered, on the clock of `performance.now()`. */
  noteAnswer(connection: unknown, at: number): void {
    if (isObject(connection)) this.#heard.set(connection, at);
  }

  /** A connection had not answered what was sent then, when the time was up. */
  noteSilence(since: number): void {
    this.#silentSince = Math.max(this.#silentSince, since);
  }

  /**
   * The server of a connection takes no writes.
   *
   * @returns whether a new connection may lead to another server; otherwise this one is as good as any
   */
  noteReadOnly(connection: unknown): boolean {
    const made = (isObject(connection) ? this.#made.get(connection) : undefined) ?? 0;
    if (performance.now() - made < NEW) return false;
    if (made >= this.#demotedAt) {
      this.#demotedAt = performance.now();
      for (const listener of this.#demotionListeners) listener();
    }
    return true;
  }

  /** @returns ends the subscription */
  onDemotion(listener: () => void): () => void {
    this.#demotionListeners.add(listener);
    return () => this.#demotionListeners.delete(listener);
  }
}

/** The one of the pool of a data source that is open. */
export function trustOf({ driver }: DataSource): PoolTrust {
  const pool = property(driver, 'master') ?? property(driver, 'pool'); // of Postgres and of MySQL
  if (!(pool instanceof EventEmitter)) return new PoolTrust(null);
  const trust = TRUST.get(pool) ?? new PoolTrust(pool);
  TRUST.set(pool, trust);
  return trust;
}

/** By pool. */
const TRUST = new WeakMap<EventEmitter, PoolTrust>();

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
