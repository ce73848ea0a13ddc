import type { JsonObject } from './json-data.js';
import type { KeyRing } from './key-ring.js';
import type { FlashEntry, SessionContent, SessionMarks } from './session-content.js';
import { SessionStoreError, SessionTamperedError, SessionTooLargeError } from './session-errors.js';
import type { SessionRow } from './session-row.js';
import type { UnknownKeys } from './unknown-keys.js';

/*
 * Seals the content of a session into the payload of its row, and opens it again.
 */

/** Bytes of `meta` at most, as UTF-8 JSON: it comes from request headers, so a client must not choose its size. */
export const MAX_META_BYTES = 4096;

/**
 * Turns the content of a session into the encrypted payload of its row, and back. A payload opens only for the session
 * and user that it was sealed for.
 */
export class PayloadSealer {
  readonly #ring: KeyRing;
  readonly #maxDataBytes: number;
  readonly #unknownKeys: UnknownKeys | null;

  constructor(ring: KeyRing, maxDataBytes: number, unknownKeys: UnknownKeys | null = null) {
    this.#ring = ring;
    this.#maxDataBytes = maxDataBytes;
    this.#unknownKeys = unknownKeys;
  }

  /**
   * @param content JSON already, as `toJsonObject` makes it: nothing is checked twice
   * @throws SessionTooLargeError when it is larger than `maxDataBytes`, as UTF-8 JSON with the flashes
   */
  seal(content: SessionContent, id: string, userId: string | null): Pick<SessionRow, 'payload' | 'keyId'> {
    const data = JSON.stringify(content.data);
    const flashes = JSON.stringify(content.flashes);
    const meta = JSON.stringify(content.meta);
    const size = Buffer.byteLength(data) + (content.flashes.length > 0 ? Buffer.byteLength(flashes) : 0);
    if (size > this.#maxDataBytes) throw tooLarge('data', size, this.#maxDataBytes, '`maxDataBytes`');
    const metaSize = Buffer.byteLength(meta);
    if (metaSize > MAX_META_BYTES) throw tooLarge('meta', metaSize, MAX_META_BYTES, 'the limit');
    const marks = content.marks === undefined ? '' : `,${JSON.stringify(content.marks)}`;
    return this.#ring.seal(`[${meta},${flashes},${data}${marks}]`, id, userId);
  }

  /**
   * @param isInUse whether the session is likely to be used soon, so that its key is kept for a while
   * @throws SessionTamperedError when the payload was altered, or moved from another row or user
   * @throws SessionStoreError when it names an unknown key
   */
  open(row: Pick<SessionRow, 'id' | 'userId' | 'payload'>, isInUse = false): SessionContent {
    const text = this.#ring.open(row.payload, row.id, row.userId, isInUse);
    try {
      const [meta, flashes, data, marks] = JSON.parse(text) as [
        JsonObject,
        FlashEntry[],
        JsonObject,
        SessionMarks?,
      ];
      return marks === undefined ? { meta, flashes, data } : { meta, flashes, data, marks };
    } catch (cause) {
      throw new SessionTamperedError('The stored payload of the session is not what was stored', { cause });
    }
  }

  /** As `open`, for a client that presented a genuine token: an unknown key is noted then, for health checks. */
  openPresented(row: Pick<SessionRow, 'id' | 'userId' | 'payload' | 'keyId'>): SessionContent {
    try {
      return this.open(row, true);
    } catch (error) {
      if (error instanceof SessionStoreError) this.#unknownKeys?.met(row.keyId);
      throw error;
    }
  }
}

function tooLarge(what: string, size: number, limit: number, name: string): SessionTooLargeError {
  return new SessionTooLargeError(
    `Session ${what} of ${size} bytes is larger than ${name}, ${limit} bytes. Nothing was saved: ` +
      'keep large things in your own tables, and their ids in the session',
  );
}
