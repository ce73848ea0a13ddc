import fc from 'fast-check';
import { createHmac } from 'node:crypto';
import { HmacSha256 } from '../../src/core/hmac-sha256.js';
import { PROPERTY_SEED } from './support/property-seed.js';

describe('HMAC-SHA256', () => {
  it('is what node:crypto makes of it, for any key and text, also after others', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 64 }),
        fc.array(fc.string({ unit: 'binary', maxLength: 1_500 }), { minLength: 1, maxLength: 4 }),
        (key, texts) => {
          const hmac = new HmacSha256(key);
          for (const text of texts) {
            expect(hmac.digest(text).toString('hex')).toBe(
              createHmac('sha256', key).update(text).digest('hex'),
            );
          }
        },
      ),
      { seed: PROPERTY_SEED, numRuns: 500 },
    );
  });

  // RFC 4231, 4.2 and 4.3
  it.each([
    [Buffer.alloc(20, 0x0b), 'Hi There', 'b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7'],
    [
      Buffer.from('Jefe'),
      'what do ya want for nothing?',
      '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
    ],
  ])('has the values of RFC 4231: %#', (key, text, expected) => {
    expect(new HmacSha256(key).digest(text).toString('hex')).toBe(expected);
  });

  it('refuses a key longer than a block', () => {
    expect(() => new HmacSha256(Buffer.alloc(65))).toThrow('at most 64 bytes, got 65');
  });
});
