/** Sessions that are remembered. Past that the oldest is forgotten, and may be told about again. */
const KEPT = 10_000;

/** Remembers which sessions something has been told about, in this process, so that it is not told with each request. */
export class OncePerSession {
  readonly #told = new Set<string>();

  /** Whether this is the first time for that session. */
  isFirst(sessionId: string): boolean {
    if (this.#told.has(sessionId)) return false;
    const [oldest] = this.#told.size < KEPT ? [] : this.#told;
    if (oldest !== undefined) this.#told.delete(oldest);
    this.#told.add(sessionId);
    return true;
  }
}
