import { randomBytes } from 'node:crypto';
import { leaseFor, longestDelay } from './cleanup-lease.js';
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
  /** `true`: this process rested, because the clean-up of its turn was another one's. That counts as success. */
  readonly rested?: true;
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

/**
 * The clean-up: deletes expired sessions in small steps. Concurrent calls in one process share one run. Of several
 * processes whose turn comes, one cleans up, by a lease that storage keeps.
 */
export class SessionPruning {
  readonly #backend: BackendClient;
  readonly #clock: Clock;
  readonly #events: SessionEvents;
  readonly #pause: Pause;
  /** How the last one went; `null` before the first has ended. */
  last: CleanupResult | null = null;
  /** When one last went through, here or in the process that has the lease; `null` before the first. */
  lastSuccessAt: Date | null = null;
  #running: Promise<number> | null = null;
  #turn: Promise<number | null> | null = null;
  readonly #stopping = new AbortController();
  readonly #holder = randomBytes(12).toString('base64url');

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

  /** Cleans up because somebody asks for it, whoever has the lease. Resolves to the number of deleted sessions. */
  async run(batchSize: number): Promise<number> {
    const size = positiveInteger('batchSize', batchSize);
    this.#running ??= this.#walk(size, null).finally(() => (this.#running = null));
    return this.#running;
  }

  /**
   * Cleans up because it is this process's turn, unless another one has the lease.
   *
   * @param untilNext milliseconds until its next turn
   * @returns the number of deleted sessions; `null` when it has rested
   */
  takeTurn(batchSize: number, untilNext: number): Promise<number | null> {
    this.#turn ??= this.#begin(batchSize, untilNext).finally(() => (this.#turn = null));
    return this.#turn;
  }

  /** Ends a run under way after the step that it is at, and resolves then. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.allSettled([this.#running, this.#turn]);
  }

  async #begin(batchSize: number, untilNext: number): Promise<number | null> {
    const { signal } = this.#stopping;
    if (this.#backend.expiresNatively) return this.run(batchSize); // there is nothing to walk over
    if (!this.#backend.leasesCleanup) {
      await waitInBackground(Math.random() * longestDelay(untilNext), signal);
      return signal.aborted ? null : this.run(batchSize);
    }
    const size = positiveInteger('batchSize', batchSize);
    const lease = leaseFor(untilNext);
    if (!(await this.#claim(lease).catch((error: unknown) => this.#failed(error, 0)))) {
      this.#succeeded({ deleted: 0, rested: true });
      return null;
    }
    this.#running ??= this.#walk(size, lease).finally(() => (this.#running = null));
    return this.#running;
  }

  /** @param lease milliseconds for which the walk has the lease from now on; `null`: it needs none */
  async #walk(batchSize: number, lease: number | null): Promise<number> {
    const { signal } = this.#stopping;
    let deleted = 0;
    let isDone = false;
    try {
      let renewAt = this.#clock.now() + (lease ?? Infinity) / 2;
      for (let cursor: string | null = null; !this.#backend.expiresNatively;) {
        const begun = performance.now();
        const now = this.#clock.now();
        if (lease !== null && now >= renewAt) {
          if (!(await this.#claim(lease))) break; // it had ended, and another one goes on
          renewAt = now + lease / 2;
        }
        const step = await this.#backend.prune({ now, cursor, batchSize });
        deleted += step.deleted;
        cursor = step.next;
        isDone = cursor === null;
        if (isDone || signal.aborted) break;
        await this.#pause(restAfter(performance.now() - begun), signal);
        if (signal.aborted) break;
      }
    } catch (error) {
      this.#failed(error, deleted);
    } finally {
      // For whoever's turn comes next, rather than when the lease ends.
      if (lease !== null && !isDone) await this.#claim(0).catch(() => false);
    }
    const { at } = this.#succeeded({ deleted });
    this.#events.emit('cleanup', { at, count: deleted });
    return deleted;
  }

  /** @param lease milliseconds from now until it ends; 0: gives it back */
  #claim(lease: number): Promise<boolean> {
    const now = this.#clock.now();
    return this.#backend.claimCleanup({ holder: this.#holder, now, until: now + lease });
  }

  #succeeded(result: Omit<CleanupResult, 'at'>): CleanupResult {
    const at = new Date(this.#clock.now());
    this.last = { at, ...result };
    this.lastSuccessAt = at;
    return this.last;
  }

  #failed(error: unknown, deleted: number): never {
    this.last = {
      at: new Date(this.#clock.now()),
      deleted,
      error: error instanceof Error ? error.message : String(error),
    };
    throw error;
  }
}

/** The process may end meanwhile: nothing has begun. */
function waitInBackground(milliseconds: number, signal: AbortSignal): Promise<unknown> {
  return sleep(milliseconds, signal, false).catch(() => undefined);
}

function pauseUnlessAborted(milliseconds: number, signal: AbortSignal): Promise<unknown> {
  return sleep(milliseconds, signal).catch(() => undefined);
}

/** Something that runs until it is stopped. */
export interface Stoppable {
  stop(): void;
}

/**
 * Runs `work` every `interval`, which it is given in milliseconds. A failure is logged; the next run comes all the same.
 * Does not keep Node alive.
 */
export function startTimer(
  interval: Duration,
  work: (interval: number) => Promise<unknown>,
  logger: SessionLogger,
): Stoppable {
  const every = Math.min(parseDuration('interval', interval), LONGEST_TIMER);
  const timer = setInterval(
    () =>
      void work(every).catch((error: unknown) => logger.warn(`Session clean-up failed: ${String(error)}`)),
    every,
  ).unref();
  return { stop: () => clearInterval(timer) };
}
