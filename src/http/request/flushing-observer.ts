import type { Observer, Subscriber } from 'rxjs';
import type { SessionExchange } from './session-exchange.js';

/** Why the session could not be saved, or the handler failed, as it is to leave. */
type Failing = (error: unknown) => Promise<unknown>;

/**
 * Passes on what a handler emits, each value when what has changed in the session is saved. Where nothing has, which
 * a glance tells, it goes on at once: operators and promises for it would cost more than the glance.
 */
export class FlushingObserver implements Observer<unknown> {
  /** Resolves when what came before has gone on. `null`: nothing waits. */
  #waiting: Promise<void> | null = null;

  constructor(
    private readonly exchange: SessionExchange,
    private readonly subscriber: Subscriber<unknown>,
    private readonly failing: Failing,
  ) {}

  next(value: unknown): void {
    if (this.#waiting === null && this.exchange.isUnchanged) this.subscriber.next(value);
    else this.#later(() => this.subscriber.next(value));
  }

  complete(): void {
    if (this.#waiting === null && this.exchange.isUnchanged) this.subscriber.complete();
    else this.#later(() => this.subscriber.complete());
  }

  error(error: unknown): void {
    this.#waiting = (this.#waiting ?? Promise.resolve()).then(() => this.#fail(error));
  }

  #later(step: () => void): void {
    this.#waiting = (this.#waiting ?? Promise.resolve())
      .then(async () => {
        if (this.subscriber.closed) return;
        if (!this.exchange.isUnchanged) await this.exchange.flush();
        step();
      })
      .catch((error: unknown) => this.#fail(error));
  }

  async #fail(error: unknown): Promise<void> {
    if (!this.subscriber.closed) this.subscriber.error(await this.failing(error));
  }
}
