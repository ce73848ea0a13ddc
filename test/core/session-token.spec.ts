import { Console } from 'node:console';
import { createHash } from 'node:crypto';
import { Writable } from 'node:stream';
import { format, inspect } from 'node:util';
import { KeyRing } from '../../src/core/key-ring.js';
import { newKin, SessionToken, TokenIssuer } from '../../src/core/session-token.js';
import { KEY, OTHER_KEY } from './support/open-store.js';

const ID = '01ARZ3NDEKTSV4RRFFQ69G5FAV';
const FIRST = { generation: 0, kin: 'kinOfTheTokensOfSpecs0' };

describe('a SessionToken', () => {
  const token = new TokenIssuer(KeyRing.of(KEY)).issue(ID, FIRST);
  const secret = token.reveal().slice(26);

  it('prints [redacted]', () => {
    expect(String(token)).toBe('[redacted]');
    // oxlint-disable-next-line typescript/restrict-template-expressions -- what a careless log line does
    expect(`${token}`).toBe('[redacted]');
    expect(token + '').toBe('[redacted]');
    expect(JSON.stringify(token)).toBe('"[redacted]"');
    expect(JSON.stringify({ token, list: [token] })).toBe('{"token":"[redacted]","list":["[redacted]"]}');
    expect(inspect(token)).toBe('SessionToken [redacted]');
    expect(inspect({ deep: { token } })).toBe('{ deep: { token: SessionToken [redacted] } }');
    // oxlint-disable-next-line typescript/restrict-template-expressions -- the same
    expect(new Error(`no session for ${token}`).message).toBe('no session for [redacted]');
  });

  it('gives its secret away through `reveal()` alone', () => {
    let written = '';
    const stream = new Writable({ write: (chunk, _encoding, done) => ((written += String(chunk)), done()) });
    const log = new Console(stream, stream);
    log.log(token);
    log.error('%s %o %O %j', token, token, token, token);
    log.dir(token, { showHidden: true, depth: 9 });
    log.table([token]);
    const shown = [
      written,
      format('%s %o %O %j %d', token, token, token, token, token),
      format(token),
      inspect(token, { showHidden: true, showProxy: true, getters: true }),
      inspect(token, { customInspect: false, showHidden: true, getters: false }),
      inspect(new Error('failed', { cause: token })),
      String(Object.assign(new Error('failed'), { token })),
      inspect(Object.assign(new Error('failed'), { token })),
      JSON.stringify(Object.entries(token)),
      JSON.stringify(Object.assign({}, token)),
      JSON.stringify(structuredClone(token)),
      [token].join(),
      Object.getOwnPropertyNames(token).join(),
    ];
    expect(written).toContain('[redacted]');
    for (const text of shown) {
      expect(text).not.toContain(secret);
      expect(text).not.toContain(secret.slice(0, 12));
      expect(text).not.toContain(token.hash);
    }
  });

  it('names its session, and hashes to the SHA-256 that storage holds', () => {
    expect(token.sessionId).toBe(ID);
    expect(token.hash).toBe(createHash('sha256').update(token.reveal()).digest('hex'));
  });
});

describe('a issuer', () => {
  const issuer = new TokenIssuer(KeyRing.of(KEY));

  it('issues tokens of 256 random bits, which a cookie carries as they are', () => {
    const issued = Array.from({ length: 500 }, () => issuer.issue(ID, FIRST).reveal());
    expect(new Set(issued.map((text) => text.slice(54, 97))).size).toBe(500);
    for (const text of issued) expect(text).toMatch(/^[\w-]{119}$/);
    const sample = Buffer.concat(issued.map((text) => Buffer.from(text.slice(54, 97), 'base64url')));
    expect(sample.length).toBe(500 * 32);
    expect(new Set(sample).size).toBe(256);
  });

  it('recognises its own, and no other', () => {
    const token = issuer.issue(ID, FIRST);
    expect(issuer.recognise(token)?.reveal()).toBe(token.reveal());
    expect(issuer.recognise(token.reveal())).toBeInstanceOf(SessionToken);
    expect(new TokenIssuer(KeyRing.of(OTHER_KEY)).recognise(token)).toBeNull();
    expect(new TokenIssuer(KeyRing.of([OTHER_KEY, KEY])).recognise(token)?.reveal()).toBe(token.reveal());
    expect(new TokenIssuer(KeyRing.plaintext()).recognise(token)).toBeNull();
  });

  it('recognises what was issued before generations were counted, as older than any other', () => {
    const text = `${ID}XNTuidUEAfG0pcZyww4LTX60sE8YKXeRGkkW9W35pq8kz4GEz5-bLWD3eHjm1r5IQ`;
    expect(issuer.recognise(text)).toMatchObject({ sessionId: ID, generation: -1 });
  });

  it('issues tokens for ids with the suffix of a storage, whose parts are where they are in others', () => {
    const kin = newKin();
    for (const suffix of ['', '00', 'ZZ', '7K']) {
      const id = ID + suffix;
      const issued = issuer.issue(id, { generation: 71, kin });
      const found = issuer.recognise(issued.reveal());
      expect([found?.sessionId, found?.generation, found?.isKinOf(kin)]).toEqual([id, 71, true]);
      expect(found?.isKinOf(newKin())).toBe(false);
    }
    for (const suffix of ['0', '000', 'IL', 'ab', '_-'])
      expect(issuer.recognise(issuer.issue(ID + suffix, { generation: 0, kin }).reveal())).toBeNull();
  });

  it('issues tokens that say their generation, which the signature covers', () => {
    for (const generation of [0, 1, 35, 36, 1_000_000, 36 ** 6 - 1]) {
      const text = issuer.issue(ID, { ...FIRST, generation }).reveal();
      expect(issuer.recognise(text)?.generation).toBe(generation);
      const other = `${text.slice(0, 26)}${(generation === 0 ? 1 : 0).toString().padStart(6, '0')}${text.slice(32)}`;
      expect(issuer.recognise(other)).toBeNull();
      expect(issuer.recognise(text.slice(0, 26) + text.slice(54))).toBeNull();
      expect(issuer.recognise(text.slice(0, 32) + 'B'.repeat(22) + text.slice(54))).toBeNull();
    }
  });

  it('refuses a token whose session id was exchanged', () => {
    const [mine, others] = [
      issuer.issue(ID, FIRST).reveal(),
      issuer.issue('01BX5ZZKBKACTAV9WEVGEMMVRZ', FIRST).reveal(),
    ];
    expect(issuer.recognise(others.slice(0, 26) + mine.slice(26))).toBeNull();
  });

  it('signs without keys by a key of the process, which every ring in it has', () => {
    const plain = new TokenIssuer(KeyRing.plaintext());
    const text = plain.issue(ID, FIRST).reveal();
    expect(plain.recognise(text)?.reveal()).toBe(text);
    expect(new TokenIssuer(KeyRing.plaintext()).recognise(text)?.reveal()).toBe(text);
    expect(
      plain.recognise(`${text.slice(0, 30)}${text[30] === 'A' ? 'B' : 'A'}${text.slice(31)}`),
    ).toBeNull();
    expect(issuer.recognise(text)).toBeNull();
  });
});
