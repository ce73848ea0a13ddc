import { Clock, SystemClock } from './clock.js';
import { type Duration, LONGEST_TIMER, parseDuration, parseGrace, parseLifetime } from './duration.js';
import { expected, oneOf, positiveInteger, refuseUnknown, requireObject } from './option-checks.js';
import { type KeyInput, KeyRing, makeKeyHint } from './key-ring.js';
import type { SessionBus } from './session-bus.js';
import type { SessionLimit } from './session-limit.js';
import { SessionOptionsError } from './session-errors.js';

/*
 * The options of `SessionStore`, and what they become when they have been checked.
 */

/** How long sessions live, as two timeouts. */
export interface Lifetimes {
  /** Idle timeout: how long a session lives after its last use. */
  readonly ttl?: Duration;
  /** Absolute timeout: how long a session lives after its sign-in, however much it is used. */
  readonly absoluteTtl?: Duration;
}

/** When tokens are replaced by new ones, and how long the old ones go on working. */
export interface RotationOptions {
  /**
   * The age, in milliseconds or as a string, at which a token is replaced by the next response that can carry a cookie.
   * Tokens of bearer sessions are not replaced.
   *
   * @default never
   */
  readonly every?: Duration;
  /**
   * How long a superseded token still works, for requests that were under way when it was replaced; `0`: not at all.
   * After that, a superseded token whose successor has been used is taken for stolen, and the session is revoked. Less
   * than `every`.
   *
   * @default '30s'
   */
  readonly grace?: Duration;
}

/** How soon what is open (event streams, sockets) notices that its session has ended. */
export interface LiveOptions {
  /**
   * How often all sessions that something is open for are looked up, to find those that another process has ended, and those
   * that have expired. What this process ends itself ends at once. At least `'100ms'`; a bare number is milliseconds.
   *
   * @default '5s'
   */
  readonly recheck?: Duration;
  /**
   * Tells other processes at once that sessions have ended, so that they need not wait for `recheck`: a `SessionBus` of your
   * own; or `'storage'`, the one that the storage has, which PostgreSQL does (`LISTEN` and `NOTIFY`, on one more connection of
   * each process). A storage without one logs that, and is looked at each `recheck`.
   *
   * @default none
   */
  readonly bus?: SessionBus | 'storage';
}

/**
 * The options of `SessionStore`: what sessions are, whatever serves them.
 *
 * A duration is milliseconds, or a string with a unit such as `'30m'`. For lifetimes (`ttl`, `absoluteTtl`,
 * `anonymousTtl`, those of `remember`, `rotation.every`) a bare number under 60,000 is refused, since it usually means
 * seconds.
 *
 * @example
 * ```ts
 * const options: SessionStoreOptions = { key: process.env.SESSION_KEY, ttl: '1h', absoluteTtl: '24h' };
 * const inMemory = new SessionStore(new MemorySessionBackend(), options);
 * console.log(inMemory.config.ttl); // 3600000
 * ```
 */
export interface SessionStoreOptions {
  /**
   * The encryption key: 32 random bytes, or their base64, base64url or hex form. The first key seals what is stored and
   * signs tokens; every key opens and confirms. Several keys, as a list or in one string with commas between them, are
   * for replacing a key while replicas run: `'A,B'` everywhere, then `'B,A'`, then, after the longest absolute timeout,
   * `'B'`. Required, unless `plaintext` says otherwise.
   *
   * @see OWASP ASVS 5.0, 11.2.2 (keys can be replaced); NIST SP 800-38D (AES-256-GCM)
   * @example From the environment
   * ```ts
   * // node -e "console.log('SESSION_KEY=' + require('crypto').randomBytes(32).toString('base64url'))"
   * export const sessions = SessionModule.forRoot({ key: process.env.SESSION_KEY });
   * ```
   * @example A new key seals, and the one before still opens
   * ```ts
   * const { NEW_KEY = '', OLD_KEY = '' } = process.env;
   * export const sessions = SessionModule.forRoot({ key: [NEW_KEY, OLD_KEY] });
   * ```
   */
  readonly key?: KeyInput | readonly KeyInput[];
  /**
   * Stores sessions without encryption, for development. Tokens are then signed by a random key of the process: sessions
   * end with the process, and replicas do not know each other's. `true` is refused where `NODE_ENV` is `production`;
   * `'even-in-production'` is not.
   *
   * @default false
   */
  readonly plaintext?: boolean | 'even-in-production';
  /**
   * Idle timeout: how long a signed-in session lives after its last use. Use is written down once per `touchInterval`.
   *
   * @default '24h'
   * @see OWASP ASVS 5.0, 7.3.1; NIST SP 800-63B-4, 2.2.3 (AAL2: 1 hour at most is advised)
   */
  readonly ttl?: Duration;
  /**
   * Absolute timeout: how long a session lives after its sign-in, or after it began while nobody has signed in. Nothing
   * extends it. More than 30 days is a warning at startup.
   *
   * @default '30d'
   * @see OWASP ASVS 5.0, 7.3.2; NIST SP 800-63B-4, 2.1.3 (AAL1: 30 days at most is advised)
   */
  readonly absoluteTtl?: Duration;
  /** Idle timeout of sessions without a user, of which there may be many. @default `ttl` */
  readonly anonymousTtl?: Duration;
  /**
   * The timeouts of sessions that began with `authenticate(id, { remember: true })`. They are stored with the session, so
   * that changing this option changes no session that is there.
   *
   * @default { ttl: '30d', absoluteTtl: '30d' }
   * @example
   * ```ts
   * export const sessions = SessionModule.forRoot({
   *   key: process.env.SESSION_KEY,
   *   ttl: '30m',
   *   cookie: { persistent: false }, // unless "keep me signed in" is ticked
   *   remember: { ttl: '14d', absoluteTtl: '30d' },
   * });
   * ```
   */
  readonly remember?: Lifetimes;
  /**
   * The time in which at most one record of use is written per session, so that reading stays cheap. At most half of the
   * shortest idle timeout: sessions in use would end otherwise.
   *
   * @default the smaller of '5m' and a tenth of the shortest of `ttl`, `anonymousTtl` and `remember.ttl`
   */
  readonly touchInterval?: Duration;
  /** Active sessions that a user may have: an integer of at least 1, or `false` for any number. @default 10 */
  readonly maxPerUser?: number | false;
  /**
   * What a sign-in does when the user has `maxPerUser` sessions: `'evict'` ends the least recently active one,
   * `'reject'` fails with `SessionLimitError`.
   *
   * @default 'evict'
   */
  readonly onLimit?: 'evict' | 'reject';
  /**
   * Whether, and how often, tokens are replaced by new ones: it bounds how long a stolen token is good for, and makes its
   * use by two parties show.
   *
   * @default { grace: '30s' }
   * @see OWASP Session Management Cheat Sheet, "Renewal Timeout"
   * @example
   * ```ts
   * export const sessions = SessionModule.forRoot({
   *   key: process.env.SESSION_KEY,
   *   rotation: { every: '1h', grace: '30s' },
   * });
   * ```
   */
  readonly rotation?: RotationOptions;
  /**
   * How soon event streams and sockets notice that another process has ended their session.
   *
   * @default { recheck: '5s' }
   * @see OWASP ASVS 5.0, 7.4.1 (a session that has ended is of no more use)
   * @example
   * ```ts
   * export const sessions = SessionModule.forRoot({ key: process.env.SESSION_KEY, live: { recheck: '1s' } });
   * ```
   */
  readonly live?: LiveOptions;
  /**
   * How long one wait for the database may take; after it the request is answered 503. A call that waits more than once,
   * for its turn and then for an answer, may take a few times as long.
   *
   * @default '5s'
   */
  readonly timeout?: Duration;
  /** How large a session's data and flash messages may be, in bytes of UTF-8 JSON. @default 16384 */
  readonly maxDataBytes?: number;
  /**
   * Whether the process keeps the keys of the sessions that requests used last, which it derives from `key`, for one to two
   * minutes: at most 8,192 for each key, some 3 MB. No token and no data is kept. `false` derives them for each read and each
   * save, which takes some 5 % more of a request's time.
   *
   * @default true
   */
  readonly memo?: boolean;
  /**
   * Where the present comes from. Replace it in tests.
   *
   * @default the clock of the machine
   * @example
   * ```ts
   * const clock = new ManualClock('2030-01-01T12:00:00Z');
   * const inMemory = new SessionStore(new MemorySessionBackend(), { plaintext: true, ttl: '1h', clock });
   * const { session: ada } = await inMemory.create({}, 'ada');
   * clock.advance('1h');
   * console.log(await inMemory.load(ada.id)); // null
   * ```
   */
  readonly clock?: Clock;
}

/** The options in force, with every default filled in and without keys. All durations are milliseconds. */
export interface SessionConfig {
  /** Whether sessions are stored without encryption. */
  readonly plaintext: boolean;
  /** Idle timeout of signed-in sessions. */
  readonly ttl: number;
  /** Absolute timeout of all sessions but remembered ones. */
  readonly absoluteTtl: number;
  /** Idle timeout of sessions without a user. */
  readonly anonymousTtl: number;
  /** Timeouts of sessions that began with `remember: true`. */
  readonly remember: { readonly ttl: number; readonly absoluteTtl: number };
  /** The time in which at most one record of use is written per session. */
  readonly touchInterval: number;
  /** Active sessions per user; `false`: any number. */
  readonly maxPerUser: number | false;
  /** What a sign-in over the limit does. */
  readonly onLimit: SessionLimit['onLimit'];
  /** Age at which tokens are replaced (`null`: never), and how long a superseded one works. */
  readonly rotation: { readonly every: number | null; readonly grace: number };
  /** How often what is open looks whether its session has ended. */
  readonly live: { readonly recheck: number };
  /** How long one wait for the database may take. */
  readonly timeout: number;
  /** How large data and flash messages of a session may be, in bytes of UTF-8 JSON. */
  readonly maxDataBytes: number;
  /** Whether derived keys of sessions are kept for a while. */
  readonly memo: boolean;
}

/** What `resolveStoreOptions` makes of the options. */
export interface ResolvedStoreOptions {
  readonly config: SessionConfig;
  readonly ring: KeyRing;
  readonly clock: Clock;
  /** `null`: none. */
  readonly bus: SessionBus | 'storage' | null;
  /** Things that work but deserve attention, for the log at startup. */
  readonly warnings: readonly string[];
}

/** Names of all options of the store. */
export const STORE_OPTION_NAMES = [
  'key',
  'plaintext',
  'ttl',
  'absoluteTtl',
  'anonymousTtl',
  'remember',
  'touchInterval',
  'maxPerUser',
  'onLimit',
  'rotation',
  'live',
  'timeout',
  'maxDataBytes',
  'memo',
  'clock',
] as const satisfies readonly (keyof SessionStoreOptions)[];

const DAY = 86_400_000;

/**
 * Above this, an overall timeout deserves a warning.
 *
 * @see NIST SP 800-63B-4, 2.1.3 (AAL1: reauthentication at least once every 30 days)
 */
const NIST_OVERALL_TIMEOUT = 30 * DAY;

/**
 * Checks the options once, and fills in defaults.
 *
 * @throws SessionOptionsError "expected …, got …" for the first that cannot be used; never prints a key
 */
export function resolveStoreOptions(options: SessionStoreOptions): ResolvedStoreOptions {
  requireObject('options', 'an object', options);
  refuseUnknown('option', options, STORE_OPTION_NAMES);
  const ring = resolveKey(options);
  const { ttl = DAY, anonymousTtl = ttl, absoluteTtl = 30 * DAY, remember = {}, rotation = {} } = options;
  const { maxPerUser = 10, onLimit = 'evict', timeout = 5_000, maxDataBytes = 16_384 } = options;
  const { clock = new SystemClock() } = options;
  const idle = {
    ttl: parseLifetime('ttl', ttl),
    anonymousTtl: parseLifetime('anonymousTtl', anonymousTtl),
    remember: resolveRemember(remember),
  };
  const shortest = Math.min(idle.ttl, idle.anonymousTtl, idle.remember.ttl);
  const config: SessionConfig = {
    ...idle,
    plaintext: ring.isPlaintext,
    absoluteTtl: parseLifetime('absoluteTtl', absoluteTtl),
    touchInterval: resolveTouchInterval(options.touchInterval, shortest),
    maxPerUser: maxPerUser === false ? false : positiveInteger('maxPerUser', maxPerUser, ' or false'),
    onLimit: oneOf('onLimit', onLimit, ['evict', 'reject']),
    rotation: resolveRotation(rotation),
    live: resolveLive(options.live),
    timeout: Math.min(parseDuration('timeout', timeout), LONGEST_TIMER),
    maxDataBytes: positiveInteger('maxDataBytes', maxDataBytes),
    memo: options.memo !== false,
  };
  if (typeof clock?.now !== 'function') throw expected('clock', 'a Clock with a method now()', options.clock);
  const bus = resolveBus(options.live?.bus);
  return { config: deepFreeze(config), ring, clock, bus, warnings: warningsFor(config) };
}

function resolveKey({ key, plaintext = false, memo = true }: SessionStoreOptions): KeyRing {
  if (typeof memo !== 'boolean') throw expected('memo', 'true or false', memo);
  if (typeof plaintext !== 'boolean' && plaintext !== 'even-in-production')
    throw expected('plaintext', "true, false or 'even-in-production'", plaintext);
  if (plaintext !== false && key !== undefined) {
    throw new SessionOptionsError('`plaintext`: expected no `key` beside it, got both. Remove one of them');
  }
  if (plaintext === true && process.env['NODE_ENV'] === 'production') {
    throw new SessionOptionsError(
      "`plaintext`: expected a `key` where NODE_ENV is 'production', or 'even-in-production', got true. Sessions would be " +
        `stored without encryption, and end with the process. ${makeKeyHint()}`,
    );
  }
  if (plaintext !== false) return KeyRing.plaintext();
  if (key === undefined || key === null || key === '') {
    throw new SessionOptionsError(
      `\`key\`: expected the encryption key, 32 bytes, got ${key === '' ? 'an empty string' : String(key)}. ` +
        'The usual cause is a variable such as process.env.SESSION_KEY that is not set, or is read before the .env file ' +
        'is loaded: use SessionModule.forRootAsync() with ConfigService then. ' +
        `${makeKeyHint()}\nand keep it with your secrets. For development without encryption: \`plaintext: true\`${testKeyHint()}`,
    );
  }
  return KeyRing.of(key, memo);
}

/** What a run of tests wants, which has no .env: Jest and Vitest set NODE_ENV. Modules read a variable when they are imported. */
function testKeyHint(): string {
  if (process.env['NODE_ENV'] !== 'test') return '';
  return (
    '. In tests, set the variable before the app is imported, in a file that `setupFiles` of Jest or Vitest names:\n' +
    "process.env.SESSION_KEY ??= Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString('base64url')"
  );
}

function resolveRemember(options: Lifetimes): SessionConfig['remember'] {
  requireObject('remember', 'an object { ttl, absoluteTtl }', options);
  refuseUnknown('`remember` option', options, ['ttl', 'absoluteTtl']);
  const { ttl = 30 * DAY, absoluteTtl = 30 * DAY } = options;
  return {
    ttl: parseLifetime('remember.ttl', ttl),
    absoluteTtl: parseLifetime('remember.absoluteTtl', absoluteTtl),
  };
}

function resolveTouchInterval(value: Duration | undefined, shortestTtl: number): number {
  if (value === undefined) return Math.min(5 * 60_000, shortestTtl / 10);
  const interval = parseDuration('touchInterval', value);
  if (interval <= shortestTtl / 2) return interval;
  throw new SessionOptionsError(
    `\`touchInterval\`: expected at most half of the shortest idle timeout (${shortestTtl / 2} ms), got ${interval} ms. ` +
      'Sessions in use would end before their use is written down',
  );
}

function resolveRotation(options: RotationOptions): SessionConfig['rotation'] {
  requireObject('rotation', 'an object { every, grace }', options);
  refuseUnknown('`rotation` option', options, ['every', 'grace']);
  const every = options.every === undefined ? null : parseLifetime('rotation.every', options.every);
  const { grace: value = 30_000 } = options;
  const grace = parseGrace('rotation.grace', value);
  if (every !== null && grace >= every) {
    throw new SessionOptionsError(
      `\`rotation.grace\`: expected less than \`rotation.every\` (${every} ms), got ${grace} ms`,
    );
  }
  return { every, grace };
}

/** Below this, a number of milliseconds is far more likely one of seconds, and would keep storage busy. */
const SHORTEST_RECHECK = 100;

function resolveLive(options: LiveOptions = {}): SessionConfig['live'] {
  requireObject('live', 'an object { recheck, bus }', options);
  refuseUnknown('`live` option', options, ['recheck', 'bus']);
  const { recheck: value = 5_000 } = options;
  const recheck = Math.min(parseDuration('live.recheck', value), LONGEST_TIMER);
  if (recheck >= SHORTEST_RECHECK) return { recheck };
  throw expected('live.recheck', "at least '100ms' (a bare number is milliseconds, not seconds)", value);
}

function resolveBus(bus: LiveOptions['bus'] | null = null): SessionBus | 'storage' | null {
  if (bus === null || bus === 'storage') return bus;
  if (typeof bus.publish === 'function' && typeof bus.subscribe === 'function') return bus;
  throw expected('live.bus', "'storage' or a SessionBus with methods publish() and subscribe()", bus);
}

function warningsFor(config: SessionConfig): string[] {
  const warnings: string[] = [];
  if (config.plaintext) {
    warnings.push(
      'Sessions are stored WITHOUT ENCRYPTION (`plaintext`), and their tokens are signed by a random key of this process: a ' +
        'restart signs everybody out, and no other process knows them. Set `key` before real users sign in',
    );
  }
  const longest = Math.max(config.absoluteTtl, config.remember.absoluteTtl);
  if (longest > NIST_OVERALL_TIMEOUT) {
    warnings.push(
      `Sessions may last ${Math.round(longest / DAY)} days without a new sign-in; ` +
        'NIST SP 800-63B-4 (section 2.1.3) recommends 30 days at most, even at AAL1',
    );
  }
  return warnings;
}

/** Freezes an object and all that is in it. */
function deepFreeze<T extends object>(value: T): T {
  for (const inner of Object.values(value))
    if (typeof inner === 'object' && inner !== null) deepFreeze(inner as object);
  return Object.freeze(value);
}
