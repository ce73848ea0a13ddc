import { randomNumbers } from '../../src/core/random-numbers.js';

const COUNT = 100_000;

describe('randomNumbers', () => {
  it('gives each of 256 numbers about as often', () => {
    const next = randomNumbers();
    const counts = new Map<number, number>();
    for (let n = 0; n < COUNT; n++) {
      const number = next();
      counts.set(number, (counts.get(number) ?? 0) + 1);
    }
    const numbers = Array.from({ length: 256 }, (_, index) => index / 256);
    expect([...counts.keys()].toSorted((a, b) => a - b)).toEqual(numbers);
    // 391 is to be expected, with a deviation of 20.
    for (const count of counts.values()) expect(Math.abs(count - COUNT / 256)).toBeLessThan(200);
  });

  it('repeats none of what it has given, however many are asked for', () => {
    const next = randomNumbers();
    const texts = Array.from({ length: 1_000 }, () => Array.from({ length: 16 }, next).join());
    expect(new Set(texts).size).toBe(texts.length);
  });

  it('is another one for each who asks', () => {
    const [one, other] = [randomNumbers(), randomNumbers()];
    const take = (next: () => number) => Array.from({ length: 16 }, next);
    expect(take(one)).not.toEqual(take(other));
  });
});
