import { Clock, SessionOptionsError } from 'nest-sessions';
import { ManualClock } from 'nest-sessions/testing';

const START = Date.UTC(2030, 0, 1, 12);

describe('ManualClock', () => {
  it.each<[string, Date | number | string]>([
    ['a Date', new Date(START)],
    ['milliseconds', START],
    ['a string', '2030-01-01T12:00:00Z'],
  ])('starts at %s', (_what, start) => {
    expect(new ManualClock(start).now()).toBe(START);
  });

  it('may start at the epoch', () => {
    expect(new ManualClock(0).now()).toBe(0);
  });

  it('is a Clock, which stands still', async () => {
    const clock = new ManualClock(START);
    expect(clock).toBeInstanceOf(Clock);
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(clock.now()).toBe(START);
  });

  it.each<[number | string, number]>([
    [1, 1],
    [90_000, 90_000],
    ['30s', 30_000],
    ['30m', 1_800_000],
    ['1d', 86_400_000],
  ])('moves on by %p', (duration, milliseconds) => {
    const clock = new ManualClock(START);
    clock.advance(duration);
    clock.advance(duration);
    expect(clock.now()).toBe(START + 2 * milliseconds);
  });

  it.each([0, -1, Number.NaN, '', 'soon', '-5m'])('does not move by %p', (duration) => {
    const clock = new ManualClock(START);
    expect(() => clock.advance(duration)).toThrow('`duration`: expected a positive duration');
    expect(clock.now()).toBe(START);
  });

  it.each(['soon', Number.NaN, new Date('never')])('does not start at %p', (start) => {
    expect(() => new ManualClock(start)).toThrow(
      '`start`: expected a Date, milliseconds or a date string, got ',
    );
  });

  it('refuses with the error of an option, and shows a short text', () => {
    const clock = new ManualClock(START);
    for (const duration of [-1, 0, '-5m', Number.NaN, 'later']) {
      expect(() => clock.advance(duration)).toThrow(SessionOptionsError);
    }
    expect(() => new ManualClock('never')).toThrow(
      "`start`: expected a Date, milliseconds or a date string, got 'never'",
    );
    expect(() => new ManualClock(new Date(Number.NaN))).toThrow(SessionOptionsError);
  });

  it('adds up what it moves on by', () => {
    const clock = new ManualClock(1_000);
    clock.advance(1);
    clock.advance('2s');
    expect(clock.now()).toBe(3_001);
  });
});
