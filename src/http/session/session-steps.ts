import { nextTick } from '../../core/timers.js';
import type { RequestContext } from './request-context.js';
import { toHttpException } from '../errors/exceptions.js';
import { type RejectionWatch, StepPromise } from './step-promise.js';

/**
 * The steps that a request takes through its session, handed out as promises, some of which nobody awaits: the
 * response waits for them, and their failures are its own.
 */
export class SessionSteps implements RejectionWatch {
  readonly #underWay = new Set<Promise<unknown>>();
  /** What has failed while it could still be the failure of the response. */
  #rejected: { readonly promise: StepPromise<unknown>; readonly error: unknown }[] = [];

  constructor(private readonly context: RequestContext) {}

  /** Whether a step is under way, or has failed, perhaps without anybody noticing. */
  get areOpen(): boolean {
    return this.#underWay.size > 0 || this.#rejected.length > 0;
  }

  /** Starts a step. What it throws leaves as the HTTP layer's exception. */
  start<R>(step: () => Promise<R>): Promise<R> {
    const done: Promise<R> = this.#run(step, () => this.#underWay.delete(done));
    if (this.context.forgotten === undefined) return done;
    this.#underWay.add(done);
    return StepPromise.of(done, this);
  }

  /** Waits for the steps that are under way. What failed, and nobody has taken, in the order in which it did. */
  async settled(): Promise<unknown[]> {
    await Promise.allSettled(this.#underWay);
    // What was derived from a step that failed is rejected right behind it.
    if (this.#rejected.length > 0) await new Promise<void>((resolve) => nextTick(resolve));
    return this.takeForgotten();
  }

  /** What has failed so far, and nobody has taken. It is told of once. */
  takeForgotten(): unknown[] {
    const rejected = this.#rejected;
    this.#rejected = [];
    return rejected.filter(({ promise }) => !promise.isTaken).map(({ error }) => error);
  }

  noteRejected(promise: StepPromise<unknown>, source: Promise<unknown>, error: unknown): void {
    this.#underWay.delete(source);
    const { forgotten } = this.context;
    if (forgotten?.canFailResponse) this.#rejected.push({ promise, error });
    // As long as Node gives before it calls a rejection unhandled.
    else nextTick(() => promise.isTaken || forgotten?.reportForgotten(error));
  }

  async #run<R>(step: () => Promise<R>, done: () => void): Promise<R> {
    try {
      const result = await step();
      done();
      return result;
    } catch (error) {
      this.context.noteFailure?.(error);
      throw toHttpException(error);
    }
  }
}
