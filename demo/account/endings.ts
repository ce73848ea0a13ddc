import { Injectable } from '@nestjs/common';
import { type RevokeReason, SessionEvents } from 'nest-sessions';

/** How a session ends without the doing of whoever has its cookie. */
type Ending = Exclude<RevokeReason, 'logout' | 'replaced'> | 'administrator' | 'evicted' | 'expired';

/** What people read then. */
const WORDS: Readonly<Record<Ending, string>> = {
  revoked: 'You were signed out from another device.',
  'logout-others': 'You were signed out from another device.',
  'logout-all': 'You were signed out from another device, which signed out everywhere.',
  administrator: 'An administrator signed this device out.',
  reuse:
    'You were signed out: somebody used a copy of your cookie. Sign in again, and only you have a session.',
  'client-change': 'You were signed out: your cookie was used by another browser.',
  evicted: 'You were signed out: you signed in on more devices than you may have at once.',
  expired: 'You were signed out, because this device was not used for too long.',
};

/** Endings that are kept, in memory: a restart forgets them. */
const KEPT = 1000;

/** Remembers why sessions ended, to tell those whose cookie still leads to one. */
@Injectable()
export class Endings {
  readonly #endings = new Map<string, Ending>();

  constructor(events: SessionEvents) {
    events.on('revoked', ({ sessionId, reason }) => {
      if (reason !== 'logout' && reason !== 'replaced') this.#keep(sessionId, reason);
    });
    events.on('evicted', ({ sessionId }) => this.#keep(sessionId, 'evicted'));
    events.on('expired', ({ sessionId }) => this.#keep(sessionId, 'expired'));
  }

  /** An administrator is about to end that session. What is noted first stays. */
  byAdministrator(sessionId: string): void {
    this.#keep(sessionId, 'administrator');
  }

  /**
   * Why a session has ended, as a sentence for whoever still has its cookie; `null`: that is not known, or has been told
   * before.
   */
  tell(sessionId: string): string | null {
    const ending = this.#endings.get(sessionId);
    if (ending === undefined) return null;
    this.#endings.delete(sessionId);
    return WORDS[ending];
  }

  #keep(sessionId: string, ending: Ending): void {
    if (this.#endings.has(sessionId)) return;
    this.#endings.set(sessionId, ending);
    const [oldest] = this.#endings.keys();
    if (this.#endings.size > KEPT && oldest !== undefined) this.#endings.delete(oldest);
  }
}
