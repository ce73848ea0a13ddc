/** Told when a promise is rejected, whether or not anybody waits for it. */
export interface RejectionWatch {
  /** @param source what the promise was made of */
  noteRejected(promise: StepPromise<unknown>, source: Promise<unknown>, error: unknown): void;
}

/**
 * A promise that knows whether anybody waits for it, so that a failure which nobody would see can be told otherwise.
 * Not to wait for it is no unhandled rejection, nor for what `then`, `catch` and `finally` make of it.
 */
export class StepPromise<T> extends Promise<T> {
  /** What `then` makes inside of itself is a plain promise, so that each of ours is made by `of`. */
  static override get [Symbol.species](): PromiseConstructor {
    return Promise;
  }

  /** `null`: whatever `new` has made is as any promise. */
  #watch: RejectionWatch | null = null;
  #isTaken = false;

  /** @param watch also told of what is derived from the promise */
  static of<R>(source: Promise<R>, watch: RejectionWatch): StepPromise<R> {
    const promise: StepPromise<R> = new StepPromise<R>((resolve, reject) => {
      // `resolve` as it is, and one reaction: stack traces of the manager follow only those.
      source.then(resolve, (error: unknown) => {
        reject(error);
        promise.#settled(source, error);
      });
    });
    promise.#watch = watch;
    return promise;
  }

  /** Whether anybody has asked how it ends. `await` does so in the next microtask. */
  get isTaken(): boolean {
    return this.#isTaken;
  }

  // oxlint-disable-next-line unicorn/no-thenable -- it is a promise
  override then<R = T, E = never>(
    onFulfilled?: ((value: T) => R | PromiseLike<R>) | null,
    onRejected?: ((reason: unknown) => E | PromiseLike<E>) | null,
  ): Promise<R | E> {
    this.#isTaken = true;
    const next = super.then(onFulfilled, onRejected);
    return this.#watch === null ? next : StepPromise.of(next, this.#watch);
  }

  #settled(source: Promise<unknown>, error: unknown): void {
    if (!this.#isTaken) super.then(undefined, () => undefined);
    this.#watch?.noteRejected(this, source, error);
  }
}
