import { Logger, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import type { ModuleRef } from '@nestjs/core';
import { Cron, SchedulerRegistry } from '@nestjs/schedule';
import { CronJob } from 'cron';
import type { CleanupResult } from '../core/session-pruning.js';
import type { SessionStore } from '../core/session-store.js';
import { type CleanupOptions, cronTurn } from './cleanup-options.js';

/*
 * The scheduled clean-up of an app.
 */

/** Name of the job in the app's `SchedulerRegistry`. */
export const CLEANUP_JOB = 'session-cleanup';

/** A clean-up is overdue when this many of its turns have gone without success, and the next is due. */
const MISSED_TURNS = 2;

/**
 * Deletes expired sessions on a schedule, as the `cleanup` option says. Where several processes do so in one storage, one
 * of them cleans up at each turn, and the others rest. In an app with `ScheduleModule` it is one of its
 * jobs, `session-cleanup`; without, it keeps a timer of its own, which does not keep the process alive. Inject it to look
 * at it, or to run it by hand.
 *
 * @example
 * ```ts
 * export class AdminService {
 *   constructor(private readonly cleanup: SessionCleanup) {}
 *
 *   async cleanNow(): Promise<number> {
 *     await this.cleanup.run();
 *     return this.cleanup.last?.deleted ?? 0;
 *   }
 * }
 * ```
 */
export class SessionCleanup implements OnApplicationBootstrap, OnApplicationShutdown {
  readonly #store: SessionStore;
  readonly #options: Required<CleanupOptions> | false;
  readonly #modules: Pick<ModuleRef, 'get'>;
  readonly #logger = new Logger('SessionCleanup');
  readonly #startedAt: number;
  #ownJob: CronJob | null = null;
  /** When the next success is due, and since when it is. Kept, because finding turns takes milliseconds. */
  #due: { readonly since: number; readonly at: number } | null = null;

  constructor(
    store: SessionStore,
    options: Required<CleanupOptions> | false,
    modules: Pick<ModuleRef, 'get'>,
  ) {
    this.#store = store;
    this.#options = options;
    this.#modules = modules;
    this.#startedAt = store.parts.clock.now();
    if (options) this.#declareJob(options.cron);
  }

  /** How the last turn of this process went, or its last clean-up by hand; `null` before the first has ended. */
  get last(): CleanupResult | null {
    return this.#store.parts.pruning.last;
  }

  /**
   * Whether the schedule has been missed: two turns went without success, and the next is due. Never where no clean-up is
   * scheduled, as with `cleanup: false`, or `ScheduleModule.forRoot({ cronJobs: false })`.
   */
  get isOverdue(): boolean {
    if (!this.#options || !this.#isScheduled()) return false;
    const { pruning, clock } = this.#store.parts;
    const since = pruning.lastSuccessAt?.getTime() ?? this.#startedAt;
    if (this.#due?.since !== since) {
      this.#due = { since, at: cronTurn(this.#options.cron, since, MISSED_TURNS + 1) };
    }
    return clock.now() >= this.#due.at;
  }

  /** Cleans up now, whatever other processes do. A failure is logged and swallowed: the next turn tries again. */
  async run(): Promise<void> {
    const batchSize = this.#options ? this.#options.batchSize : undefined;
    await this.#logFailure(this.#store.cleanupExpired(batchSize));
  }

  /** @internal Cleans up because the schedule says so, unless another process does. A failure is logged and swallowed. */
  async takeTurn(): Promise<void> {
    if (!this.#options) return;
    const { cron, batchSize } = this.#options;
    const now = Date.now(); // what the schedule goes by, whatever clock sessions have
    const untilNext = cronTurn(cron, now, 1) - now;
    await this.#logFailure(this.#store.parts.pruning.takeTurn(batchSize, untilNext));
  }

  onApplicationBootstrap(): void {
    if (!this.#options || this.#scheduler()) return;
    this.#ownJob = CronJob.from({
      cronTime: this.#options.cron,
      onTick: () => this.takeTurn(),
      start: true,
      unrefTimeout: true,
    });
  }

  onApplicationShutdown(): void {
    void this.#ownJob?.stop();
  }

  async #logFailure(cleanup: Promise<unknown>): Promise<void> {
    await cleanup.catch((error: unknown) =>
      this.#logger.warn(`Expired sessions were not deleted: ${String(error)}`),
    );
  }

  /** As `@Cron()` on `takeTurn` would, with the expression that this instance was given. */
  #declareJob(cron: string): void {
    const takeTurn = (): Promise<void> => SessionCleanup.prototype.takeTurn.call(this);
    Cron(cron, { name: CLEANUP_JOB })(this, 'takeTurn', { value: takeTurn });
    Object.defineProperty(this, 'takeTurn', { value: takeTurn });
  }

  #isScheduled(): boolean {
    return this.#ownJob !== null || Boolean(this.#scheduler()?.doesExist('cron', CLEANUP_JOB));
  }

  /** The app's, if it imports `ScheduleModule`. */
  #scheduler(): SchedulerRegistry | null {
    try {
      return this.#modules.get(SchedulerRegistry, { strict: false });
    } catch {
      return null;
    }
  }
}
