import fc from 'fast-check';
import { cloneJson, isSameJson, type JsonObject, toJsonObject } from '../../src/core/json-data.js';
import { SessionDataError, SessionTooLargeError } from '../../src/core/session-errors.js';
import { HOUR, openStore, START } from './support/open-store.js';
import { PROPERTY_SEED } from './support/property-seed.js';

class Product {
  readonly tags = ['new'];
  constructor(
    readonly name: string,
    readonly addedAt: Date,
  ) {}
  get label(): string {
    return this.name.toUpperCase();
  }
}

class Money {
  constructor(private readonly cents: number) {}
  toJSON() {
    return { amount: this.cents / 100, at: new Date(0) };
  }
}

describe('data becomes JSON', () => {
  it.each<[string, object, object]>([
    ['a Date', { at: new Date(0) }, { at: '1970-01-01T00:00:00.000Z' }],
    [
      'an entity, without its accessors',
      { p: new Product('pen', new Date(0)) },
      { p: { tags: ['new'], name: 'pen', addedAt: '1970-01-01T00:00:00.000Z' } },
    ],
    [
      'an entity as the data itself',
      new Product('pen', new Date(0)),
      { tags: ['new'], name: 'pen', addedAt: '1970-01-01T00:00:00.000Z' },
    ],
    [
      'what toJSON says, all the way down',
      { price: new Money(150) },
      { price: { amount: 1.5, at: '1970-01-01T00:00:00.000Z' } },
    ],
    ['an object without a prototype', Object.assign(Object.create(null) as object, { a: 1 }), { a: 1 }],
    ['undefined left out', { a: undefined, b: { c: undefined } }, { b: {} }],
    ['undefined and holes in arrays as null', { list: [undefined, , 1] }, { list: [null, null, 1] }], // oxlint-disable-line no-sparse-arrays
    [
      'boxed primitives',
      { s: new String('x'), n: new Number(1), b: new Boolean(false) },
      { s: 'x', n: 1, b: false },
    ],
    ['a Buffer', { bytes: Buffer.from('a') }, { bytes: { type: 'Buffer', data: [97] } }],
    ['a URL', { url: new URL('https://example.org/') }, { url: 'https://example.org/' }],
    ['symbol keys left out', { [Symbol('s')]: 1, a: 1 }, { a: 1 }],
    [
      'names of Object.prototype',
      { constructor: 1, toString: 'x', hasOwnProperty: null },
      { constructor: 1, toString: 'x', hasOwnProperty: null },
    ],
    ['any text', { '': '\0 \ud800 💥 \u2028', 'a b': '"' }, { '': '\0 \ud800 💥 \u2028', 'a b': '"' }],
    [
      'the same object twice',
      ((shared) => ({ a: shared, b: shared }))({ n: 1 }),
      { a: { n: 1 }, b: { n: 1 } },
    ],
  ])('%s', async (_name, data, json) => {
    expect(toJsonObject(data)).toEqual(json);
    const { store } = openStore();
    const { session } = await store.create({}, null, data);
    expect(session.data).toEqual(json);
    expect((await store.load(session.id))?.data).toEqual(json);
  });

  it('as JSON.stringify would have it, whatever JSON it is', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (data) => {
        fc.pre(!JSON.stringify(data).includes('"__proto__":'));
        expect(JSON.stringify(toJsonObject(data))).toBe(JSON.stringify(data));
      }),
      { seed: PROPERTY_SEED, numRuns: 1_000 },
    );
  });

  it('or is refused as SessionDataError, whatever it is', () => {
    const anything = fc.anything({
      withBigInt: true,
      withBoxedValues: true,
      withDate: true,
      withMap: true,
      withNullPrototype: true,
      withSet: true,
      withSparseArray: true,
      withTypedArray: true,
    });
    fc.assert(
      fc.property(anything, (value) => {
        let json: object = {};
        try {
          json = toJsonObject({ value });
        } catch (error) {
          expect(error).toBeInstanceOf(SessionDataError);
          expect(String(error)).toContain('`data.value');
        }
        expect(JSON.parse(JSON.stringify(json))).toEqual(JSON.parse(JSON.stringify(toJsonObject(json))));
      }),
      { seed: PROPERTY_SEED, numRuns: 3_000 },
    );
  });
});

const cycle: Record<string, unknown> = { name: 'cycle' };
cycle['list'] = [{ back: cycle }];
const nested = (depth: number): object => (depth === 0 ? {} : { in: nested(depth - 1) });

describe('data is refused, with the path of the offending value:', () => {
  it.each<[string, object, string]>([
    ['a bigint', { a: { b: [0, 1n] } }, '`data.a.b[1]` is a bigint'],
    ['NaN', { n: Number.NaN }, '`data.n` is NaN'],
    ['Infinity', { n: [-Infinity] }, '`data.n[0]` is -Infinity'],
    ['a Map', { m: new Map() }, '`data.m` is a Map'],
    ['a Set', { s: new Set([1]) }, '`data.s` is a Set'],
    ['a WeakMap', { m: new WeakMap() }, '`data.m` is a WeakMap'],
    ['a promise', { p: Promise.resolve() }, '`data.p` is a Promise'],
    ['a RegExp', { r: /x/ }, '`data.r` is a RegExp'],
    ['an Error', { e: new TypeError('x') }, '`data.e` is a TypeError'],
    ['a typed array', { bytes: new Float64Array(2) }, '`data.bytes` is a Float64Array'],
    ['a function', { f: () => 1 }, '`data.f` is a function'],
    ['a class', { f: Product }, '`data.f` is a function'],
    ['a symbol', { s: Symbol('x') }, '`data.s` is a symbol'],
    ['an invalid Date', { at: new Date('never') }, '`data.at` is an invalid Date'],
    ['a cycle', cycle, '`data.list[0].back` is a cycle'],
    ['a toJSON that gives a bigint', { x: { toJSON: () => 1n } }, '`data.x` is a bigint'],
    ['a boxed bigint', { x: Object(1n) as object }, '`data.x` is a bigint'],
    [
      'an own key __proto__',
      JSON.parse('{"a":{"__proto__":{"isAdmin":true}}}') as object,
      '`data.a.__proto__` is a key that would change a prototype',
    ],
    [
      'a changed prototype',
      { a: Object.create({ isAdmin: true }) as object },
      '`data.a.__proto__` is a changed prototype',
    ],
    [
      'a changed prototype of the data itself',
      Object.create({ isAdmin: true }) as object,
      '`data.__proto__` is a changed prototype',
    ],
    ['a key that is no name', { 'a b': { '0': 1n } }, '`data["a b"]["0"]` is a bigint'],
    ['deep nesting', nested(100), 'nested more than 100 levels deep'],
    [
      'an endless toJSON',
      ((o: { toJSON?: () => object }) => Object.assign(o, { toJSON: () => ({ o }) }))({}),
      'is a cycle',
    ],
    ['a list as the data', [], 'Session data must be an object, but `data` is an array'],
    ['a Date as the data', new Date(0), '`data` is a Date'],
    ['null as the data', null as unknown as object, '`data` is null'],
    ['a text as the data', 'x' as unknown as object, '`data` is a string'],
  ])('%s', async (_name, data, message) => {
    expect(() => toJsonObject(data)).toThrow(SessionDataError);
    expect(() => toJsonObject(data)).toThrow(message);
    const { store, backend } = openStore();
    const { session } = await store.create({}, null, { old: true });
    await expect(store.flush(session.id, data, START, START + HOUR)).rejects.toThrow(message);
    expect((await store.load(session.id))?.data).toEqual({ old: true });
    await expect(store.create({}, null, data)).rejects.toThrow(message);
    expect(backend.stored.size).toBe(1);
  });

  it('a path as long as you like, cut', () => {
    const data = { ['x'.repeat(1_000)]: 1n };
    expect(() => toJsonObject(data)).toThrow(
      /^Session data must be JSON, but `data.x{188,}\.\.\.` is a bigint/,
    );
  });

  it('but 99 levels are fine, and nothing is polluted', () => {
    expect(toJsonObject(nested(99))).toEqual(nested(99));
    expect(({} as Record<string, unknown>)['isAdmin']).toBeUndefined();
  });
});

describe('the size of data', () => {
  it('is counted in bytes of JSON, and may be `maxDataBytes` exactly', async () => {
    const { store } = openStore({ maxDataBytes: 100 });
    const withText = (text: string) => store.create({}, null, { t: text });
    await withText('x'.repeat(92));
    await withText('ü'.repeat(46));
    await expect(withText('x'.repeat(93))).rejects.toThrow(
      'Session data of 101 bytes is larger than `maxDataBytes`, 100 bytes',
    );
    await expect(withText('ü'.repeat(47))).rejects.toThrow(SessionTooLargeError);
  });

  it('of 1 MB is refused: nothing is saved, the old data is intact', async () => {
    const { store } = openStore();
    const { session } = await store.create({}, 'ada', { old: true });
    const data = { text: 'x'.repeat(1_000_000) };
    await expect(store.flush(session.id, data, START, START + HOUR)).rejects.toThrow(
      'Session data of 1000011 bytes is larger than `maxDataBytes`, 16384 bytes. Nothing was saved',
    );
    expect((await store.load(session.id))?.data).toEqual({ old: true });
  });

  it('of 1 MB is stored when the limit allows it', async () => {
    const { store } = openStore({ maxDataBytes: 2_000_000 });
    const { token } = await store.create({}, 'ada', { text: 'ü'.repeat(500_000) });
    expect((await store.readByToken(token))?.data['text']).toBe('ü'.repeat(500_000));
  });
});

describe('JSON that has not been changed', () => {
  it('is told at a glance, for a copy that shares nothing with it', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (data) => {
        fc.pre(!JSON.stringify(data).includes('"__proto__":'));
        const stored = toJsonObject(data);
        const copy = cloneJson(stored);
        expect(copy).toEqual(stored);
        expect(isSameJson(copy, stored)).toBe(true);
        for (const [key, value] of Object.entries(copy)) {
          if (typeof value === 'object' && value !== null) expect(value).not.toBe(stored[key]);
        }
      }),
      { seed: PROPERTY_SEED, numRuns: 500 },
    );
  });

  it.each<[string, object, JsonObject]>([
    ['another value', { a: 1 }, { a: 2 }],
    ['another value, far down', { a: [{ b: [1, { c: null }] }] }, { a: [{ b: [1, { c: 0 }] }] }],
    ['one key more', { a: 1, b: 2 }, { a: 1 }],
    ['one key less', { a: 1 }, { a: 1, b: 2 }],
    ['a key that is undefined', { a: 1, b: undefined }, { a: 1 }],
    ['a key of another name', { a: 1, c: 2 }, { a: 1, b: 2 }],
    ['the keys in another order', { b: 2, a: 1 }, { a: 1, b: 2 }],
    ['one item more', { a: [1, 2] }, { a: [1] }],
    ['an array for an object', { a: [] }, { a: {} }],
    ['an object for an array', { a: {} }, { a: [] }],
    ['a Map for an empty object', { a: new Map([[1, 2]]) }, { a: {} }],
    ['NaN for null', { a: NaN }, { a: null }],
    ['a Date for its text', { a: new Date(0) }, { a: '1970-01-01T00:00:00.000Z' }],
    ['an array with a toJSON', { a: Object.assign([1], { toJSON: () => [2] }) }, { a: [1] }],
    ['an object of a class', { a: new Product('pen', new Date(0)) }, { a: { tags: ['new'], name: 'pen' } }],
  ])('is not taken for unchanged: %s', (_name, value, stored) => {
    expect(isSameJson(value, stored)).toBe(false);
  });
});
