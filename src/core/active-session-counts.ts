import type { Clock } from './clock.js';
import type { BackendClient } from './backend-client.js';
import type { KeyRing } from './key-ring.js';
import type { SessionLogger } from './session-logger.js';
import { withTimeout } from './timeout.js';

/**
 * Counts the active sessions by the key that sealed them, for health checks and for a warning about keys that are not
 * configured. Counts at most once a minute, however often it is asked, and answers with the last count meanwhile: only
 * the first one is awaited. Each unknown key is logged once.
 */
export class ActiveSessionCounts {
  readonly #backend: BackendClient;
  readonly #clock: Clock;
  readonly #ring: KeyRing;
  readonly #logger: SessionLogger;
  #byKey: ReadonlyMap<string, number> = new Map();
  #countedAt: number | null = null;
  #counting: Promise<void> | null = null;
  #watching: Promise<void> | null = null;
  readonly #warnedOf = new Set<string>();

  constructor(backend: BackendClient, clock: Clock, ring: KeyRing, logger: SessionLogger) {
    this.#backend = backend;
    this.#clock = clock;
    this.#ring = ring;
    this.#logger = logger;
  }

  /** Number of sessions by key id. Never rejects: after a count that fails it is the last one that succeeded. */
  async byKey(): Promise<ReadonlyMap<string, number>> {
    const isFirst = this.#countedAt === null;
    if (isFirst || this.#isStale) this.#counting ??= this.#count().finally(() => (this.#counting = null));
    if (isFirst) await this.#counting;
    return this.#byKey;
  }

  /** Ids of keys that sealed active sessions and are not configured, as of the last count. */
  get unknownKeys(): readonly string[] {
    return this.#unknownAmong(this.#byKey);
  }

  /** Logs a warning, in the background, if another app seals sessions in the same table. Reads the newest rows only. */
  watch(): void {
    this.#watching ??= this.#countNewest().finally(() => (this.#watching = null));
  }

  /** Resolves when no count is under way, after a second at the latest. */
  async drain(): Promise<void> {
    const counts = [this.#watching, this.#counting].filter((count) => count !== null);
    if (counts.length === 0) return;
    await withTimeout(
      () => Promise.all(counts),
      LONGEST_WAIT,
      () => [],
    );
  }

  get #isStale(): boolean {
    return Math.abs(this.#clock.now() - (this.#countedAt ?? 0)) >= MAX_AGE;
  }

  async #countNewest(): Promise<void> {
    try {
      this.#warnOfUnknown(await this.#backend.countByKey(this.#clock.now(), NEWEST));
    } catch {
      // The request that meets a failing storage reports it.
    }
  }

  async #count(): Promise<void> {
    try {
      this.#byKey = await this.#backend.countByKey(this.#clock.now());
      this.#warnOfUnknown(this.#byKey);
    } catch {
      // No sign of an outage: counting a large table may just take too long.
    }
    this.#countedAt = this.#clock.now();
  }

  #warnOfUnknown(counts: ReadonlyMap<string, number>): void {
    const found = this.#unknownAmong(counts).filter((keyId) => !this.#warnedOf.has(keyId));
    if (found.length === 0) return;
    for (const keyId of found) this.#warnedOf.add(keyId);
    this.#logger.warn(
      `Live sessions are sealed by the key ${found.join(', ')}, which \`key\` does not contain; this app seals with ` +
        `${this.#ring.keyIds[0]}. If another app has its sessions in the same table, give one of them a \`tableName\` of its ` +
        'own. If a key was removed, append it to `key` again, until the longest `absoluteTtl` is over',
    );
  }

  #unknownAmong(counts: ReadonlyMap<string, number>): readonly string[] {
    return [...counts.keys()].filter((keyId) => !this.#ring.keyIds.includes(keyId));
  }
}

/**
 * Milliseconds before the sessions are counted again: a count reads the whole table, and health checks come every few
 * seconds.
 */
const MAX_AGE = 60_000;

/** Milliseconds that a closing app waits for a count under way. */
const LONGEST_WAIT = 1_000;

/**
 * Rows that are counted when the app starts: few, because each replica counts, and enough to find another app's
 * sessions.
 */
const NEWEST = 500;
