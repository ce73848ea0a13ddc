import { toInstant } from '../../src/core/instant.js';
import { SessionDataError } from '../../src/core/session-errors.js';
import { START } from './support/open-store.js';

describe('toInstant', () => {
  it.each<[string, Date | number, number]>([
    ['a Date', new Date(START), START],
    ['milliseconds', START, START],
    ['the epoch', 0, 0],
    ['a fraction of a millisecond', START + 0.6, START + 1],
  ])('takes %s', (_name, value, instant) => {
    expect(toInstant('now', value)).toBe(instant);
  });

  it.each<[unknown, string]>([
    [new Date(Number.NaN), 'Invalid Date'],
    [Infinity, 'Infinity'],
    ['tomorrow', 'tomorrow'],
    [null, 'null'],
    [undefined, 'undefined'],
  ])('refuses %p, and names the parameter', (value, got) => {
    const call = (): number => toInstant('notAfter', value as Date);
    expect(call).toThrow(SessionDataError);
    expect(call).toThrow(`\`notAfter\`: expected a Date, or milliseconds since the Unix epoch, got ${got}`);
    expect(call).toThrow(expect.objectContaining({ path: 'notAfter' }));
  });
});
