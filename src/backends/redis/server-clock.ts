import { performance } from '../../core/timers.js';

/** What a server says of a call that came too late, or that was sent by another clock than its own. */
const UNTIMELY = /\bUNTIMELY (\d+)/;

/** A call that had been answered before it was done: it has changed nothing, and will not. */
export class TooLateError extends Error {
  override readonly name = 'TooLateError';

  constructor() {
    super('The call had been answered when the server could be reached, so nothing was changed');
  }
}

/**
 * What time it is for the servers, as they say when they have to refuse a call for it. The clock of the app has no part in it: this
 * is measured against `performance.now()`. The servers of a Cluster may have clocks that differ, so it is known by bucket.
 */
export class ServerClock {
  /** Milliseconds by which the server of a bucket is ahead of `performance.now()`. */
  readonly #ahead = new Map<string, number>();
  /** As the first that said so. `null`: none has said what time it is. */
  #first: number | null = null;

  /**
   * What a script is told that may run until `deadline` of `performance.now()`. Where no server has said what time it is, what
   * every server refuses.
   */
  termsUntil(bucket: string, deadline: number): readonly [left: string, patience: string] {
    if (deadline === Number.POSITIVE_INFINITY) return ['', ''];
    const ahead = this.#ahead.get(bucket) ?? this.#first;
    if (ahead === null) return ['0', '0'];
    const now = performance.now();
    return [String(Math.floor(now + ahead)), String(Math.ceil(deadline - now))];
  }

  /** Learns the time from what a server refused a call with. @returns whether that was why */
  learnFrom(bucket: string, error: unknown): boolean {
    const shown = UNTIMELY.exec(error instanceof Error ? error.message : '')?.[1];
    if (shown === undefined) return false;
    // The reply was under way for a while, so the server is a little later by now. Then it refuses too early, and not too late.
    const ahead = Number(shown) - performance.now();
    if (this.#first === null) this.#first = ahead;
    else this.#ahead.set(bucket, ahead);
    return true;
  }
}
