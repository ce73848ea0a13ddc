import type { Clock } from './clock.js';

/** Milliseconds after which a refusal is no longer news: whoever was refused has not come back since. */
const STANDS = 300_000;

/** Genuine tokens that were refused because of one key. */
export interface KeyRefusals {
  readonly keyId: string;
  /** Refusals so far. */
  readonly count: number;
  /** When the last one was, in milliseconds since the Unix epoch. */
  readonly lastAt: number;
}

/**
 * Sessions of genuine tokens whose payload names a key that is not configured: an operator's mistake, which somebody meets.
 * Rows of that kind that nobody presents a token for may be another app's.
 */
export class UnknownKeys {
  readonly #clock: Clock;
  readonly #met = new Map<string, KeyRefusals>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A genuine token was refused. */
  met(keyId: string): void {
    const count = (this.#met.get(keyId)?.count ?? 0) + 1;
    this.#met.set(keyId, { keyId, count, lastAt: this.#clock.now() });
  }

  /** What was met in the last five minutes. */
  get recent(): readonly KeyRefusals[] {
    const now = this.#clock.now();
    return [...this.#met.values()].filter(({ lastAt }) => Math.abs(now - lastAt) < STANDS);
  }
}
