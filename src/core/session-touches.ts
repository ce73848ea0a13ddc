import type { Clock } from './clock.js';
import type { BackendClient } from './backend-client.js';
import type { Touch } from './session-backend.js';
import { idleExpiry } from './session-expiry.js';
import type { SessionLogger } from './session-logger.js';
import type { EpochMs, SessionRow } from './session-row.js';
import { clearTimeout, setProcessTimeout } from './timers.js';

/*
 * Recording that sessions were used (touches): when a touch is written, and with which others.
 */

/** Milliseconds that touches wait, so that many share a round trip. */
const WRITE_BEHIND = 100;
/** Touches that wait at most: as soon as there are so many, they are written. */
const LARGEST_BATCH = 500;
/**
 * Milliseconds: a session that expires within them is touched at once, so that it does not expire while its touch
 * waits.
 */
const URGENT = 2_000;

type Use = Pick<Touch, 'id' | 'lastActiveAt' | 'expiresAt'>;

/**
 * Records that sessions were used, after the responses have been sent: at most once per session and `touchInterval`, however
 * many requests use the session at the same time, here or on other replicas. A touch that fails is logged, and the request
 * succeeds; a session that has ended is not revived.
 */
export class SessionTouches {
  readonly #backend: BackendClient;
  readonly #clock: Clock;
  /** Milliseconds. */
  readonly #touchInterval: number;
  readonly #logger: SessionLogger;
  /** Milliseconds that a touch may wait for others. */
  readonly #writeBehind: number;
  #waiting = new Map<string, Use>();
  readonly #underWay = new Map<Promise<void>, ReadonlyMap<string, Use>>();
  #timer: NodeJS.Timeout | undefined;

  constructor(
    backend: BackendClient,
    clock: Clock,
    touchInterval: number,
    logger: SessionLogger,
    writeBehind = WRITE_BEHIND,
  ) {
    this.#backend = backend;
    this.#clock = clock;
    this.#touchInterval = touchInterval;
    this.#logger = logger;
    this.#writeBehind = writeBehind;
  }

  /** The session was used just now. Returns at once. */
  record(row: SessionRow): void {
    if (this.#isRecorded(row.id)) return;
    const now = this.#clock.now();
    this.#waiting.set(row.id, { id: row.id, lastActiveAt: now, expiresAt: idleExpiry(row, now) });
    if (row.expiresAt - now < URGENT || this.#waiting.size >= LARGEST_BATCH) this.#write();
    else this.#timer ??= setProcessTimeout(() => this.#write(), this.#writeBehind);
  }

  /** Writes what waits, and resolves when nothing is under way any more. */
  async drain(): Promise<void> {
    while (this.#waiting.size + this.#underWay.size > 0) {
      this.#write();
      await Promise.all(this.#underWay.keys());
    }
  }

  #isRecorded(id: string): boolean {
    if (this.#waiting.has(id)) return true;
    for (const uses of this.#underWay.values()) if (uses.has(id)) return true;
    return false;
  }

  #write(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const uses = this.#waiting;
    if (uses.size === 0) return;
    this.#waiting = new Map();
    const written = this.#send([...uses.values()]).finally(() => this.#underWay.delete(written));
    this.#underWay.set(written, uses);
  }

  async #send(uses: readonly Use[]): Promise<void> {
    const now: EpochMs = this.#clock.now();
    // In one order everywhere, so that two replicas that touch the same rows do not wait for each other in a circle.
    const touches = uses
      .toSorted((a, b) => (a.id < b.id ? -1 : 1))
      .map((use) => ({ ...use, now, unlessActiveAfter: use.lastActiveAt - this.#touchInterval }));
    try {
      await this.#backend.touch(touches);
    } catch (error) {
      const what = uses.length === 1 ? 'a session' : `${uses.length} sessions`;
      this.#logger.warn(`The use of ${what} was not recorded: ${String(error)}`);
    }
  }
}
