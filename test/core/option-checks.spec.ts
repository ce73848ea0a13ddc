import {
  expected,
  oneOf,
  positiveInteger,
  refuseUnknown,
  requireObject,
} from '../../src/core/option-checks.js';
import { SessionOptionsError } from '../../src/core/session-errors.js';

describe('a check of an option', () => {
  it.each<[string, () => unknown, string]>([
    [
      'no object',
      () => requireObject('remember', 'an object { ttl }', null),
      '`remember`: expected an object { ttl }, got null',
    ],
    [
      'an unknown name',
      () => refuseUnknown('option', { tll: 1 }, ['key', 'ttl']),
      "Unknown option: expected one of key, ttl, got 'tll'",
    ],
    [
      'another value',
      () => oneOf<string>('onLimit', 'drop', ['evict', 'reject']),
      "`onLimit`: expected 'evict' or 'reject', got 'drop'",
    ],
    [
      'zero',
      () => positiveInteger('maxPerUser', 0, ' or false'),
      '`maxPerUser`: expected an integer of at least 1 or false, got 0',
    ],
    [
      'a fraction',
      () => positiveInteger('batchSize', 1.5),
      '`batchSize`: expected an integer of at least 1, got 1.5',
    ],
    [
      'a text',
      () => positiveInteger('batchSize', '5' as never),
      "`batchSize`: expected an integer of at least 1, got '5'",
    ],
  ])('refuses %s', (_name, check, message) => {
    expect(check).toThrow(SessionOptionsError);
    expect(check).toThrow(message);
  });

  it('lets pass what can be used', () => {
    requireObject('remember', 'an object', {});
    refuseUnknown('option', { ttl: 1 }, ['key', 'ttl']);
    expect(oneOf('onLimit', 'evict', ['evict', 'reject'])).toBe('evict');
    expect(positiveInteger('batchSize', 1)).toBe(1);
  });

  it('shows no long text, which may be a key', () => {
    expect(expected('cookie', 'an object', 'x'.repeat(43)).message).toBe(
      '`cookie`: expected an object, got a text of 43 characters',
    );
  });
});
