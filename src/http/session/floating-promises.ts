import { nextTick } from '../../core/timers.js';

/**
 * The promises that the methods of a session have returned, some of which nobody awaits (floating promises). The response
 * waits for all of them, and fails when one that nobody handles is rejected.
 */
export class FloatingPromises {
  readonly #report: (error: unknown) => void;
  readonly #underWay = new Set<Promise<unknown>>();
  /** Rejections from before the response began, which may make it fail. */
  #rejected: { readonly promise: WatchedPromise<unknown>; readonly error: unknown }[] = [];
  readonly #canFailResponse: () => boolean;

  /**
   * @param report called with each rejection that nobody handles, when the response cannot fail by it any more
   * @param canFailResponse whether it can: it has not begun, and its client is there
   */
  constructor(report: (error: unknown) => void, canFailResponse: () => boolean) {
    this.#report = report;
    this.#canFailResponse = canFailResponse;
  }

  /** Whether one is under way, or was rejected and may be unhandled. */
  get arePending(): boolean {
    return this.#underWay.size > 0 || this.#rejected.length > 0;
  }

  /**
   * Starts a method of the session and returns its promise.
   *
   * @param step calls `done` when it has succeeded, which is noticed before its promise resolves
   */
  start<R>(step: (done: () => void) => Promise<R>): Promise<R> {
    const running: Promise<R> = step(() => this.#underWay.delete(running));
    this.#underWay.add(running);
    return WatchedPromise.of(running, (promise, source, error) => this.#noteRejected(promise, source, error));
  }

  /** Waits for those that are under way. Resolves to the rejections that nobody has handled, in the order in which they came. */
  async allSettled(): Promise<unknown[]> {
    await Promise.allSettled(this.#underWay);
    // Promises derived from a rejected one (`then`, `finally`) are rejected in the microtasks that follow.
    if (this.#rejected.length > 0) await new Promise<void>((resolve) => nextTick(resolve));
    return this.takeUnhandled();
  }

  /** The rejections so far that nobody has handled. Each is returned once. */
  takeUnhandled(): unknown[] {
    const rejected = this.#rejected;
    this.#rejected = [];
    return rejected.filter(({ promise }) => !promise.isHandled).map(({ error }) => error);
  }

  #noteRejected(promise: WatchedPromise<unknown>, source: Promise<unknown>, error: unknown): void {
    this.#underWay.delete(source);
    if (this.#canFailResponse()) this.#rejected.push({ promise, error });
    // As long as Node gives before it calls a rejection unhandled.
    else nextTick(() => promise.isHandled || this.#report(error));
  }
}

/** @param source the promise that `of` was given */
type OnRejected = (promise: WatchedPromise<unknown>, source: Promise<unknown>, error: unknown) => void;

/**
 * A promise that knows whether anybody has called `then` on it, so that rejections which nobody handles can be reported in
 * another way. They are no unhandled rejections of the process, nor are those of the promises that `then`, `catch` and
 * `finally` derive from it.
 */
class WatchedPromise<T> extends Promise<T> {
  /** `super.then` makes a plain promise, which `then` wraps: so each of ours is made by `of`. */
  static override get [Symbol.species](): PromiseConstructor {
    return Promise;
  }

  /** `null`, if it was not made by `of`: nobody is called then. */
  #onRejected: OnRejected | null = null;
  #isHandled = false;

  /** @param onRejected called when the promise, or one that is derived from it, is rejected */
  static of<R>(source: Promise<R>, onRejected: OnRejected): WatchedPromise<R> {
    const promise: WatchedPromise<R> = new WatchedPromise<R>((resolve, reject) => {
      // `resolve` as it is, and one reaction: stack traces of async functions follow only those.
      source.then(resolve, (error: unknown) => {
        reject(error);
        promise.#rejected(source, error);
      });
    });
    promise.#onRejected = onRejected;
    return promise;
  }

  /** Whether anybody has called `then`. `await` does so in the next microtask. */
  get isHandled(): boolean {
    return this.#isHandled;
  }

  // oxlint-disable-next-line unicorn/no-thenable -- it is a promise
  override then<R = T, E = never>(
    onFulfilled?: ((value: T) => R | PromiseLike<R>) | null,
    onRejected?: ((reason: unknown) => E | PromiseLike<E>) | null,
  ): Promise<R | E> {
    this.#isHandled = true;
    const next = super.then(onFulfilled, onRejected);
    return this.#onRejected === null ? next : WatchedPromise.of(next, this.#onRejected);
  }

  #rejected(source: Promise<unknown>, error: unknown): void {
    if (!this.#isHandled) super.then(undefined, () => undefined);
    this.#onRejected?.(this, source, error);
  }
}
