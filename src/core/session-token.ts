import { hash, randomBytes, timingSafeEqual } from 'node:crypto';
import { inspect } from 'node:util';
import type { KeyRing } from './key-ring.js';

/*
 * The token of a session: its parts, its signature, and how it is issued and recognised.
 */

/**
 * Secret part of a token: 256 bits.
 *
 * @see OWASP ASVS 5.0, 7.2.3 (reference tokens: unique, from a CSPRNG, at least 128 bits of entropy)
 */
const SECRET_BYTES = 32;

/**
 * Secret that all tokens of a session share (`kin`): 128 bits. It is stored in the sealed payload. A token whose hash is not
 * stored has to contain it, so that the key alone is not enough to make one.
 */
const KIN_BYTES = 16;

/**
 * Id: ULID (26), and the suffix of some storages (2) · generation, base 36 (6) · kin, base64url (22) · secret, base64url (43) ·
 * signature, base64url (22). The earliest tokens had neither generation nor kin, nor was there a suffix.
 */
const TOKEN_FORM = /^[0-7][0-9A-HJKMNP-TV-Z]{25}(([0-9A-HJKMNP-TV-Z]{2})?[0-9a-z]{6}[\w-]{22})?[\w-]{65}$/;
const ULID_LENGTH = 26;
const SUFFIX_LENGTH = 2;
const GENERATION_LENGTH = 6;
const KIN_LENGTH = 22;
const SIGNATURE_LENGTH = 22;
const WITHOUT_SUFFIX = ULID_LENGTH + GENERATION_LENGTH + KIN_LENGTH + 43 + SIGNATURE_LENGTH;
const LONGEST = WITHOUT_SUFFIX + SUFFIX_LENGTH;

/** Characters of the id that a token begins with, which its length tells. */
function idLengthOf(token: string): number {
  return token.length === LONGEST ? ULID_LENGTH + SUFFIX_LENGTH : ULID_LENGTH;
}

/** Generation of tokens that were issued before generations were counted: older than any other. */
const UNCOUNTED = -1;

/** How a client keeps and sends its token: in a cookie, or in `Authorization: Bearer`. */
export type Transport = 'cookie' | 'bearer';

/** How the tokens of a session are sent, by what its payload holds. */
export function transportOf({ marks }: { readonly marks?: { readonly transport?: Transport } }): Transport {
  return marks?.transport ?? 'cookie';
}

/** What is signed begins with this, so that a token for one transport is not a token for the other. */
const DOMAINS: Readonly<Record<Transport, string>> = { cookie: 'cookie token ', bearer: 'bearer token ' };

/**
 * The secret that a client presents, in its cookie or as a bearer token. It prints as `[redacted]` in logs, in JSON and
 * in templates: only `reveal()` gives it.
 *
 * @see OWASP ASVS 5.0, 7.2.3 (at least 128 bits of entropy) and 16.2.5 (no session token in logs)
 * @example
 * ```ts
 * const { session: stored, token } = await store.create({ deviceName: 'import job' }, 'ada');
 * console.log(`${token}`, token.sessionId === stored.id); // [redacted] true
 * const found = await store.readByToken(token.reveal());
 * console.log(found?.userId); // ada
 * ```
 */
export class SessionToken {
  readonly #secret: string;
  /** The public id of the session that the token was issued for. */
  readonly sessionId: string;

  /** How the client sends it. Sent the other way, it is no token. */
  readonly transport: Transport;

  /** @internal Tokens come from `SessionStore`. */
  constructor(secret: string, transport: Transport = 'cookie') {
    this.#secret = secret;
    this.sessionId = secret.slice(0, idLengthOf(secret));
    this.transport = transport;
  }

  /** The secret itself, for the client alone: letters, digits, `-` and `_`. Never log it. */
  reveal(): string {
    return this.#secret;
  }

  /** SHA-256 of the token in lower-case hex: what storage keeps. */
  get hash(): string {
    return hash('sha256', this.#secret, 'hex');
  }

  /** Which token of its session it is: 0 for the first, one more for each that followed; -1 where none was counted. */
  get generation(): number {
    if (this.#secret.length < WITHOUT_SUFFIX) return UNCOUNTED;
    const start = this.sessionId.length;
    return Number.parseInt(this.#secret.slice(start, start + GENERATION_LENGTH), 36);
  }

  /** Whether it has the secret that all tokens of its session share. Compared in constant time. */
  isKinOf(kin: string | undefined): boolean {
    if (kin === undefined || this.#secret.length < WITHOUT_SUFFIX) return false;
    const start = this.sessionId.length + GENERATION_LENGTH;
    const [given, expected] = [Buffer.from(this.#secret.slice(start, start + KIN_LENGTH)), Buffer.from(kin)];
    return given.length === expected.length && timingSafeEqual(given, expected);
  }

  toString(): string {
    return '[redacted]';
  }

  toJSON(): string {
    return '[redacted]';
  }

  [inspect.custom](): string {
    return 'SessionToken [redacted]';
  }
}

/** A secret for all tokens of a new session to share. */
export function newKin(): string {
  return randomBytes(KIN_BYTES).toString('base64url');
}

/** In tokens of sessions that began when there was no such secret. */
const NO_KIN = 'A'.repeat(KIN_LENGTH);

/** What a token to be issued is to say. */
export interface TokenPlan {
  /** How many tokens of the session came before. */
  readonly generation: number;
  /** What all of them share; of sessions that are older than that, `undefined`. */
  readonly kin: string | undefined;
  readonly transport?: Transport;
}

/** Issues tokens, and recognises them by their signature, without touching storage. */
export class TokenIssuer {
  /** Tokens that were refused so far: malformed, or with a signature that no key confirms. */
  refused = 0;
  readonly #ring: KeyRing;

  constructor(ring: KeyRing) {
    this.#ring = ring;
  }

  issue(sessionId: string, { generation, kin = NO_KIN, transport = 'cookie' }: TokenPlan): SessionToken {
    const count = generation.toString(36).padStart(GENERATION_LENGTH, '0');
    const signed = sessionId + count + kin + randomBytes(SECRET_BYTES).toString('base64url');
    return new SessionToken(signed + this.#ring.sign(DOMAINS[transport] + signed), transport);
  }

  /** The token in `text`, or `null` when it is malformed or no key of the ring confirms it for that transport. */
  recognise(text: string | SessionToken, transport: Transport = 'cookie'): SessionToken | null {
    const candidate = text instanceof SessionToken ? text.reveal() : text;
    if (typeof candidate === 'string' && candidate.length <= LONGEST && TOKEN_FORM.test(candidate)) {
      const signed = DOMAINS[transport] + candidate.slice(0, -SIGNATURE_LENGTH);
      if (this.#ring.isSigned(signed, candidate.slice(-SIGNATURE_LENGTH)))
        return new SessionToken(candidate, transport);
    }
    this.refused++;
    return null;
  }
}
