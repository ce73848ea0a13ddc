import { Clock, SystemClock } from '../../src/core/clock.js';
import { SessionOptionsError } from '../../src/core/session-errors.js';
import { ManualClock } from '../../src/testing/manual-clock.js';

describe('a ManualClock', () => {
  it('starts at a Date, at milliseconds, or at a date string', () => {
    const instant = Date.UTC(2030, 0, 1);
    expect(new ManualClock(new Date(instant)).now()).toBe(instant);
    expect(new ManualClock(instant).now()).toBe(instant);
    expect(new ManualClock('2030-01-01T00:00:00Z').now()).toBe(instant);
    expect(new ManualClock(0)).toBeInstanceOf(Clock);
  });

  it('stands still until it is told to move on', () => {
    const clock = new ManualClock(1_000);
    expect([clock.now(), clock.now()]).toEqual([1_000, 1_000]);
    clock.advance(1);
    clock.advance('2s');
    expect(clock.now()).toBe(3_001);
  });

  it('does not run backwards, nor start nowhere', () => {
    const clock = new ManualClock(1_000);
    for (const duration of [-1, 0, '-5m', Number.NaN, 'later']) {
      expect(() => clock.advance(duration)).toThrow(SessionOptionsError);
    }
    expect(clock.now()).toBe(1_000);
    expect(() => new ManualClock('never')).toThrow(
      "`start`: expected a Date, milliseconds or a date string, got 'never'",
    );
    expect(() => new ManualClock(new Date(Number.NaN))).toThrow(SessionOptionsError);
  });
});

describe('a SystemClock', () => {
  it('is the clock of the machine', () => {
    expect(Math.abs(new SystemClock().now() - Date.now())).toBeLessThan(1_000);
  });
});
