import { createHmac } from 'node:crypto';
import { setProcessTimeout } from './timers.js';

/*
 * The keys of sessions: each session is sealed under a key of its own, which is derived from that of the app.
 */

/** Keys that a generation has at most. */
const MOST = 4096;

/** Milliseconds that a generation lasts, unless told otherwise. */
const LIFETIME = 60_000;

/**
 * Derives the keys of sessions from one key of the app, and keeps those of the sessions that were used last, so that a request
 * of a session that is in use derives none. A derived key is a function of the key of the app and the id alone: to whoever reads
 * the memory, where the key of the app is too, it tells only which sessions were in use. No token is kept, and no data.
 *
 * There are two generations. The younger one becomes the older one after a minute, or when it is full, and keys of the older
 * one that nobody has asked for meanwhile are overwritten. So a key is kept for one to two minutes after its last use.
 *
 * @see RFC 2104 (HMAC, here as a pseudorandom function of the id: one block, and nothing else uses that key)
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

  /**
   * The key of a session: 32 bytes, to be used at once, since they are overwritten later.
   *
   * @param isInUse whether the session is likely to be used soon. Otherwise a key that is not known is not kept
   */
  of(sessionId: string, isInUse: boolean): Buffer {
    const known = this.#younger.get(sessionId);
    if (known !== undefined) return known;
    return this.#isRemembering && isInUse ? this.#remember(sessionId) : this.#derive(sessionId);
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
    setProcessTimeout(() => {
      this.#isAgeing = false;
      this.#age();
      if (this.#older.size > 0) this.#ageLater();
    }, this.#lifetime);
  }

  #age(): void {
    for (const subkey of this.#older.values()) subkey.fill(0);
    this.#older = this.#younger;
    this.#younger = new Map();
  }
}
