import type { ExpressSessionCallback } from './express-session.js';
import { Outcome } from './outcome.js';
import { routeOf } from './platform-request.js';
import { toHttpException } from './session-exceptions.js';
import type { SessionExchange } from './session-exchange.js';

/** The steps that a request takes through `req.session`, with callbacks or promises, some of which nobody awaits. */
export class SessionSteps {
  readonly #underWay = new Set<Promise<void>>();
  readonly #failed = new Map<Outcome, unknown>();

  constructor(private readonly exchange: SessionExchange) {}

  /** Whether a step is under way, or has failed without anybody noticing. */
  get areOpen(): boolean {
    return this.#underWay.size > 0 || this.#forgottenFailure !== undefined;
  }

  /** Starts a step, and tells the callback how it ends; without one, gives a promise. */
  start(step: () => Promise<void>, callback?: ExpressSessionCallback): Promise<void> | undefined {
    const done = this.#run(step).finally(() => this.#underWay.delete(done));
    this.#underWay.add(done);
    if (typeof callback !== 'function') return this.#promised(done);
    done.then(
      () => tell(callback),
      (error: unknown) => tell(callback, error),
    );
    return undefined;
  }

  /** Waits for all steps. @throws the failure of one that nobody waits for */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#underWay);
    const forgotten = this.#forgottenFailure;
    this.#failed.clear();
    if (forgotten !== undefined) throw forgotten;
  }

  async #run(step: () => Promise<void>): Promise<void> {
    try {
      await step();
    } catch (error) {
      this.exchange.noteFailure(error);
      throw toHttpException(error);
    }
  }

  #promised(done: Promise<void>): Promise<void> {
    const outcome = new Outcome(done);
    done.catch((error: unknown) => this.#noteForgotten(outcome, error));
    return outcome.promise;
  }

  /** A failure that nobody waits for is that of the response, or of the log when the response has begun. */
  #noteForgotten(outcome: Outcome, error: unknown): void {
    const { gate, input, runtime } = this.exchange;
    if (gate.isHeadPending) this.#failed.set(outcome, error);
    else if (outcome.isForgotten) {
      runtime.logger.error(
        `${routeOf(input.request)}: a step of req.session failed after the response had begun: ${String(error)}`,
      );
    }
  }

  get #forgottenFailure(): unknown {
    return [...this.#failed].find(([outcome]) => outcome.isForgotten)?.[1];
  }
}

/** What a callback throws is nobody's rejection: it is uncaught, as with express-session. */
function tell(callback: ExpressSessionCallback, error?: unknown): void {
  try {
    callback(error);
  } catch (thrown) {
    process.nextTick(() => {
      throw thrown;
    });
  }
}
