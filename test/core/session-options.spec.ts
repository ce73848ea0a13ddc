import fc from 'fast-check';
import { Clock } from '../../src/core/clock.js';
import { SessionOptionsError } from '../../src/core/session-errors.js';
import {
  resolveStoreOptions,
  type SessionStoreOptions,
  STORE_OPTION_NAMES,
} from '../../src/core/session-options.js';
import { SessionStore } from '../../src/core/session-store.js';
import { ManualClock } from '../../src/testing/manual-clock.js';
import { OpenMemoryBackend } from './support/backends.js';
import { DAY, HOUR, KEY, MINUTE, START } from './support/open-store.js';
import { PROPERTY_SEED } from './support/property-seed.js';

const resolve = (options: Record<string, unknown> = {}) => resolveStoreOptions({ key: KEY, ...options });

describe('options', () => {
  it('have defaults', () => {
    const { config, clock, warnings, ring } = resolve();
    expect(config).toEqual({
      plaintext: false,
      ttl: DAY,
      absoluteTtl: 30 * DAY,
      anonymousTtl: DAY,
      remember: { ttl: 30 * DAY, absoluteTtl: 30 * DAY },
      touchInterval: 5 * MINUTE,
      maxPerUser: 10,
      onLimit: 'evict',
      rotation: { every: null, grace: 30_000 },
      live: { recheck: 5_000 },
      timeout: 5_000,
      maxDataBytes: 16_384,
      memo: true,
    });
    expect(Math.abs(clock.now() - Date.now())).toBeLessThan(5_000);
    expect(warnings).toEqual([]);
    expect(ring.isPlaintext).toBe(false);
  });

  it('are taken as given, undefined as absent', () => {
    const clock = new ManualClock(START);
    const given = {
      ttl: '2h',
      absoluteTtl: 86_400_000,
      anonymousTtl: '10m',
      remember: { ttl: '7d', absoluteTtl: undefined },
      touchInterval: '1m',
      maxPerUser: false,
      onLimit: 'reject',
      rotation: { every: '15m', grace: 0 },
      live: { recheck: '250ms' },
      timeout: '250ms',
      maxDataBytes: 100,
      plaintext: undefined,
      clock,
    };
    expect(resolve(given)).toMatchObject({
      clock,
      config: {
        plaintext: false,
        ttl: 2 * HOUR,
        absoluteTtl: DAY,
        anonymousTtl: 10 * MINUTE,
        remember: { ttl: 7 * DAY, absoluteTtl: 30 * DAY },
        touchInterval: MINUTE,
        maxPerUser: false,
        onLimit: 'reject',
        rotation: { every: 15 * MINUTE, grace: 0 },
        live: { recheck: 250 },
        timeout: 250,
        maxDataBytes: 100,
      },
    });
  });

  it('derive `anonymousTtl` and `touchInterval` from `ttl`', () => {
    expect(resolve({ ttl: '20m' }).config).toMatchObject({
      anonymousTtl: 20 * MINUTE,
      touchInterval: 2 * MINUTE,
    });
    expect(resolve({ ttl: '5s' }).config).toMatchObject({ ttl: 5_000, touchInterval: 500 });
    expect(resolve({ anonymousTtl: '10m' }).config.touchInterval).toBe(MINUTE);
  });

  it('do not share anything with the caller', () => {
    const rotation = { every: '15m' };
    const { config } = resolve({ rotation });
    rotation.every = '1h';
    expect(config.rotation.every).toBe(15 * MINUTE);
    expect(Object.isFrozen(rotation)).toBe(false);
  });
});

describe('a bad option is refused', () => {
  it.each<[Record<string, unknown>, string]>([
    [{ ttl: 3600 }, '`ttl`: expected milliseconds, got 3600, which is under a minute'],
    [{ ttl: 59_999 }, "write '59999s' for 59999 seconds, or '59999ms' if that is what you mean"],
    [{ absoluteTtl: 86_400 / 2 }, '`absoluteTtl`: expected milliseconds, got 43200'],
    [{ anonymousTtl: 1 }, '`anonymousTtl`: expected milliseconds, got 1'],
    [{ remember: { ttl: 3600 } }, '`remember.ttl`: expected milliseconds, got 3600'],
    [{ remember: { absoluteTtl: 3600 } }, '`remember.absoluteTtl`: expected milliseconds, got 3600'],
    [{ rotation: { every: 900 } }, '`rotation.every`: expected milliseconds, got 900'],
    [{ ttl: 0 }, "`ttl`: expected a positive duration, as milliseconds or a string such as '30m', got 0"],
    [{ ttl: -1 }, 'got -1'],
    [
      { ttl: 'soon' },
      "`ttl`: expected a positive duration, as milliseconds or a string such as '30m', got 'soon'",
    ],
    [{ ttl: '3600' }, "got '3600'"],
    [{ ttl: '' }, "got ''"],
    [{ ttl: true }, 'got true'],
    [{ ttl: Infinity }, 'got Infinity'],
    [
      { timeout: '0s' },
      "`timeout`: expected a positive duration, as milliseconds or a string such as '30m', got '0s'",
    ],
    [{ touchInterval: '12h', ttl: '24h', anonymousTtl: '23h' }, '`touchInterval`: expected at most half'],
    [
      { touchInterval: '31m', ttl: '1h' },
      'expected at most half of the shortest idle timeout (1800000 ms), got 1860000 ms',
    ],
    [{ touchInterval: '2m', remember: { ttl: '3m' } }, '`touchInterval`: expected at most half'],
    [{ maxPerUser: 0 }, '`maxPerUser`: expected an integer of at least 1 or false, got 0'],
    [{ maxPerUser: 1.5 }, 'got 1.5'],
    [{ maxPerUser: '5' }, "`maxPerUser`: expected an integer of at least 1 or false, got '5'"],
    [{ maxPerUser: true }, 'got true'],
    [{ onLimit: 'ignore' }, "`onLimit`: expected 'evict' or 'reject', got 'ignore'"],
    [
      { rotation: { grace: '15m', every: '15m' } },
      '`rotation.grace`: expected less than `rotation.every` (900000 ms), got 900000 ms',
    ],
    [{ rotation: { grace: -1 } }, '`rotation.grace`: expected a positive duration'],
    [{ rotation: true }, '`rotation`: expected an object { every, grace }, got true'],
    [{ rotation: { each: '1h' } }, "Unknown `rotation` option: expected one of every, grace, got 'each'"],
    [{ live: 5 }, '`live`: expected an object { recheck, bus }, got 5'],
    [{ live: { interval: '1s' } }, "Unknown `live` option: expected one of recheck, bus, got 'interval'"],
    [{ live: { recheck: 0 } }, '`live.recheck`: expected a positive duration'],
    [
      { live: { recheck: 5 } },
      "`live.recheck`: expected at least '100ms' (a bare number is milliseconds, not seconds), got 5",
    ],
    [
      { live: { bus: 'redis' } },
      "`live.bus`: expected 'storage' or a SessionBus with methods publish() and subscribe(), got 'redis'",
    ],
    [{ live: { bus: { publish: () => undefined } } }, '`live.bus`: expected'],
    [{ live: { recheck: '99ms' } }, "got '99ms'"],
    [{ remember: false }, '`remember`: expected an object { ttl, absoluteTtl }, got false'],
    [{ remember: { days: 3 } }, "Unknown `remember` option: expected one of ttl, absoluteTtl, got 'days'"],
    [{ maxDataBytes: 0 }, '`maxDataBytes`: expected an integer of at least 1, got 0'],
    [
      { plaintext: 'yes', key: undefined },
      "`plaintext`: expected true, false or 'even-in-production', got 'yes'",
    ],
    [{ plaintext: true }, '`plaintext`: expected no `key` beside it, got both'],
    [{ clock: Date }, ''],
    [{ clock: {} }, '`clock`: expected a Clock with a method now(), got'],
    [{ tll: '1h' }, 'Unknown option: expected one of key, plaintext, ttl, '],
    [{ secret: 'x' }, ", clock, got 'secret'"],
  ])('%j', (options, message) => {
    if (message === '') expect(resolve(options).clock).toBe(Date);
    else expect(() => resolve(options)).toThrow(SessionOptionsError);
    if (message !== '') expect(() => resolve(options)).toThrow(message);
  });

  it.each([[undefined], [null], ['24h'], [42]])('and so is %p in place of options', (options) => {
    expect(() => resolveStoreOptions(options as unknown as SessionStoreOptions)).toThrow(SessionOptionsError);
    expect(() => resolveStoreOptions(options as unknown as SessionStoreOptions)).toThrow(
      'expected an object, got',
    );
  });

  it('whatever it is: "expected …, got …", or it is taken', () => {
    const names = STORE_OPTION_NAMES.filter((name) => name !== 'key');
    fc.assert(
      fc.property(fc.constantFrom(...names), fc.anything(), (name, value) => {
        try {
          resolveStoreOptions({ key: KEY, [name]: value });
        } catch (error) {
          expect(error).toBeInstanceOf(SessionOptionsError);
          expect(String(error)).toMatch(/expected .*, got /s);
        }
      }),
      { seed: PROPERTY_SEED, numRuns: 1_000 },
    );
  });

  it('a key above all, whatever it is', () => {
    fc.assert(
      fc.property(fc.anything(), (key) => {
        expect(() => resolveStoreOptions({ key: key as string })).toThrow(SessionOptionsError);
      }),
      { seed: PROPERTY_SEED, numRuns: 1_000 },
    );
  });

  it('without a key in the message, even when the key is the value of another option', () => {
    const secret = KEY.toString('base64');
    const misplaced = [
      'plaintext',
      'ttl',
      'onLimit',
      'maxPerUser',
      'rotation',
      'remember',
      'clock',
      'timeout',
      'x',
    ];
    for (const name of misplaced) {
      let message = '';
      try {
        resolveStoreOptions({ [name]: secret });
      } catch (error) {
        message = String(error);
      }
      expect(message).toContain('expected');
      expect(message).not.toContain(secret);
    }
  });
});

describe('warnings', () => {
  it('none at 30 days, one above, citing NIST', () => {
    expect(resolve({ absoluteTtl: '30d', remember: { absoluteTtl: '30d' } }).warnings).toEqual([]);
    const warning =
      'Sessions may last 90 days without a new sign-in; NIST SP 800-63B-4 (section 2.1.3) recommends 30 days at most, even at AAL1';
    expect(resolve({ absoluteTtl: '90d' }).warnings).toEqual([warning]);
    expect(resolve({ remember: { absoluteTtl: '90d' } }).warnings).toEqual([warning]);
    expect(resolve({ absoluteTtl: 30 * DAY + 1 }).warnings).toHaveLength(1);
  });

  it('one without encryption', () => {
    expect(resolve({ key: undefined, plaintext: true })).toMatchObject({
      config: { plaintext: true },
      warnings: [
        'Sessions are stored WITHOUT ENCRYPTION (`plaintext`), and their tokens are signed by a random key of this process: ' +
          'a restart signs everybody out, and no other process knows them. Set `key` before real users sign in',
      ],
    });
  });
});

describe('a clock', () => {
  it('may be any Clock', () => {
    const clock = new (class extends Clock {
      now = () => 42;
    })();
    expect(resolve({ clock }).clock.now()).toBe(42);
  });
});

describe('without a key', () => {
  const refusal = (key: unknown): string => {
    let message = '';
    expect(() => {
      try {
        return new SessionStore(new OpenMemoryBackend(), { key: key as string });
      } catch (error) {
        message = String(error);
        throw error;
      }
    }).toThrow();
    return message;
  };

  it.each([
    [undefined, 'undefined'],
    [null, 'null'],
    ['', 'an empty string'],
  ])('given as %p, says how to make one', (key, got) => {
    const message = refusal(key);
    expect(message).toMatch(/^SessionOptionsError: `key`: expected the encryption key, 32 bytes, got /);
    expect(message).toContain(`got ${got}`);
    expect(message).toContain('process.env.SESSION_KEY');
    expect(message).toContain('SessionModule.forRootAsync()');
    expect(message).toContain('`plaintext: true`');
    expect(message).toContain("require('crypto').randomBytes(32).toString('base64url')");
  });

  it('shows no key: what is logged is kept and read', () => {
    expect(refusal(undefined)).not.toMatch(/[\w+/-]{40}/);
    expect(refusal(undefined)).toBe(refusal(undefined));
  });
});
