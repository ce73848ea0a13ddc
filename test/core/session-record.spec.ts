import { instanceToPlain } from 'class-transformer';
import { inspect } from 'node:util';
import { idleExpiry, isActive, isTouchDue } from '../../src/core/session-expiry.js';
import { DAY, HOUR, openStore, START } from './support/open-store.js';

describe('a record', () => {
  it('leaves its data out when it is printed, in every form', async () => {
    const { store } = openStore();
    const { session } = await store.create({ ip: '192.0.2.1' }, 'ada', { secret: 'xyzzy' });
    const forms = [
      JSON.stringify(session),
      JSON.stringify({ nested: [session] }),
      inspect(session),
      inspect({ nested: { session } }, { depth: 9, showHidden: true }),
      inspect(new Map([['session', session]])),
      inspect(session, { showHidden: true, customInspect: false, depth: null }),
      JSON.stringify(instanceToPlain({ nested: [session] })),
      JSON.stringify(Object.entries(session)),
      JSON.stringify(Object.assign({}, session)),
      inspect(structuredClone(Object.assign({}, session)), { depth: null }),
      inspect(structuredClone(session), { depth: null }),
      JSON.stringify(Reflect.ownKeys(session)),
    ];
    for (const text of forms) {
      expect(text).not.toContain('xyzzy');
      expect(text).not.toContain('secret');
    }
    expect(JSON.parse(JSON.stringify(session))).toEqual({
      id: session.id,
      userId: 'ada',
      meta: { ip: '192.0.2.1' },
      integrity: 'intact',
      createdAt: '2030-01-01T12:00:00.000Z',
      authenticatedAt: '2030-01-01T12:00:00.000Z',
      lastActiveAt: '2030-01-01T12:00:00.000Z',
      expiresAt: '2030-01-02T12:00:00.000Z',
      absoluteExpiresAt: '2030-01-31T12:00:00.000Z',
    });
    expect(inspect(session)).toMatch(/^SessionRecord \{[^]*userId: 'ada'/);
    expect(session.data).toEqual({ secret: 'xyzzy' });
  });
});

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
