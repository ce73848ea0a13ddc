import { createHmac, hash } from 'node:crypto';

/** Bytes that SHA-256 takes at a time. */
const BLOCK = 64;
/** Bytes of text whose signature takes no memory of its own. */
const ROOM = 1024;

/**
 * HMAC-SHA256 under one key, for the short texts of every request: two one-shot hashes over a buffer that is reused.
 * `createHmac` makes an object of OpenSSL for each, which the garbage collector has to finalise.
 *
 * @see RFC 2104
 */
export class HmacSha256 {
  readonly #inner = Buffer.alloc(BLOCK + ROOM, 0x36);
  readonly #outer = Buffer.alloc(BLOCK + 32, 0x5c);

  /** @param key at most 64 bytes */
  constructor(private readonly key: Uint8Array) {
    if (key.length > BLOCK)
      throw new RangeError(`Expected a key of at most ${BLOCK} bytes, got ${key.length}`);
    for (const [index, byte] of key.entries()) {
      this.#inner[index] = byte ^ 0x36;
      this.#outer[index] = byte ^ 0x5c;
    }
  }

  /** Of the UTF-8 bytes of `text`. */
  digest(text: string): Buffer {
    if (text.length * 3 > ROOM) return createHmac('sha256', this.key).update(text).digest();
    const end = BLOCK + this.#inner.write(text, BLOCK, 'utf8');
    this.#outer.write(hash('sha256', this.#inner.subarray(0, end), 'hex'), BLOCK, 'hex');
    return Buffer.from(hash('sha256', this.#outer, 'hex'), 'hex');
  }
}
