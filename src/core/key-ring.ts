import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  hkdfSync,
  randomBytes,
  timingSafeEqual,
} from 'node:crypto';
import { SessionOptionsError, SessionStoreError, SessionTamperedError } from './session-errors.js';
import { Subkeys } from './subkeys.js';

/*
 * The option `key`: the keys that seal payloads and sign tokens, the first of which is used for what is new.
 */

/**
 * One key as an option: 32 bytes, or their base64, base64url or hex form. A string may hold several, comma-separated.
 */
export type KeyInput = Uint8Array | string;

/** Bytes of a key: AES-256. */
const KEY_BYTES = 32;
/** GCM nonce: 96 bits. @see NIST SP 800-38D, 8.2.2 (random construction) */
const NONCE_BYTES = 12;
/** GCM tag: 128 bits, the longest. @see NIST SP 800-38D, 5.2.1.2 */
const TAG_BYTES = 16;
const KEY_ID_BYTES = 4;

/** First byte of an envelope. */
const enum Format {
  Plaintext = 0,
  /** format (1) · key id (4) · nonce (12) · ciphertext · tag (16) */
  Aes256Gcm = 1,
}
const HEADER_BYTES = 1 + KEY_ID_BYTES + NONCE_BYTES;

/** `keyId` of rows that are not encrypted. */
export const PLAINTEXT_KEY_ID = 'plain';

/** Signs tokens where there is no key: random, so that nobody can guess a signature, and gone with the process. */
const PROCESS_KEY = randomBytes(KEY_BYTES);

interface RingKey {
  readonly id: string;
  readonly subkeys: Subkeys;
  readonly signing: Buffer;
}

/** A payload ready to store. */
export interface Envelope {
  readonly payload: Buffer;
  readonly keyId: string;
}

function derive(key: Uint8Array, purpose: string, length = KEY_BYTES): Buffer {
  return Buffer.from(hkdfSync('sha256', key, Buffer.alloc(0), `nest-sessions/1 ${purpose}`, length));
}

function decodeKey(input: KeyInput): Buffer {
  const key = bytesOf(input);
  const isOneByte = key.every((byte) => byte === key[0]);
  // The last of 43 characters holds 4 bits only, so it may differ from the others.
  if (!isOneByte && !/^(.)\1{41}/.test(key.toString('base64url'))) return key;
  throw new SessionOptionsError(
    `\`key\`: expected 32 random bytes, got one ${isOneByte ? 'byte' : 'character'} again and again. ${makeKeyHint()}`,
  );
}

/** As `decodeKey`; of several keys, the error says which one it is, counted from 0. */
function decodeOneOf(input: KeyInput, index: number, all: readonly KeyInput[]): Buffer {
  try {
    return decodeKey(input);
  } catch (error) {
    if (all.length === 1 || !(error instanceof SessionOptionsError)) throw error;
    throw new SessionOptionsError(error.message.replace(/^`key`/, `\`key[${index}]\``));
  }
}

function bytesOf(input: KeyInput): Buffer {
  if (input instanceof Uint8Array) {
    if (input.length === KEY_BYTES) return Buffer.from(input);
    throw new SessionOptionsError(`\`key\`: expected 32 bytes, got ${input.length}. ${makeKeyHint()}`);
  }
  const text = typeof input === 'string' ? input.trim() : '';
  const bytes = /^(?:[0-9a-f]{2})+$/i.test(text)
    ? Buffer.from(text, 'hex')
    : /^[A-Za-z0-9+/_-]+={0,2}$/.test(text)
      ? Buffer.from(text, 'base64url')
      : null;
  if (bytes?.length === KEY_BYTES) return bytes;
  const got =
    typeof input !== 'string'
      ? typeof input
      : bytes
        ? `${bytes.length} bytes`
        : text === ''
          ? 'an empty string'
          : 'other text';
  throw new SessionOptionsError(
    `\`key\`: expected 32 bytes as base64, base64url or hex, got ${got}. ${makeKeyHint()}`,
  );
}

/** The command that makes a key, for error messages. */
export function makeKeyHint(): string {
  return `Make one with: node -e "console.log(require('crypto').randomBytes(32).toString('base64url'))"`;
}

/**
 * The keys of an app. The first seals and signs; all of them open and verify. From each, independent keys for
 * encryption and for token signatures are derived (HKDF-SHA256), and from the former one subkey per session, so
 * that random nonces never come near their bound under one key.
 *
 * @see RFC 5869 (HKDF); NIST SP 800-38D, 8.3 (at most 2^32 random nonces per key)
 */
export class KeyRing {
  readonly #keys: readonly RingKey[];
  readonly #signing: readonly Buffer[];

  private constructor(keys: readonly RingKey[]) {
    this.#keys = keys;
    this.#signing = keys.length === 0 ? [PROCESS_KEY] : keys.map(({ signing }) => signing);
  }

  /**
   * @throws SessionOptionsError when there is no key, one is not 32 bytes or is one byte or character repeated, or two
   *   are the same. Never prints a key.
   */
  static of(input: KeyInput | readonly KeyInput[], memo = true): KeyRing {
    const inputs: readonly KeyInput[] = Array.isArray(input) ? input : [input];
    const parts = inputs.flatMap<KeyInput>((one) => (typeof one === 'string' ? one.split(',') : [one]));
    const keys = parts.map(decodeOneOf).map((key) => ({
      id: derive(key, 'key id', KEY_ID_BYTES).toString('hex'),
      subkeys: new Subkeys(derive(key, 'seal payloads'), memo),
      signing: derive(key, 'sign tokens'),
    }));
    if (keys.length === 0)
      throw new SessionOptionsError('`key`: expected at least one key, got an empty list');
    if (new Set(keys.map((key) => key.id)).size < keys.length) {
      throw new SessionOptionsError('`key`: expected distinct keys, got the same one twice');
    }
    return new KeyRing(keys);
  }

  /**
   * No encryption; tokens are signed by a random key of this process, so that none outlives it, and none is known to
   * another one. For development only.
   */
  static plaintext(): KeyRing {
    return new KeyRing([]);
  }

  get isPlaintext(): boolean {
    return this.#keys.length === 0;
  }

  /** Ids of the keys, the one that seals first. An id says nothing about its key. */
  get keyIds(): readonly string[] {
    return this.isPlaintext ? [PLAINTEXT_KEY_ID] : this.#keys.map((key) => key.id);
  }

  /**
   * Encrypts `text` for one session and owner: AES-256-GCM under the session's subkey, with both as associated
   * data.
   */
  seal(text: string, sessionId: string, userId: string | null): Envelope {
    const [key] = this.#keys;
    if (key === undefined) {
      return {
        payload: Buffer.concat([Buffer.of(Format.Plaintext), Buffer.from(text)]),
        keyId: PLAINTEXT_KEY_ID,
      };
    }
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv('aes-256-gcm', key.subkeys.of(sessionId, true), nonce);
    const header = Buffer.concat([Buffer.of(Format.Aes256Gcm), Buffer.from(key.id, 'hex'), nonce]);
    cipher.setAAD(associatedData(header, sessionId, userId));
    const payload = Buffer.concat([header, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]);
    return { payload, keyId: key.id };
  }

  /**
   * Decrypts what `seal` made for the same session and owner.
   *
   * @param isInUse whether the session is likely to be used soon, so that its key is kept
   * @throws SessionTamperedError when it was altered or belongs to another session or user
   * @throws SessionStoreError when it names a key that is not in the ring: a key was removed too early
   */
  open(payload: Buffer, sessionId: string, userId: string | null, isInUse = false): string {
    const format: number | undefined = payload[0];
    if (format === Format.Plaintext && this.isPlaintext) return payload.toString('utf8', 1);
    if (format === Format.Plaintext) throw unknownKey('a payload stored without encryption');
    if (format !== Format.Aes256Gcm || payload.length < HEADER_BYTES + TAG_BYTES) throw tampered();
    const id = payload.toString('hex', 1, 1 + KEY_ID_BYTES);
    const key = this.#keys.find((one) => one.id === id);
    if (key === undefined) throw unknownKey(`a payload sealed by the key ${id}`);
    const header = payload.subarray(0, HEADER_BYTES);
    const nonce = header.subarray(1 + KEY_ID_BYTES);
    const decipher = createDecipheriv('aes-256-gcm', key.subkeys.of(sessionId, isInUse), nonce, {
      authTagLength: TAG_BYTES,
    });
    decipher.setAAD(associatedData(header, sessionId, userId));
    decipher.setAuthTag(payload.subarray(-TAG_BYTES));
    const opened = decipher.update(payload.subarray(HEADER_BYTES, -TAG_BYTES));
    try {
      decipher.final();
    } catch (cause) {
      throw tampered(cause);
    }
    return opened.toString();
  }

  /** The signature of `text` by the first key: 22 base64url characters, 128 bits. */
  sign(text: string): string {
    return signatureOf(text, this.#signing[0] ?? PROCESS_KEY);
  }

  /** Whether any key has signed `text` so. Compared in constant time. */
  isSigned(text: string, signature: string): boolean {
    const given = Buffer.from(signature);
    return this.#signing.some((key) => {
      const expected = Buffer.from(signatureOf(text, key));
      return given.length === expected.length && timingSafeEqual(given, expected);
    });
  }
}

const BASE64URL = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

/**
 * The first 128 bits of a MAC, in base64url as that is: 21 characters, and 2 bits of the next. A digest of the whole
 * MAC as text, cut, takes two thirds of the time that one as a Buffer takes.
 *
 * @see RFC 2104, 5 (a truncated MAC, of at least half of the hash)
 */
function signatureOf(text: string, key: Buffer): string {
  const mac = createHmac('sha256', key).update(text).digest('base64url');
  return mac.slice(0, 21) + BASE64URL.charAt(BASE64URL.indexOf(mac.charAt(21)) & 0b110000);
}

function associatedData(header: Buffer, sessionId: string, userId: string | null): Buffer {
  const owner = JSON.stringify([sessionId, userId]);
  const data = Buffer.allocUnsafe(header.length + Buffer.byteLength(owner));
  header.copy(data);
  data.write(owner, header.length);
  return data;
}

function tampered(cause?: unknown): SessionTamperedError {
  return new SessionTamperedError(
    'The stored payload of the session does not open: it was altered, or moved from another session or user. ' +
      'Revoke the session, and find out who can write to its table',
    { cause },
  );
}

function unknownKey(what: string): SessionStoreError {
  return new SessionStoreError(
    `Storage holds ${what}, which the configured \`key\` does not contain. ` +
      'Append the missing key to the `key` option; remove a key only after the longest `absoluteTtl`',
  );
}
