import { nextTick } from '../../core/timers.js';

/**
 * The promises that the methods of a session have handed out, some of which nobody awaits (floating promises): the
 * response waits for them, and their failures are its own.
 */
export class FloatingPromises {
  readonly #report: (error: unknown) => void;
  readonly #underWay = new Set<Promise<unknown>>();
  /** What has failed while it could still be the failure of the response. */
  #rejected: { readonly promise: WatchedPromise<unknown>; readonly error: unknown }[] = [];
  #canFailResponse: boolean;

  /**
   * @param report told of a failure that nobody handles, once no response can be its answer
   * @param canFailResponse whether the response can still say so
   */
  constructor(report: (error: unknown) => void, canFailResponse: boolean) {
    this.#report = report;
    this.#canFailResponse = canFailResponse;
  }

  /** Whether one is under way, or has failed, perhaps without anybody noticing. */
  get arePending(): boolean {
    return this.#underWay.size > 0 || this.#rejected.length > 0;
  }

  /** The response has begun, or its client is gone: from now on what nobody handles is reported. */
  detach(): void {
    this.#canFailResponse = false;
  }

  /** Starts a step and hands out its promise. */
  start<R>(step: (done: () => void) => Promise<R>): Promise<R> {
    const running: Promise<R> = step(() => this.#underWay.delete(running));
    this.#underWay.add(running);
    return WatchedPromise.of(running, (promise, source, error) => this.#noteRejected(promise, source, error));
  }

  /** Waits for those that are under way. Resolves to the failures that nobody has handled, in the order of failing. */
  async allSettled(): Promise<unknown[]> {
    await Promise.allSettled(this.#underWay);
    // What was derived from a step that failed is rejected right behind it.
    if (this.#rejected.length > 0) await new Promise<void>((resolve) => nextTick(resolve));
    return this.takeUnhandled();
  }

  /** The failures so far that nobody has handled. Each is returned once. */
  takeUnhandled(): unknown[] {
    const rejected = this.#rejected;
    this.#rejected = [];
    return rejected.filter(({ promise }) => !promise.isHandled).map(({ error }) => error);
  }

  #noteRejected(promise: WatchedPromise<unknown>, source: Promise<unknown>, error: unknown): void {
    this.#underWay.delete(source);
    if (this.#canFailResponse) this.#rejected.push({ promise, error });
    // As long as Node gives before it calls a rejection unhandled.
    else nextTick(() => promise.isHandled || this.#report(error));
  }
}

/** @param source what the promise was made of */
type OnRejected = (promise: WatchedPromise<unknown>, source: Promise<unknown>, error: unknown) => void;

/**
 * A promise that knows whether anybody has asked how it ends, so that a failure which nobody would see can be told
 * otherwise. A rejection that nobody handles is no unhandled rejection of the process, nor is one of what `then`, `catch`
 * and `finally` make of it.
 */
class WatchedPromise<T> extends Promise<T> {
  /** What `then` makes inside of itself is a plain promise, so that each of ours is made by `of`. */
  static override get [Symbol.species](): PromiseConstructor {
    return Promise;
  }

  /** `null`: whatever `new` has made is as any promise. */
  #onRejected: OnRejected | null = null;
  #isHandled = false;

  /** @param onRejected also told of what is derived from the promise */
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

  /** Whether anybody has asked how it ends. `await` does so in the next microtask. */
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
