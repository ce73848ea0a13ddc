import { Clock, SystemClock } from '../../src/core/clock.js';

describe('a SystemClock', () => {
  it('is a Clock', () => {
    expect(new SystemClock()).toBeInstanceOf(Clock);
  });

  it('is the clock of the machine', () => {
    expect(Math.abs(new SystemClock().now() - Date.now())).toBeLessThan(1_000);
  });
});
