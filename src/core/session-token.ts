import { hash, randomBytes, timingSafeEqual } from 'node:crypto';
import { inspect } from 'node:util';
import type { KeyRing } from './key-ring.js';

/**
 * Secret part of a token: 256 bits.
 *
 * @see OWASP ASVS 5.0, 7.2.3 (reference tokens: unique, from a CSPRNG, at least 128 bits of entropy)
 */
const SECRET_BYTES = 32;

/** ULID (26) · generation, base 36 (6; none in the earliest tokens) · secret, base64url (43) · signature, base64url (22). */
const TOKEN_FORM = /^[0-7][0-9A-HJKMNP-TV-Z]{25}([0-9a-z]{6})?[\w-]{65}$/;
const ID_LENGTH = 26;
const GENERATION_LENGTH = 6;
const SIGNATURE_LENGTH = 22;
const LONGEST = ID_LENGTH + GENERATION_LENGTH + 43 + SIGNATURE_LENGTH;

/** Generation of tokens that were issued before generations were counted: older than any other. */
const UNCOUNTED = -1;

/** How a client keeps and sends its token: in a cookie, or in `Authorization: Bearer`. */
export type Transport = 'cookie' | 'bearer';

/** What is signed begins with this, so that a token for one transport is not a token for the other. */
const DOMAINS: Readonly<Record<Transport, string>> = { cookie: 'cookie token ', bearer: 'bearer token ' };

/** The secret that a client presents. It prints as `[redacted]` everywhere but in `reveal()`. */
export class SessionToken {
  readonly #secret: string;
  /** Public id of the session that the token was issued for. */
  readonly sessionId: string;

  /** How it is to be sent. Sent the other way it is none. */
  readonly transport: Transport;

  /** @internal Tokens come from `SessionStore`. */
  constructor(secret: string, transport: Transport = 'cookie') {
    this.#secret = secret;
    this.sessionId = secret.slice(0, ID_LENGTH);
    this.transport = transport;
  }

  /** The secret itself, for the client. Never log it. */
  reveal(): string {
    return this.#secret;
  }

  /** SHA-256 of the token in lower-case hex: what storage keeps. */
  get hash(): string {
    return hash('sha256', this.#secret, 'hex');
  }

  /** Which token of its session it is: 0 for the first, one more for each that followed; -1 where none was counted. */
  get generation(): number {
    if (this.#secret.length < LONGEST) return UNCOUNTED;
    return Number.parseInt(this.#secret.slice(ID_LENGTH, ID_LENGTH + GENERATION_LENGTH), 36);
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

/** Issues tokens and recognises them, without touching storage. */
export class TokenMint {
  /** Tokens that were refused so far: malformed, or with a signature that no key confirms. */
  refused = 0;

  constructor(private readonly ring: KeyRing) {}

  /** @param generation how many tokens of the session came before */
  issue(sessionId: string, generation: number, transport: Transport = 'cookie'): SessionToken {
    const count = generation.toString(36).padStart(GENERATION_LENGTH, '0');
    const signed = sessionId + count + randomBytes(SECRET_BYTES).toString('base64url');
    const [signature = ''] = this.ring.signatures(DOMAINS[transport] + signed);
    return new SessionToken(signed + signature, transport);
  }

  /** The token in `text`, or `null` when it is malformed or no key of the ring confirms it for that transport. */
  recognise(text: string | SessionToken, transport: Transport = 'cookie'): SessionToken | null {
    const candidate = text instanceof SessionToken ? text.reveal() : text;
    if (typeof candidate === 'string' && candidate.length <= LONGEST && TOKEN_FORM.test(candidate)) {
      const given = Buffer.from(candidate.slice(-SIGNATURE_LENGTH));
      for (const signature of this.ring.signatures(
        DOMAINS[transport] + candidate.slice(0, -SIGNATURE_LENGTH),
      )) {
        if (timingSafeEqual(given, Buffer.from(signature))) return new SessionToken(candidate, transport);
      }
    }
    this.refused++;
    return null;
  }
}
