import { type Duration, LONGEST_TIMER, parseDuration } from './duration.js';
import type { SessionLogger } from './session-logger.js';
import type { Clock } from './clock.js';
import type { BackendClient } from './backend-client.js';
import { positiveInteger } from './option-checks.js';
import type { SessionEvents } from './session-events.js';
import { performance, sleep } from './timers.js';

/*
 * The clean-up: expired sessions are deleted, in steps.
 */

/** How the last clean-up went. */
export interface CleanupResult {
  /** When it ended. */
  readonly at: Date;
  /** Expired sessions that it deleted. */
  readonly deleted: number;
  /** Why it stopped early, if it did. */
  readonly error?: string;
}

/** Rows that one step of a clean-up looks at. */
export const DEFAULT_BATCH_SIZE = 1000;

/** How many times as long as a step took the clean-up rests after it: requests need the storage more. */
const REST = 9;
/** Milliseconds that it rests after a step at most. */
const LONGEST_REST = 500;

/** Waits for so many milliseconds, or until the signal. */
type Pause = (milliseconds: number, signal: AbortSignal) => Promise<unknown>;

/** Milliseconds to rest after a step that took so many. */
export function restAfter(took: number): number {
  return Math.min(REST * took, LONGEST_REST);
}

/** The clean-up: deletes expired sessions in small steps. Concurrent calls in one process share one run. */
export class SessionPruning {
  readonly #backend: BackendClient;
  readonly #clock: Clock;
  readonly #events: SessionEvents;
  readonly #pause: Pause;
  /** How the last one went; `null` before the first has ended. */
  last: CleanupResult | null = null;
  /** When one last went through; `null` before the first. */
  lastSuccessAt: Date | null = null;
  #running: Promise<number> | null = null;
  readonly #stopping = new AbortController();

  constructor(
    backend: BackendClient,
    clock: Clock,
    events: SessionEvents,
    pause: Pause = pauseUnlessAborted,
  ) {
    this.#backend = backend;
    this.#clock = clock;
    this.#events = events;
    this.#pause = pause;
  }

  /** Resolves to the number of deleted sessions. */
  async run(batchSize: number): Promise<number> {
    const size = positiveInteger('batchSize', batchSize);
    this.#running ??= this.#walk(size).finally(() => (this.#running = null));
    return this.#running;
  }

  /** Ends a run under way after the step that it is at, and resolves then. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running?.catch(() => undefined);
  }

  async #walk(batchSize: number): Promise<number> {
    let deleted = 0;
    try {
      const { signal } = this.#stopping;
      for (let cursor: string | null = null; !this.#backend.expiresNatively;) {
        const begun = performance.now();
        const step = await this.#backend.prune({ now: this.#clock.now(), cursor, batchSize });
        deleted += step.deleted;
        cursor = step.next;
        if (cursor === null || signal.aborted) break;
        await this.#pause(restAfter(performance.now() - begun), signal);
        if (signal.aborted) break;
      }
    } catch (error) {
      this.last = {
        at: new Date(this.#clock.now()),
        deleted,
        error: error instanceof Error ? error.message : String(error),
      };
      throw error;
    }
    const at = new Date(this.#clock.now());
    this.last = { at, deleted };
    this.lastSuccessAt = at;
    this.#events.emit('cleanup', { at, count: deleted });
    return deleted;
  }
}

function pauseUnlessAborted(milliseconds: number, signal: AbortSignal): Promise<unknown> {
  return sleep(milliseconds, signal).catch(() => undefined);
}

/** Something that runs until it is stopped. */
export interface Stoppable {
  stop(): void;
}

/** Runs `work` every `interval`. A failure is logged; the next run comes all the same. Does not keep Node alive. */
export function startTimer(
  interval: Duration,
  work: () => Promise<unknown>,
  logger: SessionLogger,
): Stoppable {
  const timer = setInterval(
    () => void work().catch((error: unknown) => logger.warn(`Session clean-up failed: ${String(error)}`)),
    Math.min(parseDuration('interval', interval), LONGEST_TIMER),
  ).unref();
  return { stop: () => clearInterval(timer) };
}
