/**
 * Remembers for which sessions something was reported in this process, so that it is reported once for each of them and not
 * with each request.
 */
export class OncePerSession {
  readonly #reported = new Set<string>();

  /** Whether this is the first time for that session. */
  isFirst(sessionId: string): boolean {
    if (this.#reported.has(sessionId)) return false;
    const [oldest] = this.#reported.size < MAX_SESSIONS ? [] : this.#reported;
    if (oldest !== undefined) this.#reported.delete(oldest);
    this.#reported.add(sessionId);
    return true;
  }
}

/** Sessions that are remembered at most. The oldest is forgotten first, and may then be reported again. */
const MAX_SESSIONS = 10_000;
