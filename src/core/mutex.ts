import { withTimeout } from './timeout.js';
import { clearTimeout, setTimeout } from './timers.js';

/*
 * Queues that run tasks one at a time.
 */

/** How long one task may wait for its turn, and keep it. Without limits, for as long as it takes. */
export interface TurnLimits {
  /** Milliseconds to wait for the turn. A task whose turn comes later is never run, and `run` rejects. */
  readonly maxWait?: number;
  /** Makes the error that `run` rejects with after `maxWait`. */
  readonly tooLate?: () => Error;
  /**
   * Milliseconds to keep the turn, from the call of `run` if nothing is in the way. After that the next task begins,
   * although this one goes on.
   */
  readonly maxHold?: number;
}

/**
 * Runs tasks one at a time, in the order of the calls.
 *
 * - A task never begins inside the call of `run`: if nothing is in its way, it begins in the next microtask.
 * - A task that fails is no obstacle to those behind it. Its error goes to its own caller and to nobody else.
 * - A task that gives up waiting leaves the queue, and those behind it still wait for those before it.
 * - A task that hangs holds up those behind it: until its `maxHold`, or until their own `maxWait`, or for ever.
 *   Where both are equal, the hold that began first ends first, so that the next task runs.
 * - Not re-entrant: a task that awaits `run` of the same mutex waits for itself. `maxWait` turns that into an error.
 */
export class Mutex {
  /** Resolves, and never rejects, when all turns that were asked for so far are over. */
  #turns: Promise<void> = Promise.resolve();
  #unfinished = 0;
  readonly #onIdle: () => void;

  /** @param onIdle called whenever the last turn is over, and no task waits for one */
  constructor(onIdle: () => void = () => undefined) {
    this.#onIdle = onIdle;
  }

  /** Whether a task has the turn or waits for it. Already `false` when the last task's caller gets its result. */
  get isBusy(): boolean {
    return this.#unfinished > 0;
  }

  /** The result of `task`, which begins when every task before it has ended or lost its turn. */
  async run<T>(task: () => Promise<T>, { maxWait, tooLate, maxHold }: TurnLimits = {}): Promise<T> {
    const isFirst = !this.isBusy;
    const before = isFirst ? Promise.resolve() : this.#turns;
    const end = this.#addTurn(before);
    let overdue: NodeJS.Timeout | undefined;
    const begin = (): void => {
      if (maxHold !== undefined) overdue = setTimeout(end, maxHold);
    };
    try {
      if (isFirst) begin(); // before any that comes later begins to wait
      if (isFirst || maxWait === undefined) await before;
      else
        await withTimeout(
          () => before,
          maxWait,
          () => refuse(maxWait, tooLate),
        );
      if (!isFirst) begin();
      return await task();
    } finally {
      clearTimeout(overdue);
      end();
    }
  }

  /** Adds a turn behind all others, and returns the way to end it, which may be called more than once. */
  #addTurn(before: Promise<void>): () => void {
    let next: (() => void) | undefined;
    const turn = new Promise<void>((resolve) => (next = resolve));
    this.#turns = this.isBusy ? before.then(() => turn) : turn;
    this.#unfinished++;
    return () => {
      if (next === undefined) return;
      next();
      next = undefined;
      if (--this.#unfinished === 0) this.#onIdle();
    };
  }
}

function refuse(milliseconds: number, tooLate: TurnLimits['tooLate']): never {
  throw tooLate?.() ?? new Error(`it was not this task's turn within ${milliseconds} ms`);
}

/** One `Mutex` for each key, as long as a task of that key has the turn or waits for it. */
export class KeyedMutex {
  readonly #byKey = new Map<string, Mutex>();

  /** Keys of which a task has the turn or waits for it. */
  get size(): number {
    return this.#byKey.size;
  }

  /** As `Mutex.run`, among the tasks of the same key. */
  run<T>(key: string, task: () => Promise<T>, limits?: TurnLimits): Promise<T> {
    const mutex = this.#byKey.get(key) ?? new Mutex(() => this.#byKey.delete(key));
    this.#byKey.set(key, mutex);
    return mutex.run(task, limits);
  }
}
