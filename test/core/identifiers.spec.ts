import { toSessionId, toUserId, type UserId } from '../../src/core/identifiers.js';
import { toInstant } from '../../src/core/instant.js';
import { SessionDataError } from '../../src/core/session-errors.js';
import { openStore } from './support/open-store.js';

describe('a user id', () => {
  it.each<[UserId, string]>([
    ['ada', 'ada'],
    [1, '1'],
    ['1', '1'],
    [1n, '1'],
    [0, '0'],
    [-7, '-7'],
    [Number.MAX_SAFE_INTEGER, '9007199254740991'],
    [2n ** 64n, '18446744073709551616'],
    ['01', '01'],
    [' ', ' '],
    ['bob ', 'bob '],
    ['x'.repeat(255), 'x'.repeat(255)],
    ['👩‍🚀', '👩‍🚀'],
    ['null', 'null'],
    ['__proto__', '__proto__'],
  ])('%p is kept as the string %p', async (userId, kept) => {
    expect(toUserId(userId)).toBe(kept);
    const { store } = openStore();
    const { session, token } = await store.create({}, userId);
    expect(session.userId).toBe(kept);
    expect((await store.readByToken(token))?.userId).toBe(kept);
    expect(await store.listForUser(kept)).toHaveLength(1);
  });

  it.each<[unknown, string]>([
    ['', 'expected a non-empty string, got an empty one'],
    [undefined, 'expected a string, an integer or a bigint, got undefined'],
    [Number.NaN, 'got NaN'],
    [Infinity, 'got Infinity'],
    [1.5, 'got 1.5'],
    [2 ** 53, 'got 9007199254740992'],
    [true, 'got boolean'],
    [{ id: 1 }, 'got object'],
    [['1'], 'got object'],
    [Symbol('ada'), 'got symbol'],
    ['a\0b', 'expected no NUL character, got one'],
    ['x'.repeat(256), 'expected at most 255 characters, got 256'],
    ['💥'.repeat(128), 'expected at most 255 characters, got 256'],
    ['\ud800', 'expected well-formed Unicode, got a lone surrogate'],
    ['a\udc00b', 'got a lone surrogate'],
    [10n ** 255n, 'expected at most 255 characters, got 256'],
  ])('%p is refused', async (userId, message) => {
    expect(() => toUserId(userId as UserId)).toThrow(SessionDataError);
    expect(() => toUserId(userId as UserId)).toThrow(message);
    const { store, backend } = openStore();
    await expect(store.create({}, userId as UserId)).rejects.toThrow(message);
    expect(backend.stored.size).toBe(0);
  });

  it('is null for nobody, and only for create, save, put and cycle', () => {
    expect(() => toUserId(null as unknown as string)).toThrow('got null');
  });

  it('is compared byte for byte', async () => {
    const { store } = openStore();
    const different = ['Bob', 'bob', 'bob ', 'BOB', 'bób', 'bo\u0301b', 'ｂob'];
    for (const userId of different) await store.create({}, userId);
    for (const userId of different) {
      expect((await store.listForUser(userId)).map((session) => session.userId)).toEqual([userId]);
    }
  });
});

describe('a session id', () => {
  it.each([['a'], ['x'.repeat(255)], ['💥'], ['a/b?c#d'], ['__proto__'], [' ']])('may be %p', (id) => {
    expect(toSessionId(id)).toBe(id);
  });

  it.each<[unknown, string]>([
    ['', 'Invalid session id: expected a non-empty string, got an empty one'],
    ['x'.repeat(256), 'expected at most 255 characters, got 256'],
    ['\0', 'expected no NUL character, got one'],
    ['\udfff', 'got a lone surrogate'],
    [1, 'expected a string, got number'],
    [null, 'expected a string, got null'],
    [undefined, 'expected a string, got undefined'],
  ])('may not be %p', (id, message) => {
    expect(() => toSessionId(id as string)).toThrow(SessionDataError);
    expect(() => toSessionId(id as string)).toThrow(message);
  });
});

describe('an instant', () => {
  it('is a valid Date or finite milliseconds', () => {
    expect(toInstant('now', new Date(5))).toBe(5);
    expect(toInstant('now', 5.4)).toBe(5);
    for (const bad of [new Date('never'), Number.NaN, -Infinity, '5', null, undefined]) {
      expect(() => toInstant('now', bad as number)).toThrow(SessionDataError);
    }
  });
});
