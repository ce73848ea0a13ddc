import { clearTimeout, setImmediate, setTimeout } from '../../core/timers.js';

/** What is saved for the resolvers of a request. */
interface SavedTogether {
  readonly state: { readonly status: 'clean' | 'changed' | 'busy' };
  flush(): Promise<void>;
}

/**
 * Milliseconds for which a save waits at most for resolvers that still run. One that runs longer is saved for apart. It has an
 * end, because a resolver may wait for an operation that it executes itself, for the same request.
 */
const MAX_WAIT = 1000;

/**
 * The resolvers of one GraphQL request share its session, and those that run side by side share one save: what has changed is
 * saved when the last of them has ended, and their values are passed on after that. A save that fails is the error of each
 * that had begun and has not been answered, since any of them may have made the change.
 */
export class FieldSaves {
  readonly #session: SavedTogether;
  /** Resolvers that run. */
  readonly #running = new Set<FieldRun>();
  /** Resolvers that have begun, and whose value or error has not been passed on. */
  readonly #unanswered = new Set<FieldRun>();
  #save: Promise<void> | null = null;
  #onQuiet: (() => void) | null = null;

  constructor(session: SavedTogether) {
    this.#session = session;
  }

  /** A resolver is called. */
  begin(): FieldRun {
    const run = new FieldRun();
    this.#running.add(run);
    this.#unanswered.add(run);
    return run;
  }

  /**
   * The resolver has ended: `null` when it can be answered at once, otherwise a promise of its changes being saved.
   *
   * @throws what the save throws
   */
  end(run: FieldRun): Promise<void> | null {
    this.#leave(run);
    if (this.#session.state.status !== 'clean') return this.#saved(run);
    this.#unanswered.delete(run);
    return run.failure === null ? null : Promise.reject(run.failure.error);
  }

  /** Nobody waits for the resolver any more. */
  abandon(run: FieldRun): void {
    this.#leave(run);
    this.#unanswered.delete(run);
  }

  #leave(run: FieldRun): void {
    if (this.#running.delete(run) && this.#running.size === 0) this.#onQuiet?.();
  }

  async #saved(run: FieldRun): Promise<void> {
    try {
      this.#save ??= this.#saveAll();
      await this.#save.catch(() => undefined);
      if (run.failure !== null) throw run.failure.error;
    } finally {
      this.#unanswered.delete(run);
    }
  }

  async #saveAll(): Promise<void> {
    await this.#quiet();
    this.#save = null; // who ends from now on may have changed something that this save has not seen
    try {
      await this.#session.flush();
    } catch (error) {
      for (const run of this.#unanswered) run.failure ??= { error };
    }
  }

  /** Resolves when no resolver runs: neither one of this operation, nor of others of the same batch, which begin a bit later. */
  async #quiet(): Promise<void> {
    await new Promise<void>((resolve) => setImmediate(resolve));
    if (this.#running.size === 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, MAX_WAIT);
      this.#onQuiet = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#onQuiet = null;
  }
}

/** One call of a resolver. */
export class FieldRun {
  /** Why it fails although it did not: its changes were not saved. */
  failure: { readonly error: unknown } | null = null;
}
