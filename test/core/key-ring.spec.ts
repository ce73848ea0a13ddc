import { inspect } from 'node:util';
import { type KeyInput, KeyRing } from '../../src/core/key-ring.js';
import {
  SessionOptionsError,
  SessionStoreError,
  SessionTamperedError,
} from '../../src/core/session-errors.js';
import { KEY, openStore, OTHER_KEY } from './support/open-store.js';

const TEXT = '{"cart":["book"],"text":"Grüße 💥"}';

describe('a key', () => {
  it.each<[string, KeyInput]>([
    ['a Buffer', KEY],
    ['a Uint8Array', new Uint8Array(KEY)],
    ['base64', KEY.toString('base64')],
    ['base64 without padding', KEY.toString('base64').replace(/=+$/, '')],
    ['base64url', KEY.toString('base64url')],
    ['hex', KEY.toString('hex')],
    ['upper-case hex', KEY.toString('hex').toUpperCase()],
    ['text with white space around it', ` ${KEY.toString('base64')}\n`],
  ])('may be %s: it is the same key', (_name, form) => {
    const { payload } = KeyRing.of(KEY).seal(TEXT, 'id', 'ada');
    expect(KeyRing.of(form).open(payload, 'id', 'ada')).toBe(TEXT);
  });

  it('may hold + / - and _', () => {
    const key = Buffer.from('fbef'.repeat(16), 'hex');
    expect(key.toString('base64')).toMatch(/[+/]/);
    for (const form of ['base64', 'base64url'] as const) {
      expect(KeyRing.of(key.toString(form)).keyIds).toEqual(KeyRing.of(key).keyIds);
    }
  });

  it.each<[string, unknown, string]>([
    ['31 bytes', KEY.subarray(1), 'expected 32 bytes, got 31'],
    ['33 bytes', Buffer.alloc(33), 'expected 32 bytes, got 33'],
    ['0 bytes', Buffer.alloc(0), 'expected 32 bytes, got 0'],
    ['31 bytes as base64', KEY.subarray(1).toString('base64'), 'base64, base64url or hex, got 31 bytes'],
    ['31 bytes as hex', KEY.subarray(1).toString('hex'), 'base64, base64url or hex, got 31 bytes'],
    ['33 bytes as hex', Buffer.alloc(33, 'k').toString('hex'), 'base64, base64url or hex, got 33 bytes'],
    ['a password', 'correct horse battery staple', 'got other text'],
    ['a word', 'secret', 'got 4 bytes'],
    ['white space', '  ', 'got an empty string'],
    ['a dangling comma', `${KEY.toString('hex')},`, 'got an empty string'],
    ['32 zeros', Buffer.alloc(32), 'expected 32 random bytes, got one byte again and again'],
    ['one byte 32 times', new Uint8Array(32).fill(7), 'got one byte again and again'],
    ['one byte as base64', Buffer.alloc(32, 7).toString('base64'), 'got one byte again and again'],
    ['one byte as hex', '5a'.repeat(32), 'got one byte again and again'],
    ['zeros as hex', '0'.repeat(64), 'got one byte again and again'],
    ['one letter as base64', `${'a'.repeat(43)}=`, 'got one character again and again'],
    ['one letter as base64url', ` ${'_'.repeat(43)}`, 'got one byte again and again'],
    ['one digit as base64', '1'.repeat(43), 'got one character again and again'],
    ['the bytes of one letter', Buffer.from('x'.repeat(43), 'base64'), 'got one character again and again'],
    ['one of a list', [KEY, Buffer.alloc(32, 1)], 'got one byte again and again'],
    ['one of a string', `${KEY.toString('hex')},${'a'.repeat(64)}`, 'got one byte again and again'],
    ['a number', 42, 'got number'],
    ['an object', {}, 'got object'],
    ['true', true, 'got boolean'],
    ['a list that holds undefined', [undefined], 'got undefined'],
    ['an empty list', [], 'expected at least one key, got an empty list'],
    ['the same key twice', [KEY, KEY.toString('hex')], 'expected distinct keys, got the same one twice'],
  ])('is refused as %s', (_name, input, message) => {
    expect(() => KeyRing.of(input as KeyInput)).toThrow(SessionOptionsError);
    expect(() => KeyRing.of(input as KeyInput)).toThrow(message);
  });

  it('is never in the message that refuses it', () => {
    const secrets = [KEY.subarray(1).toString('base64'), KEY.toString('latin1'), `${KEY.toString('hex')}ab`];
    for (const secret of secrets) {
      const refused = String(thrownBy(() => KeyRing.of([OTHER_KEY, secret])));
      for (let at = 0; at + 8 <= secret.length; at++) expect(refused).not.toContain(secret.slice(at, at + 8));
    }
  });

  it('is not to be seen in the ring or the store that holds it, nor is what is derived from it', () => {
    const ring = KeyRing.of(KEY);
    expect(inspect(ring, { depth: 9, showHidden: true })).not.toContain('Buffer');
    expect(JSON.stringify(ring)).toBe('{}');
    const { store } = openStore({ key: KEY });
    const shown = inspect(store, { depth: 20 }) + JSON.stringify(store);
    expect(shown).not.toMatch(/"type":"Buffer"|<Buffer|first key of the tests/);
  });
});

describe('seal and open', () => {
  const ring = KeyRing.of([KEY, OTHER_KEY]);

  it('round-trips any text, for one session and user', () => {
    for (const text of ['', 'x', TEXT, '\0', 'x'.repeat(100_000)]) {
      expect(ring.open(ring.seal(text, 'id', null).payload, 'id', null)).toBe(text);
    }
  });

  it('never makes the same envelope twice', () => {
    const sealed = Array.from({ length: 200 }, () => ring.seal(TEXT, 'id', 'ada').payload.toString('hex'));
    expect(new Set(sealed).size).toBe(200);
    expect(new Set(sealed.map((one) => one.slice(10, 34))).size).toBe(200);
  });

  it('shows nothing of the text in the envelope', () => {
    const { payload } = ring.seal(TEXT, 'id', 'ada');
    expect(payload.length).toBe(1 + 4 + 12 + Buffer.byteLength(TEXT) + 16);
    expect(payload.includes('cart')).toBe(false);
  });

  it('refuses an envelope that was moved to another session or user', () => {
    const { payload } = ring.seal(TEXT, 'id', 'ada');
    const elsewhere: ReadonlyArray<[string, string | null]> = [
      ['other', 'ada'],
      ['id', 'bob'],
      ['id', null],
      ['ID', 'ada'],
      ['id","ada', ''],
      ['id', 'ada"'],
    ];
    for (const [id, userId] of elsewhere)
      expect(() => ring.open(payload, id, userId)).toThrow(SessionTamperedError);
    const anonymous = ring.seal(TEXT, 'id', null).payload;
    expect(() => ring.open(anonymous, 'id', 'null')).toThrow(SessionTamperedError);
  });

  it('refuses every flip of a single bit, and every cut', () => {
    const { payload } = ring.seal(TEXT, 'id', 'ada');
    for (let bit = 0; bit < payload.length * 8; bit++) {
      const flipped = Buffer.from(payload);
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      const error = thrownBy(() => ring.open(flipped, 'id', 'ada'));
      const isNamedWrong = bit < 5 * 8;
      expect(error).toBeInstanceOf(
        isNamedWrong && !(error instanceof SessionTamperedError) ? SessionStoreError : SessionTamperedError,
      );
    }
    for (let length = 0; length < payload.length; length++) {
      expect(() => ring.open(payload.subarray(0, length), 'id', 'ada')).toThrow(SessionTamperedError);
    }
    expect(() => ring.open(Buffer.concat([payload, Buffer.of(0)]), 'id', 'ada')).toThrow(
      SessionTamperedError,
    );
  });

  it('opens what the first release has sealed: the format stays', () => {
    const stored = 'Abt7yeXGp+lz7GY+yPDjTnosEWOz0mbxBAEZC3gQCyyanvBYUH3we3CKjEwwcezVpzw=';
    const opened = ring.open(Buffer.from(stored, 'base64'), '01ARZ3NDEKTSV4RRFFQ69G5FAV', 'ada');
    expect(opened).toBe('{"cart":["book"]}');
    expect(ring.keyIds[0]).toBe('bb7bc9e5');
  });

  it('takes an unknown key for an operator’s mistake, and says what to do without telling a key', () => {
    const { payload, keyId } = KeyRing.of(OTHER_KEY).seal(TEXT, 'id', 'ada');
    const error = thrownBy(() => KeyRing.of(KEY).open(payload, 'id', 'ada'));
    expect(error).toBeInstanceOf(SessionStoreError);
    expect(String(error)).toMatch(
      new RegExp(`sealed by the key ${keyId}, .*Append the missing key to the \`key\` option`),
    );
    expect(String(error)).not.toContain(OTHER_KEY.toString('hex').slice(0, 8));
  });
});

describe('without encryption', () => {
  it('a payload is readable, and opens', () => {
    const { payload, keyId } = KeyRing.plaintext().seal(TEXT, 'id', 'ada');
    expect(keyId).toBe('plain');
    expect(payload.toString('utf8', 1)).toBe(TEXT);
    expect(KeyRing.plaintext().open(payload, 'id', 'ada')).toBe(TEXT);
  });

  it('a payload planted under a ring with keys does not open: no downgrade', () => {
    const { payload } = KeyRing.plaintext().seal(TEXT, 'id', 'ada');
    expect(() => KeyRing.of(KEY).open(payload, 'id', 'ada')).toThrow(/a payload stored without encryption/);
  });

  it('a sealed payload does not open', () => {
    const { payload } = KeyRing.of(KEY).seal(TEXT, 'id', 'ada');
    expect(() => KeyRing.plaintext().open(payload, 'id', 'ada')).toThrow(SessionStoreError);
  });
});

function thrownBy(call: () => unknown): unknown {
  try {
    call();
  } catch (error) {
    return error;
  }
  throw new Error('Nothing was thrown');
}
