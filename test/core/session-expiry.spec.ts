import { SessionGoneError } from '../../src/core/session-errors.js';
import { idleExpiry, isActive, isTouchDue, requireActive } from '../../src/core/session-expiry.js';
import type { SessionRow } from '../../src/core/session-row.js';
import { DAY, HOUR, START } from './support/open-store.js';

const row = { lastActiveAt: START, expiresAt: START + HOUR, absoluteExpiresAt: START + DAY, idleTtl: HOUR };

describe('a session is active', () => {
  it.each<[string, Partial<typeof row>, number, boolean]>([
    ['before both expiries', {}, START + HOUR - 1, true],
    ['not at its idle expiry', {}, START + HOUR, false],
    ['not after it', {}, START + 2 * HOUR, false],
    [
      'not at its absolute expiry, whatever the idle one says',
      { expiresAt: START + 9 * DAY },
      START + DAY,
      false,
    ],
    ['until its absolute expiry', { expiresAt: START + 9 * DAY }, START + DAY - 1, true],
  ])('%s', (_name, change, now, expected) => {
    expect(isActive({ ...row, ...change }, now)).toBe(expected);
  });
});

describe('requireActive', () => {
  const ofAda = { ...row, id: 'a', userId: 'ada' } as SessionRow;
  const anonymous = { ...ofAda, userId: null };

  it('gives the row of an active session, whoever owns it', () => {
    expect(requireActive(ofAda, START)).toBe(ofAda);
    expect(requireActive(anonymous, START)).toBe(anonymous);
    expect(requireActive(ofAda, START, 'ada')).toBe(ofAda);
    expect(requireActive(anonymous, START, null)).toBe(anonymous);
  });

  it.each<[string, SessionRow | null, number, string | null | undefined]>([
    ['is not stored', null, START, undefined],
    ['is not stored, though it should be nobody’s', null, START, null],
    ['has expired', ofAda, START + HOUR, undefined],
    ['has expired, and is the right user’s', ofAda, START + HOUR, 'ada'],
    ['is another user’s', ofAda, START, 'bob'],
    ['has passed to a user', ofAda, START, null],
    ['is nobody’s', anonymous, START, 'ada'],
  ])('throws when the session %s', (_name, stored, now, userId) => {
    expect(() => requireActive(stored, now, userId)).toThrow(SessionGoneError);
    expect(() => requireActive(stored, now, userId)).toThrow(/^The session has ended .* Sign in again$/);
  });
});

describe('use', () => {
  it('moves the idle expiry by the idle timeout, to the absolute expiry at most', () => {
    expect(idleExpiry(row, START + 5)).toBe(START + HOUR + 5);
    expect(idleExpiry(row, START + DAY - 5)).toBe(START + DAY);
  });

  it('is worth a write once per interval', () => {
    expect(isTouchDue(row, START + 299_999, 300_000)).toBe(false);
    expect(isTouchDue(row, START + 300_000, 300_000)).toBe(true);
    expect(isTouchDue(row, START - 1, 300_000)).toBe(false);
  });
});
