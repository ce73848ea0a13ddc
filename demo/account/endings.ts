import { Injectable, Logger } from '@nestjs/common';
import { type RevokeReason, SessionEvents, SessionStore } from 'nest-sessions';

/** How a session has ended. */
export type Ending = RevokeReason | 'administrator' | 'evicted' | 'expired';

/** What people read then. A sign-in that took the place is its own news. */
export const ENDING_WORDS: Readonly<Record<Exclude<Ending, 'replaced'>, string>> = {
  logout: 'You are signed out on this device.',
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

/** What people read when nobody knows any more. */
export const UNKNOWN_ENDING = 'Your session has ended. Please sign in again.';

/** Endings of this process that are kept in memory. */
const KEPT = 1000;

/** How long storage keeps an ending. */
const STORED_FOR = '24h';

/** What the ids begin with under which endings lie among the sessions. Those of sessions begin with a digit. */
const PREFIX = 'ending:';

/** What is kept of an ended session. */
interface Known {
  readonly ending: Ending;
  /** Whether a page has told it. */
  readonly isTold: boolean;
}

/** Whether something that lies among the sessions is an ending. */
export function isEnding({ id }: { readonly id: string }): boolean {
  return id.startsWith(PREFIX);
}

/**
 * Remembers why sessions ended, to tell those whose cookie still leads to one. Events tell each process what it did itself,
 * so this lies in storage too, where the other processes find it: as values under keys of the app's own.
 */
@Injectable()
export class Endings {
  readonly #logger = new Logger('Endings');
  /** What this process knows by itself, which storage may not have yet. */
  readonly #own = new Map<string, Known>();
  /** Sessions that an administrator is ending. */
  readonly #administered = new Set<string>();

  constructor(
    private readonly store: SessionStore,
    events: SessionEvents,
  ) {
    events.on('revoked', ({ sessionId, userId, reason }) =>
      this.#note(sessionId, userId, this.#administered.has(sessionId) ? 'administrator' : reason),
    );
    events.on('evicted', ({ sessionId, userId }) => this.#note(sessionId, userId, 'evicted'));
    events.on('expired', ({ sessionId, userId }) => this.#note(sessionId, userId, 'expired'));
  }

  /** Ends a session in the name of an administrator; whether there was one. */
  async byAdministrator(sessionId: string): Promise<boolean> {
    this.#administered.add(sessionId);
    try {
      return await this.store.delete(sessionId);
    } finally {
      this.#administered.delete(sessionId);
    }
  }

  /** Why a session has ended; `null`: that is not known. Never rejects. */
  async of(sessionId: string): Promise<Ending | null> {
    return (await this.#find(sessionId))?.ending ?? null;
  }

  /**
   * The same as a sentence for the next page of whoever still has its cookie; `null`: that is not known, or has been told
   * before, or it was their own doing, of which another page tells.
   */
  async tell(sessionId: string): Promise<string | null> {
    const known = await this.#find(sessionId);
    if (known === null || known.isTold || known.ending === 'logout' || known.ending === 'replaced')
      return null;
    await this.#keep(sessionId, { ...known, isTold: true });
    return ENDING_WORDS[known.ending];
  }

  /** What is noted first stays. */
  #note(sessionId: string, userId: string | null, ending: Ending): void {
    if (this.#own.has(sessionId) || userId === null) return; // nobody had signed in
    void this.#keep(sessionId, { ending, isTold: false });
  }

  /** Never rejects. */
  async #keep(sessionId: string, known: Known): Promise<void> {
    this.#own.set(sessionId, known);
    const [oldest] = this.#own.keys();
    if (this.#own.size > KEPT && oldest !== undefined) this.#own.delete(oldest);
    if (known.ending === 'expired') return; // which each process meets by itself
    try {
      await this.store.put(PREFIX + sessionId, { userId: null, data: known }, STORED_FOR);
    } catch (error) {
      this.#logger.warn(`Other processes will not know why a session has ended: ${String(error)}`);
    }
  }

  async #find(sessionId: string): Promise<Known | null> {
    const own = this.#own.get(sessionId) ?? null;
    if (own?.isTold) return own;
    try {
      const record = await this.store.get(PREFIX + sessionId);
      return record === null ? own : (record.data as unknown as Known);
    } catch {
      return own; // out of reach, or what a client made up cannot be a key
    }
  }
}
