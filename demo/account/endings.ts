import { Injectable } from '@nestjs/common';
import { type RevokeReason, SessionEvents } from 'nest-sessions';

/** What people read whose session ended without their doing. */
const WORDS: Partial<Record<RevokeReason | 'evicted' | 'expired', string>> = {
  revoked: 'You were signed out from another device.',
  'logout-others': 'You were signed out from another device.',
  'logout-all': 'You were signed out from another device, which signed out everywhere.',
  reuse:
    'You were signed out: somebody used a copy of your cookie. Sign in again, and only you have a session.',
  evicted: 'You were signed out: you signed in on more devices than you may have at once.',
  expired: 'You were signed out, because this device was not used for too long.',
};

/** Endings that are kept, in memory: a restart forgets them. */
const KEPT = 1000;

/** Remembers why sessions ended, to tell those whose cookie still leads to one. */
@Injectable()
export class Endings {
  readonly #words = new Map<string, string>();

  constructor(events: SessionEvents) {
    events.on('revoked', ({ sessionId, reason }) => this.#keep(sessionId, WORDS[reason]));
    events.on('evicted', ({ sessionId }) => this.#keep(sessionId, WORDS.evicted));
    events.on('expired', ({ sessionId }) => this.#keep(sessionId, WORDS.expired));
  }

  /**
   * Why a session has ended, as a sentence for whoever still has its cookie; `null`: that is not known, or has been told
   * before.
   */
  tell(sessionId: string): string | null {
    const words = this.#words.get(sessionId);
    if (words === undefined) return null;
    this.#words.delete(sessionId);
    return words;
  }

  #keep(sessionId: string, words: string | undefined): void {
    if (words === undefined || this.#words.has(sessionId)) return;
    this.#words.set(sessionId, words);
    const [oldest] = this.#words.keys();
    if (this.#words.size > KEPT && oldest !== undefined) this.#words.delete(oldest);
  }
}
