import { randomBytes } from 'node:crypto';
import type { SessionRow } from 'nest-sessions';
import type { HttpClient } from '../clients/http-client.js';
import { COOKIE_NAME, partsOf } from '../session/cookie-token.js';

/** Something that happened since a cookie was copied. */
export interface TheftEntry {
  readonly at: Date;
  readonly who: 'thief' | 'server';
  /** A request and its answer, or an event. */
  readonly what: string;
  readonly look: 'calm' | 'served' | 'refused' | 'alarm';
}

/**
 * What a token is worth: `current`; `in-grace`, which was replaced and is served for requests under way; `replaced`, whose
 * return is taken for theft; `worthless`, whose session has ended.
 */
export type Worth = 'current' | 'in-grace' | 'replaced' | 'worthless';

/** A cookie that was copied, who has the copy, and what came of it. */
export class Theft {
  /** Nobody guesses it: who knows it may see the theft, and go on with it. */
  readonly id = randomBytes(16).toString('base64url');
  readonly entries: TheftEntry[] = [];

  constructor(
    readonly userId: string,
    readonly sessionId: string,
    readonly thief: HttpClient,
  ) {}

  /** The token that the thief has now; `null`: the server has taken it away. */
  get thiefToken(): string | null {
    return this.thief.cookie(COOKIE_NAME);
  }
}

/** @param now epoch milliseconds */
export function worthOf(token: string, row: SessionRow | null, now: number): Worth {
  if (row === null) return 'worthless';
  const { hash } = partsOf(token);
  if (hash === row.tokenHash) return 'current';
  return hash === row.supersededHash && now < row.graceUntil ? 'in-grace' : 'replaced';
}
