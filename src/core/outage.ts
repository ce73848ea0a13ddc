import type { SessionLogger } from './session-logger.js';
import { performance } from './timers.js';

/*
 * Log lines about storage that fails, and that works again.
 */

/** What a call to storage does. A locked file, or a read-only replica, fails writes and no reads. */
export type CallKind = 'read' | 'write';

/** Logs when storage begins to fail and when it works again, once each, however many calls fail in between. */
export class Outage {
  readonly #logger: SessionLogger;
  /** When calls of that kind began to fail, on the clock of `performance.now()`. */
  readonly #since = new Map<CallKind, number>();

  constructor(logger: SessionLogger) {
    this.#logger = logger;
  }

  failed(kind: CallKind, message: string): void {
    const isKnown = this.#since.has('read') || this.#since.has(kind);
    if (!this.#since.has(kind)) this.#since.set(kind, performance.now());
    if (isKnown) return;
    this.#logger.error(
      `Session storage fails: ${message.replace(/\.$/, '')}. Requests with a session get 503 until it works again`,
    );
  }

  /** A write that succeeds shows that reads do too. */
  succeeded(kind: CallKind): void {
    if (this.#since.size === 0) return;
    const began = Math.min(...this.#since.values());
    if (kind === 'write') this.#since.clear();
    else this.#since.delete('read');
    if (this.#since.size > 0) return;
    this.#logger.warn(
      `Session storage works again, after ${Math.round((performance.now() - began) / 1000)} s`,
    );
  }
}
