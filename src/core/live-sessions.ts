import type { Clock } from './clock.js';
import type { GuardedBackend } from './guarded-backend.js';
import type { KeyRing } from './key-ring.js';

/** Milliseconds that a count stands. It reads the whole table, and health is asked for every few seconds. */
const STANDS = 60_000;

/**
 * Active sessions by the key that sealed them, as they were at the last count: one a minute at most, however often and
 * by however many it is asked for. Only the first count is waited for, and those after one that has found a key
 * which is not configured, so that the report ends with the problem.
 */
export class LiveSessions {
  #byKey: ReadonlyMap<string, number> = new Map();
  #countedAt: number | null = null;
  #counting: Promise<void> | null = null;

  constructor(
    private readonly backend: GuardedBackend,
    private readonly clock: Clock,
    private readonly ring: KeyRing,
  ) {}

  /** Numbers by key id. Never rejects: a count that fails leaves what was known. */
  async byKey(): Promise<ReadonlyMap<string, number>> {
    const isUrgent = this.#countedAt === null || this.unknownKeys.length > 0;
    if (isUrgent || this.#isStale) this.#counting ??= this.#count().finally(() => (this.#counting = null));
    if (isUrgent) await this.#counting;
    return this.#byKey;
  }

  /** Keys of live sessions that are not configured. */
  get unknownKeys(): readonly string[] {
    return [...this.#byKey.keys()].filter((keyId) => !this.ring.keyIds.includes(keyId));
  }

  get #isStale(): boolean {
    return Math.abs(this.clock.now() - (this.#countedAt ?? 0)) >= STANDS;
  }

  async #count(): Promise<void> {
    try {
      this.#byKey = await this.backend.countByKey(this.clock.now());
    } catch {
      // Whether storage can be reached at all is not told by this: a large table may just take too long.
    }
    this.#countedAt = this.clock.now();
  }
}
