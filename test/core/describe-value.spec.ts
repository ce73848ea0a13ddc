import { describeKind, describeValue, typeName } from '../../src/core/describe-value.js';

describe('a value in an error', () => {
  it.each<[unknown, string]>([
    ['soon', "'soon'"],
    ['x'.repeat(40), `'${'x'.repeat(40)}'`],
    ['x'.repeat(41), 'a text of 41 characters'],
    [3, '3'],
    [5n, '5'],
    [null, 'null'],
    [undefined, 'undefined'],
    [Symbol('s'), 'Symbol(s)'],
    [[1, 2], 'an array'],
    [{ a: 1 }, 'an object'],
    [Object.create(null), 'an object'],
    [() => 1, 'a function'],
  ])('%p is shown by kind, or by its text when that is short', (value, shown) => {
    expect(describeValue(value)).toBe(shown);
  });
});

class Product {
  readonly secret = 'xyzzy';
}

/** Of a class without a name. */
const nameless = new (class {
  readonly secret = 'xyzzy';
})();

describe('the kind of a value in an error', () => {
  it.each<[unknown, string, string]>([
    [null, 'null', 'null'],
    [undefined, 'undefined', 'undefined'],
    ['xyzzy', 'a string', 'string'],
    [3, 'a number', 'number'],
    [5n, 'a bigint', 'bigint'],
    [true, 'a boolean', 'boolean'],
    [Symbol('xyzzy'), 'a symbol', 'symbol'],
    [() => 1, 'a function', 'function'],
    [['xyzzy'], 'an array', 'object'],
    [{ secret: 'xyzzy' }, 'an object', 'object'],
    [Object.create(null), 'an object', 'object'],
    [{ constructor: 'xyzzy' }, 'an object', 'object'],
    [nameless, 'an object', 'object'],
    [new Map([['secret', 'xyzzy']]), 'a Map', 'object'],
    [new Product(), 'a Product', 'object'],
  ])('%p is %s, of the type %s', (value, kind, type) => {
    expect(describeKind(value)).toBe(kind);
    expect(typeName(value)).toBe(type);
  });
});

describe('no form of a key', () => {
  const key = Buffer.alloc(32, 'xyzzy');

  it.each<unknown>([
    key,
    [key],
    { key },
    key.toString('base64'),
    key.toString('base64url'),
    key.toString('hex'),
  ])('is printed', (value) => {
    for (const text of [describeValue(value), describeKind(value), typeName(value)]) {
      expect(text).toMatch(/^(a|an) [\w ]+$|^(object|string)$/);
      expect(text).not.toContain('eHl6en');
      expect(text).not.toContain('78797a');
    }
  });
});
