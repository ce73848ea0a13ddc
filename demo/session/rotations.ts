import { Injectable } from '@nestjs/common';
import { SessionEvents } from 'nest-sessions';

/** Rotations that are kept of one session. */
const KEPT = 5;
/** Sessions that rotations are kept of. */
const SESSIONS = 500;

/** When sessions got new tokens lately, as the session events tell. */
@Injectable()
export class Rotations {
  readonly #instants = new Map<string, readonly Date[]>();

  constructor(events: SessionEvents) {
    events.on('rotated', ({ sessionId, at }) => {
      const before = this.of(sessionId);
      this.#instants.delete(sessionId); // the last to rotate is the last to be forgotten
      this.#instants.set(sessionId, [at, ...before].slice(0, KEPT));
      const [oldest] = this.#instants.keys();
      if (this.#instants.size > SESSIONS && oldest !== undefined) this.#instants.delete(oldest);
    });
  }

  /** Newest first. */
  of(sessionId: string): readonly Date[] {
    return this.#instants.get(sessionId) ?? [];
  }
}
