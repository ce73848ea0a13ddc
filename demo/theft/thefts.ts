import { Injectable } from '@nestjs/common';
import { SessionEvents } from 'nest-sessions';
import { HttpClients } from '../clients/http-clients.js';
import { COOKIE_NAME } from '../session/cookie-token.js';
import { Theft } from './theft.js';

/** Thefts that are kept, in memory. */
const KEPT = 100;

/** What the thief's browser says that it is, and an address that is reserved for documentation. */
const THIEF = { userAgent: 'curl/8.5.0', address: '203.0.113.66' };

export interface StolenSession {
  readonly userId: string;
  readonly sessionId: string;
  readonly token: string;
}

/** The thefts that visitors of this demo have staged, and what the events of their sessions tell. */
@Injectable()
export class Thefts {
  readonly #thefts = new Map<string, Theft>();

  constructor(
    private readonly clients: HttpClients,
    events: SessionEvents,
  ) {
    events.on('rotated', ({ sessionId, at }) =>
      this.#note(sessionId, 'rotated: a new token for this session', 'calm', at),
    );
    events.on('reuse', ({ sessionId, at }) =>
      this.#note(sessionId, 'reuse: a replaced token came back', 'alarm', at),
    );
    events.on('revoked', ({ sessionId, reason, at }) =>
      this.#note(sessionId, `revoked: the session has ended (${reason})`, 'alarm', at),
    );
  }

  /** Copies a cookie to a client of the thief's. */
  stage({ userId, sessionId, token }: StolenSession): Theft {
    const theft = new Theft(userId, sessionId, this.clients.make(THIEF));
    theft.thief.putCookie(COOKIE_NAME, token);
    this.#thefts.set(theft.id, theft);
    const [oldest] = this.#thefts.keys();
    if (this.#thefts.size > KEPT && oldest !== undefined) this.#thefts.delete(oldest);
    return theft;
  }

  find(id: string): Theft | null {
    return this.#thefts.get(id) ?? null;
  }

  /** Sends a request with the thief's cookies, and notes what the server answered. */
  async send(theft: Theft, method: 'GET' | 'POST', path: string): Promise<void> {
    const before = theft.thiefToken;
    const [place, at] = [theft.entries.length, new Date()]; // before what the server tells of it
    const { status, body } = await theft.thief.send(method, path);
    const isServed = status < 400;
    const gotToken = theft.thiefToken !== null && theft.thiefToken !== before;
    const answer = `${status} ${isServed && method === 'GET' ? body : ''}`.trim();
    theft.entries.splice(place, 0, {
      at,
      who: 'thief',
      what: `${method} ${path} → ${answer}${gotToken ? ', with a new token' : ''}`,
      look: isServed ? 'served' : 'refused',
    });
  }

  #note(sessionId: string, what: string, look: 'calm' | 'alarm', at: Date): void {
    for (const theft of this.#thefts.values()) {
      if (theft.sessionId === sessionId) theft.entries.push({ at, who: 'server', what, look });
    }
  }
}
