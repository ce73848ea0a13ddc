import type { Clock } from './clock.js';
import type { BackendClient } from './backend-client.js';
import type { KeyRing } from './key-ring.js';
import type { SessionLogger } from './session-logger.js';
import { withTimeout } from './timeout.js';

/** Milliseconds that a count stands. It reads the whole table, and health is asked for every few seconds. */
const STANDS = 60_000;

/** Milliseconds that the end of the app waits for a count. */
const PATIENCE = 1_000;

/** Rows that are looked at when the app starts: each replica does, and the sessions of another app are among them. */
const NEWEST = 500;

/**
 * Active sessions by the key that sealed them, as they were at the last count: one a minute at most, however often and
 * by however many it is asked for. Only the first count is waited for. The log hears of a key that is not configured once.
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
  readonly #told = new Set<string>();

  constructor(backend: BackendClient, clock: Clock, ring: KeyRing, logger: SessionLogger) {
    this.#backend = backend;
    this.#clock = clock;
    this.#ring = ring;
    this.#logger = logger;
  }

  /** Numbers by key id. Never rejects: a count that fails leaves what was known. */
  async byKey(): Promise<ReadonlyMap<string, number>> {
    const isFirst = this.#countedAt === null;
    if (isFirst || this.#isStale) this.#counting ??= this.#count().finally(() => (this.#counting = null));
    if (isFirst) await this.#counting;
    return this.#byKey;
  }

  /** Keys of live sessions that are not configured, as of the last count. */
  get unknownKeys(): readonly string[] {
    return this.#unknownAmong(this.#byKey);
  }

  /** Tells the log, in the background, if another app seals sessions in the same table. Reads its newest rows alone. */
  watch(): void {
    this.#watching ??= this.#look().finally(() => (this.#watching = null));
  }

  /** Resolves when nothing runs in the background any more. For a count that hangs nobody waits longer than a second. */
  async settled(): Promise<void> {
    const counts = [this.#watching, this.#counting].filter((count) => count !== null);
    if (counts.length === 0) return;
    await withTimeout(
      () => Promise.all(counts),
      PATIENCE,
      () => [],
    );
  }

  get #isStale(): boolean {
    return Math.abs(this.#clock.now() - (this.#countedAt ?? 0)) >= STANDS;
  }

  async #look(): Promise<void> {
    try {
      this.#tell(await this.#backend.countByKey(this.#clock.now(), NEWEST));
    } catch {
      // Storage that fails is told of by what needs it.
    }
  }

  async #count(): Promise<void> {
    try {
      this.#byKey = await this.#backend.countByKey(this.#clock.now());
      this.#tell(this.#byKey);
    } catch {
      // Whether storage can be reached at all is not told by this: a large table may just take too long.
    }
    this.#countedAt = this.#clock.now();
  }

  #tell(counts: ReadonlyMap<string, number>): void {
    const found = this.#unknownAmong(counts).filter((keyId) => !this.#told.has(keyId));
    if (found.length === 0) return;
    for (const keyId of found) this.#told.add(keyId);
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
