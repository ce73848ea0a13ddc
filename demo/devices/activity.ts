import { Injectable } from '@nestjs/common';
import { type RevokeReason, type SessionEvent, SessionEvents, SessionStore } from 'nest-sessions';
import { deviceName } from './device-name.js';

export interface ActivityEntry {
  readonly text: string;
  /** The device that it happened to, where that is known. */
  readonly device: string;
  readonly ip?: string;
  /** When it happened, the last time if it did more than once. */
  readonly at: Date;
  /** How many times in a row. */
  readonly times: number;
}

interface Happening {
  readonly event: SessionEvent;
  readonly text: string;
}

/** Happenings that are kept of all users together; in memory, so a restart empties it. */
const KEPT = 500;
/** Entries that one user sees. */
const SHOWN = 6;

/** By reason; `null`: what follows says it, here the sign-in that took the place. */
const REVOKED: Record<RevokeReason, string | null> = {
  logout: 'Signed out',
  'logout-others': 'Signed out from another device',
  'logout-all': 'Signed out everywhere',
  revoked: 'Signed out from another device',
  replaced: null,
  reuse: 'Signed out: its cookie had been copied',
  'client-change': 'Signed out: its cookie came from another browser',
};

/** What happened lately, as the session events tell. An audit log would write the same to a table. */
@Injectable()
export class Activity {
  readonly #happenings: Happening[] = [];
  /** Names of devices, by the id of the session: when a session has ended, nobody can ask it any more. */
  readonly #devices = new Map<string, Promise<string>>();

  constructor(
    private readonly store: SessionStore,
    events: SessionEvents,
  ) {
    events.on('authenticated', (event) => {
      const isKnown = this.#devices.has(event.sessionId);
      if (!isKnown) this.#devices.set(event.sessionId, this.#deviceOf(event.sessionId));
      this.#keep(event, isKnown ? 'Confirmed that it is you' : 'Signed in');
    });
    events.on('revoked', (event) => this.#keep(event, REVOKED[event.reason]));
    events.on('evicted', (event) => this.#keep(event, 'Signed out to make room: least recently active'));
    events.on('expired', (event) => this.#keep(event, 'Not used for too long'));
  }

  /** Newest first. What happened several times in a row is one entry. */
  async of(userId: string): Promise<ActivityEntry[]> {
    const entries: ActivityEntry[] = [];
    for (const { event, text } of this.#happenings) {
      if (event.userId !== userId) continue;
      const device = (await this.#devices.get(event.sessionId)) ?? 'A device';
      const entry = { text, device, ip: event.ip, at: event.at, times: 1 };
      const last = entries.at(-1);
      const isRepeated = last?.text === text && last.device === device && last.ip === event.ip;
      if (isRepeated) entries[entries.length - 1] = { ...last, times: last.times + 1 };
      else if (entries.push(entry) > SHOWN) return entries.slice(0, SHOWN);
    }
    return entries;
  }

  #keep(event: SessionEvent, text: string | null): void {
    if (text === null || event.userId === null) return; // nobody had signed in
    this.#happenings.unshift({ event, text });
    const forgotten = this.#happenings.splice(KEPT);
    for (const { event: old } of forgotten) {
      if (!this.#happenings.some((one) => one.event.sessionId === old.sessionId))
        this.#devices.delete(old.sessionId);
    }
  }

  async #deviceOf(sessionId: string): Promise<string> {
    try {
      const record = await this.store.read(sessionId);
      return record ? deviceName(record.meta) : 'A device';
    } catch {
      return 'A device'; // storage is out of reach: what happened is worth more than where
    }
  }
}
