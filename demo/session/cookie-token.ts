import { parseCookie } from 'cookie';
import { createHash } from 'node:crypto';
import { IS_HTTPS } from '../settings.js';

/** What the module calls its cookie: `sid`, with the prefix that browsers hold it to where it is `Secure`. */
export const COOKIE_NAME = IS_HTTPS ? '__Host-sid' : 'sid';

/** The token in the session cookie of a request, or `null`. Nobody has checked it: anything may be in it. */
export function cookieToken({ headers }: { readonly headers: { readonly cookie?: string } }): string | null {
  return parseCookie(headers.cookie ?? '')[COOKIE_NAME] ?? null;
}

/** The parts of a token by which one may be told from another. What makes it a secret is left out. */
export interface TokenParts {
  /** The public id of the session. */
  readonly sessionId: string;
  /** How many tokens of the session came before, from 1. */
  readonly number: number;
  /** SHA-256, in lower-case hex: what the database holds of it. */
  readonly hash: string;
}

/** The parts of a token, as they stand in it: 26 characters of id, then 6 of a count. */
export function partsOf(token: string): TokenParts {
  return {
    sessionId: token.slice(0, 26),
    number: Number.parseInt(token.slice(26, 32), 36) + 1,
    hash: createHash('sha256').update(token).digest('hex'),
  };
}
