import { createHmac } from 'node:crypto';
import { setTimeout } from './timers.js';

/*
 * The keys of sessions: each session is sealed under a key of its own, which is derived from that of the app.
 */

/** Keys that a generation has at most. */
const MOST = 4096;

/** Milliseconds that a generation lasts, unless told otherwise. */
const LIFETIME = 60_000;

/**
 * Derives the keys of sessions from one key of the app, and keeps those of the sessions that were used last, so that a request
 * of a session that is in use derives none. A derived key is a function of the key of the app and the id alone: keeping it
 * shows whoever reads the memory nothing that the key of the app, which is there too, does not. No token is kept, and no data.
 *
 * There are two generations. The younger one becomes the older one after a minute, or when it is full, and keys of the older
 * one that nobody has asked for meanwhile are overwritten. So a key is kept for two minutes after its last use at most.
 *
 * @see RFC 2104 (HMAC); NIST SP 800-108r1, 3 (HMAC as the pseudorandom function that derives keys)
 */
export class Subkeys {
  readonly #key: Buffer;
  readonly #isRemembering: boolean;
  readonly #lifetime: number;
  #younger = new Map<string, Buffer>();
  #older = new Map<string, Buffer>();
  #isAgeing = false;

  /** @param lifetime milliseconds that a generation lasts */
  constructor(key: Buffer, isRemembering: boolean, lifetime = LIFETIME) {
    this.#key = key;
    this.#isRemembering = isRemembering;
    this.#lifetime = lifetime;
  }

  /** The key of a session: 32 bytes, to be used at once, since they are overwritten later. */
  of(sessionId: string): Buffer {
    if (!this.#isRemembering) return this.#derive(sessionId);
    return this.#younger.get(sessionId) ?? this.#remember(sessionId);
  }

  #derive(sessionId: string): Buffer {
    return createHmac('sha256', this.#key).update(sessionId).digest();
  }

  #remember(sessionId: string): Buffer {
    const subkey = this.#older.get(sessionId) ?? this.#derive(sessionId);
    this.#older.delete(sessionId);
    if (this.#younger.size === MOST) this.#age();
    // A copy: the id may be a part of a token, all of which it would keep in memory.
    this.#younger.set(Buffer.from(sessionId).toString(), subkey);
    if (!this.#isAgeing) this.#ageLater();
    return subkey;
  }

  #ageLater(): void {
    this.#isAgeing = true;
    setTimeout(() => {
      this.#isAgeing = false;
      this.#age();
      if (this.#older.size > 0) this.#ageLater();
    }, this.#lifetime).unref();
  }

  #age(): void {
    for (const subkey of this.#older.values()) subkey.fill(0);
    this.#older = this.#younger;
    this.#younger = new Map();
  }
}
