import type { Clock } from './clock.js';
import type { BackendClient } from './backend-client.js';
import type { KeyRing } from './key-ring.js';
import type { SessionLogger } from './session-logger.js';
import { withTimeout } from './timeout.js';

/**
 * The keys that stored sessions are sealed by, for health checks and for a warning about keys that are not configured. Asks
 * storage at most once a minute, however often it is asked, and answers with the last answer meanwhile: only the first one is
 * awaited. Each unknown key is logged once.
 */
export class KeysInUse {
  readonly #backend: BackendClient;
  readonly #clock: Clock;
  readonly #ring: KeyRing;
  readonly #logger: SessionLogger;
  #ids: readonly string[] = [];
  /** Whether storage has been asked, with or without success. */
  #isKnown = false;
  #askedAt: number | null = null;
  #asking: Promise<void> | null = null;
  readonly #warnedOf = new Set<string>();

  constructor(backend: BackendClient, clock: Clock, ring: KeyRing, logger: SessionLogger) {
    this.#backend = backend;
    this.#clock = clock;
    this.#ring = ring;
    this.#logger = logger;
  }

  /** Ids of the keys, sorted. Never rejects: when storage does not answer, they are those of its last answer. */
  async ids(): Promise<readonly string[]> {
    if (this.#isStale) {
      this.#askedAt = this.#clock.now();
      this.#ask();
    }
    if (!this.#isKnown) await this.#asking;
    return this.#ids;
  }

  /** Those of the last answer that are not configured. */
  get unknown(): readonly string[] {
    return this.#ids.filter((keyId) => !this.#ring.keyIds.includes(keyId));
  }

  /** Logs a warning, in the background, if another app seals sessions in the same table. The next check of health asks again. */
  watch(): void {
    this.#ask();
  }

  /** Resolves when storage is not being asked, after a second at the latest. */
  async drain(): Promise<void> {
    const asking = this.#asking;
    if (asking === null) return;
    await withTimeout(
      () => asking,
      LONGEST_WAIT,
      () => undefined,
    );
  }

  get #isStale(): boolean {
    return this.#askedAt === null || Math.abs(this.#clock.now() - this.#askedAt) >= MAX_AGE;
  }

  #ask(): void {
    this.#asking ??= this.#look().finally(() => (this.#asking = null));
  }

  async #look(): Promise<void> {
    try {
      this.#ids = [...(await this.#backend.keysInUse(this.#clock.now()))].toSorted();
      this.#warnOfUnknown();
    } catch {
      // The request that meets a failing storage reports it.
    }
    this.#isKnown = true;
  }

  #warnOfUnknown(): void {
    const found = this.unknown.filter((keyId) => !this.#warnedOf.has(keyId));
    if (found.length === 0) return;
    for (const keyId of found) this.#warnedOf.add(keyId);
    this.#logger.warn(
      `Sessions are sealed by the key ${found.join(', ')}, which \`key\` does not contain; this app seals with ` +
        `${this.#ring.keyIds[0]}. If another app has its sessions in the same place, give one of them a \`tableName\` of its ` +
        'own, on Redis a `prefix`. If a key was removed, append it to `key` again, until the longest `absoluteTtl` is over',
    );
  }
}

/** Milliseconds before storage is asked again: health checks come every few seconds. */
const MAX_AGE = 60_000;

/** Milliseconds that a closing app waits for an answer. */
const LONGEST_WAIT = 1_000;
