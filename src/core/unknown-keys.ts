import type { Clock } from './clock.js';

/*
 * Genuine tokens that are refused because the key of their session's payload is not configured.
 */

/** Milliseconds after which a refusal is forgotten: whoever was refused has not tried again since. */
const MAX_AGE = 300_000;

/** Genuine tokens that were refused because of one key. */
export interface KeyRefusals {
  readonly keyId: string;
  /** Refusals so far. */
  readonly count: number;
  /** When the last one was, in milliseconds since the Unix epoch. */
  readonly lastAt: number;
}

/**
 * Counts the requests that were refused though their token is genuine, because the payload of their session was sealed
 * by a key that is not configured. That is an operator's mistake, and a problem for health checks. Rows with unknown
 * keys for which nobody presents a token may be another app's, and are not counted here.
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

  /** The keys for which somebody was refused in the last five minutes. */
  get recent(): readonly KeyRefusals[] {
    const now = this.#clock.now();
    return [...this.#met.values()].filter(({ lastAt }) => Math.abs(now - lastAt) < MAX_AGE);
  }
}
