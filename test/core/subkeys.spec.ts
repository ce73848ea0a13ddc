import { AsyncLocalStorage } from 'node:async_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { KeyRing } from '../../src/core/key-ring.js';
import { Subkeys } from '../../src/core/subkeys.js';
import { TokenIssuer } from '../../src/core/session-token.js';

/*
 * The vectors were made by other implementations: HKDF, HMAC and SHA-256 by the `hmac` and `hashlib` of Python 3.11, AES-256-GCM
 * by `javax.crypto` of OpenJDK 17.
 */
const KEY = Buffer.from(Array.from({ length: 32 }, (_, byte) => byte));
const ID = '01ARZ3NDEKTSV4RRFFQ69G5FAV';
const TEXT = '{"cart":["book"],"text":"Grüße 💥"}';
const SEALED =
  '01905a1697404142434445464748494a4b9e52cc884900253621ef285e63e684cf334fe7110fbe1a07cb8520ce9afd8e0ad580dbf5772082823d44ad366aed' +
  'a3da025d6ae1393fed';
const TOKEN =
  '01ARZ3NDEKTSV4RRFFQ69G5FAV00000aAAAAAAAAAAAAAAAAAAAAAAAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh851xxKMzMpYHl_A751cTo6Q';
const TOKEN_HASH = 'e86a63917a2aad107836abcf1dc5d0b76851b82fab51ce1cc2d681458aa70dc8';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const idOf = (number: number) => `session ${number}`;

describe.each([true, false])('what other implementations have made, with `memo: %s`', (memo) => {
  const ring = KeyRing.of(KEY, memo);

  it('is opened', () => {
    for (let times = 0; times < 3; times++)
      expect(ring.open(Buffer.from(SEALED, 'hex'), ID, 'ada')).toBe(TEXT);
  });

  it('is confirmed, and hashed the same', () => {
    const token = new TokenIssuer(ring).recognise(TOKEN);
    expect(token).toMatchObject({ sessionId: ID, generation: 10, hash: TOKEN_HASH });
  });

  it('is opened by no other session', () => {
    expect(ring.open(Buffer.from(SEALED, 'hex'), ID, 'ada')).toBe(TEXT);
    expect(() => ring.open(Buffer.from(SEALED, 'hex'), `${ID.slice(0, -1)}W`, 'ada')).toThrow(
      'does not open',
    );
  });
});

describe('the keys of sessions', () => {
  it('are derived once while the session is in use, and each time where they are not kept', () => {
    const kept = new Subkeys(KEY, true);
    expect(kept.of('one', true)).toBe(kept.of('one', true));
    expect(kept.of('one', true)).not.toEqual(kept.of('other', true));
    const notKept = new Subkeys(KEY, false);
    expect(notKept.of('one', true)).not.toBe(notKept.of('one', true));
    expect(notKept.of('one', true)).toEqual(kept.of('one', true));
  });

  it('are kept for 8,192 sessions at most: those of others are overwritten, and derived again', () => {
    const subkeys = new Subkeys(KEY, true);
    const [used, unused] = [subkeys.of('used', true), subkeys.of('unused', true)];
    const before = Buffer.from(unused);
    for (let number = 0; number < 3 * 4096; number++) {
      subkeys.of(idOf(number), true);
      if (number % 1000 === 0) expect(subkeys.of('used', true)).toBe(used);
    }
    expect(unused).toEqual(Buffer.alloc(32));
    expect(subkeys.of('unused', true)).toEqual(before);
    for (let number = 0; number < 3 * 4096; number++)
      expect(subkeys.of(idOf(number), true)).toEqual(new Subkeys(KEY, false).of(idOf(number), true));
  });

  it('are overwritten when nobody has asked for them for a while', async () => {
    const subkeys = new Subkeys(KEY, true, 20);
    const subkey = subkeys.of('one', true);
    expect(subkey).not.toEqual(Buffer.alloc(32));
    for (let waited = 0; waited < 5_000 && subkey.some((byte) => byte !== 0); waited += 20) await sleep(20);
    expect(subkey).toEqual(Buffer.alloc(32));
    expect(subkeys.of('one', true)).toEqual(new Subkeys(KEY, false).of('one', true));
  });

  it('are not kept for sessions that are only listed', () => {
    const subkeys = new Subkeys(KEY, true);
    expect(subkeys.of('listed', false)).not.toBe(subkeys.of('listed', false));
    expect(subkeys.of('used', true)).toBe(subkeys.of('used', false));
  });

  it('keep nothing of the request that asked for them first', async () => {
    const requests = new AsyncLocalStorage<object>();
    const subkeys = new Subkeys(KEY, true, 20);
    const held = requests.run({}, () => {
      subkeys.of('one', true);
      return new WeakRef(requests.getStore() ?? {});
    });
    for (let waited = 0; waited < 5_000 && held.deref() !== undefined; waited += 20) {
      subkeys.of('one', true); // which goes on to be asked for, so that the timer goes on
      await sleep(20);
      collectGarbage();
    }
    expect(held.deref()).toBeUndefined();
  });

  it('keep no process alive', () => {
    const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
    const before = timers();
    new Subkeys(KEY, true).of('one', true);
    expect(timers()).toBe(before);
  });
});
