import { type Duration, parseDuration, parseLifetime } from '../../src/core/duration.js';
import { SessionOptionsError } from '../../src/core/session-errors.js';

const DAY = 86_400_000;

describe('a duration', () => {
  it.each<[Duration, number]>([
    [1, 1],
    [90_000, 90_000],
    [1.4, 1],
    ['250ms', 250],
    ['30s', 30_000],
    ['30 s', 30_000],
    ['15m', 900_000],
    ['1.5h', 5_400_000],
    ['24H', DAY],
    ['30d', 30 * DAY],
    ['2 weeks', 14 * DAY],
    ['1y', 365.25 * DAY],
    ['100y', 36_525 * DAY],
  ])('%p is %p milliseconds', (value, expected) => {
    expect(parseDuration('ttl', value)).toBe(expected);
  });

  it.each([
    [0],
    [-1],
    [0.4],
    [Number.NaN],
    [Infinity],
    [36_526 * DAY],
    ['0s'],
    ['0.4ms'],
    ['-5m'],
    ['101y'],
    ['90'],
    ['1e3'],
    ['soon'],
    ['5 parsecs'],
    ['5m 3s'],
    [''],
    ['  '],
    [`${'1'.repeat(200)}s`],
    [null],
    [undefined],
    [true],
    [5n],
    [{}],
    [new Date()],
    [['5m']],
  ])('%p is none', (value) => {
    expect(() => parseDuration('ttl', value as Duration)).toThrow(SessionOptionsError);
    expect(() => parseDuration('ttl', value as Duration)).toThrow(
      /^`ttl`: expected a positive duration, as milliseconds or a string such as '30m', got ./,
    );
  });
});

describe('a lifetime', () => {
  it.each<[Duration, number]>([
    [60_000, 60_000],
    ['5s', 5_000],
    ['1ms', 1],
    [DAY, DAY],
  ])('may be %p', (value, expected) => {
    expect(parseLifetime('ttl', value)).toBe(expected);
  });

  it.each([[1], [3600], [59_999], [0.5]])('is not a bare %p: that is seconds, most likely', (value) => {
    expect(() => parseLifetime('ttl', value)).toThrow(
      `\`ttl\`: expected milliseconds, got ${value}, which is under a minute. Durations are milliseconds, not seconds: ` +
        `write '${value}s' for ${value} seconds, or '${value}ms' if that is what you mean`,
    );
  });

  it('is refused like any duration otherwise', () => {
    expect(() => parseLifetime('ttl', -3600)).toThrow('expected a positive duration');
    expect(() => parseLifetime('ttl', '')).toThrow("got ''");
  });
});
