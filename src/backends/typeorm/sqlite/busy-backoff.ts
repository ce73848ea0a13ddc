import type { SqliteFailure } from './sqlite-failure.js';
import { performance } from '../../../core/timers.js';

/**
 * What the writes of a connection know of a lock that another process holds. While they wait, one of them asks for
 * it now and then, and SQLite waits a little for each answer; if all of them asked, reads would have to queue for
 * all those answers.
 */
export class BusyBackoff {
  #failure: SqliteFailure | null = null;
  #until = 0;
  #pause = FIRST;

  /** @throws SqliteFailure: it is too early to ask again */
  check(): void {
    if (this.#failure && this.left > 0) throw this.#failure;
  }

  /** Somebody asked, in vain. */
  failed(failure: SqliteFailure): void {
    if (failure === this.#failure) return;
    this.#failure = failure;
    this.#until = performance.now() + this.#pause * (0.5 + Math.random());
    this.#pause = Math.min(2 * this.#pause, LONGEST);
  }

  succeeded(): void {
    this.#failure = null;
    this.#pause = FIRST;
  }

  /** Milliseconds until it is worth asking again. */
  get left(): number {
    return this.#failure ? Math.max(0, this.#until - performance.now()) : 0;
  }
}

/** Milliseconds between two attempts, doubling, give or take half. */
const FIRST = 2;
const LONGEST = 64;
