import { clearTimeout, performance, setTimeout } from '../../core/timers.js';

/**
 * How long a call may take, from now. It gives up a little before the timeout, unless a statement of its own is under
 * way just then: that one is waited for, so that what is refused has not been done, as far as time permits.
 */
export class Deadline {
  /** Why the last attempt of the call failed, for the error. */
  lastFailure: Error | null = null;
  /** What the call is at, for the error when there was no failure. */
  stage = 'the first attempt has not ended';
  /** Whether somebody has been told that the time is up. */
  isRefused = false;
  /** Called before somebody is told that the time is up, so that their next call knows why. */
  onRefusal: (() => void) | null = null;
  readonly #timeout: number;
  readonly #softTimeout: number;
  readonly #start: number;
  #executing = 0;

  /**
   * @param timeout milliseconds
   * @param start when the call came, on the clock of `performance.now()`
   */
  constructor(timeout: number, start = performance.now()) {
    this.#timeout = timeout;
    this.#start = start;
    this.#softTimeout = timeout - Math.min(500, timeout / 10);
  }

  /** Milliseconds that are left for beginning something. */
  get left(): number {
    return this.#start + this.#softTimeout - performance.now();
  }

  /**
   * Executes a statement of the call.
   *
   * @throws DeadlineError when the time is up, so that nothing is done for a caller who has been refused
   */
  async execute<T>(statement: () => Promise<T>): Promise<T> {
    this.check();
    const end = this.begin();
    try {
      return await statement();
    } finally {
      end();
    }
  }

  /** Something of the call is under way, until the function that this returns is called. */
  begin(): () => void {
    this.#executing++;
    return () => this.#executing--;
  }

  /** @throws DeadlineError when the time is up */
  check(): void {
    if (this.left <= 0) throw this.error();
  }

  /** The outcome of the work, or a rejection when the time is up. */
  limit<T>(work: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const refuse = () => {
        this.isRefused = true;
        this.onRefusal?.();
        reject(this.error());
      };
      let timer = setTimeout(() => {
        if (this.#executing > 0) timer = setTimeout(refuse, this.#timeout - this.#softTimeout);
        else refuse();
      }, this.left);
      work.then(resolve, reject).finally(() => clearTimeout(timer));
    });
  }

  error(): DeadlineError {
    const cause = this.lastFailure;
    const reason = cause ? `the last attempt failed with ${cause.message}` : this.stage;
    return new DeadlineError(`no success within ${Math.round(this.#softTimeout)} ms; ${reason}`, { cause });
  }
}

/** A call whose time is up. */
export class DeadlineError extends Error {
  override readonly name = 'DeadlineError';
}
