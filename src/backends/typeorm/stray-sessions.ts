import { clearTimeout, performance, setProcessTimeout } from '../../core/timers.js';

/** Milliseconds for which a session is looked for: longer than servers go on with a COMMIT whose answer nobody waits for. */
const PATIENCE = 60_000;

/** Milliseconds between two looks, first and at most. */
const [FIRST_PAUSE, LONGEST_PAUSE] = [1_000, 16_000];

/** Sessions that one look is for, and that are kept in mind, at most. */
const [LARGEST_LOOK, MOST] = [500, 10_000];

/**
 * Sessions whose insert has failed, and which the server may have stored all the same: nobody has their tokens, and they would count
 * towards the limits of their users. They are deleted, if they come, within a minute.
 */
export class StraySessions {
  readonly #delete: (ids: readonly string[]) => Promise<ReadonlyArray<{ readonly id: string }>>;
  /** Until when each is looked for, by `performance.now()`. */
  readonly #until = new Map<string, number>();
  #pause = FIRST_PAUSE;
  #timer: NodeJS.Timeout | null = null;
  #isClosed = false;

  /** @param deleteRows deletes rows by their ids; resolves to those that were there */
  constructor(deleteRows: (ids: readonly string[]) => Promise<ReadonlyArray<{ readonly id: string }>>) {
    this.#delete = deleteRows;
  }

  note(id: string): void {
    if (this.#isClosed || this.#until.size >= MOST) return;
    this.#until.set(id, performance.now() + PATIENCE);
    this.#pause = FIRST_PAUSE;
    this.#lookLater();
  }

  /** Looks for none any more: a pool that has been closed would be opened again for it. */
  close(): void {
    this.#isClosed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  #lookLater(): void {
    if (this.#until.size > 0 && !this.#isClosed)
      this.#timer ??= setProcessTimeout(() => void this.#look(), this.#pause);
  }

  async #look(): Promise<void> {
    const looked = [...this.#until].slice(0, LARGEST_LOOK);
    for (const [id] of looked) this.#until.delete(id);
    const ended = await this.#delete(looked.map(([id]) => id)).catch(() => []);
    const gone = new Set(ended.map(({ id }) => id));
    const now = performance.now();
    for (const [id, until] of looked) if (!gone.has(id) && now < until) this.#until.set(id, until);
    this.#timer = null;
    this.#pause = Math.min(2 * this.#pause, LONGEST_PAUSE);
    this.#lookLater();
  }
}
