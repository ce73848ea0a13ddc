import { Injectable } from '@nestjs/common';
import { type RevokeReason, type SessionEvent, SessionEvents } from 'nest-sessions';

export interface ActivityEntry {
  readonly text: string;
  readonly at: Date;
  readonly ip?: string;
}

/** Entries that are kept of all users together; in memory, so a restart empties it. */
const KEPT = 500;
/** Entries that one user sees. */
const SHOWN = 6;

const REVOKED: Record<RevokeReason, string> = {
  logout: 'Logged out',
  'logout-others': 'Another device was logged out',
  'logout-all': 'Logged out everywhere',
  revoked: 'Another device was logged out',
  replaced: 'Signed in anew',
  reuse: 'A device was logged out: its cookie had been copied',
  'client-change': 'A device was logged out: its cookie was used by another browser',
};

/** What happened lately, as the session events tell. An audit log would write the same to a table. */
@Injectable()
export class Activity {
  readonly #entries: (ActivityEntry & Pick<SessionEvent, 'userId'>)[] = [];

  constructor(events: SessionEvents) {
    events.on('authenticated', (event) => this.#keep(event, 'Signed in'));
    events.on('revoked', (event) => this.#keep(event, REVOKED[event.reason]));
    events.on('evicted', (event) =>
      this.#keep(event, 'The least used device was logged out: there were too many'),
    );
    events.on('expired', (event) => this.#keep(event, 'A device was not used for too long'));
  }

  /** Newest first. */
  of(userId: string): ActivityEntry[] {
    return this.#entries.filter((entry) => entry.userId === userId).slice(0, SHOWN);
  }

  #keep({ userId, at, ip }: SessionEvent, text: string): void {
    if (userId === null) return; // a session that nobody had signed in to
    this.#entries.unshift({ userId, text, at, ip });
    this.#entries.length = Math.min(this.#entries.length, KEPT);
  }
}
