import { Clock, SystemClock } from './clock.js';
import { type Duration, LONGEST_TIMER, parseDuration, parseGrace, parseLifetime } from './duration.js';
import { expected, oneOf, positiveInteger, refuseUnknown, requireObject } from './option-checks.js';
import { type KeyInput, KeyRing, makeKeyHint } from './key-ring.js';
import type { SessionLimit } from './session-limit.js';
import { SessionOptionsError } from './session-errors.js';

/** How long sessions live. */
export interface Lifetimes {
  /** Idle timeout. */
  readonly ttl?: Duration;
  /** Absolute timeout, from sign-in. */
  readonly absoluteTtl?: Duration;
}

/** Rotation of tokens. */
export interface RotationOptions {
  /** How old a token may become before the next response carries a new one. @default never */
  readonly every?: Duration;
  /** How long a superseded token still works, for requests that are under way. @default '30s' */
  readonly grace?: Duration;
}

/** Options of `SessionStore`: what sessions are, whatever serves them. */
export interface SessionStoreOptions {
  /**
   * The encryption key: 32 bytes, or their base64, base64url or hex form; a list, or a comma-separated string,
   * for rotation: the first seals and signs, all open.
   */
  readonly key?: KeyInput | readonly KeyInput[];
  /**
   * Explicit opt-out of encryption, for development. Tokens are then signed by a random key of the process: sessions
   * end with it, and replicas do not know each other's. `true` is refused where `NODE_ENV` is `production`;
   * `'even-in-production'` is not. @default false
   */
  readonly plaintext?: boolean | 'even-in-production';
  /** Idle timeout: slides with use. @default '24h' */
  readonly ttl?: Duration;
  /** Absolute timeout: from sign-in (or creation); nothing extends it. @default '30d' */
  readonly absoluteTtl?: Duration;
  /** Idle timeout of sessions without a user. @default `ttl` */
  readonly anonymousTtl?: Duration;
  /** Lifetimes for `authenticate(id, { remember: true })`. @default { ttl: '30d', absoluteTtl: '30d' } */
  readonly remember?: Lifetimes;
  /**
   * At most one touch write per session and interval; at most half of the shortest idle timeout.
   *
   * @default the smaller of '5m' and a tenth of the shortest of `ttl`, `anonymousTtl` and `remember.ttl`
   */
  readonly touchInterval?: Duration;
  /** Active sessions per user; integer ≥ 1, or `false` for no limit. @default 10 */
  readonly maxPerUser?: number | false;
  /** What a sign-in over the limit does: end the least recently active session, or fail. @default 'evict' */
  readonly onLimit?: 'evict' | 'reject';
  /** Rotation of tokens. @default { grace: '30s' } */
  readonly rotation?: RotationOptions;
  /** Bounds every wait on the database. @default '5s' */
  readonly timeout?: Duration;
  /** Bytes of a session's data at most, as UTF-8 JSON. @default 16384 */
  readonly maxDataBytes?: number;
  /** Says what time it is. @default the clock of the machine */
  readonly clock?: Clock;
}

/** The options in force. Durations are milliseconds. */
export interface SessionConfig {
  /** Whether sessions are stored without encryption. */
  readonly plaintext: boolean;
  readonly ttl: number;
  readonly absoluteTtl: number;
  readonly anonymousTtl: number;
  readonly remember: { readonly ttl: number; readonly absoluteTtl: number };
  readonly touchInterval: number;
  readonly maxPerUser: number | false;
  readonly onLimit: SessionLimit['onLimit'];
  readonly rotation: { readonly every: number | null; readonly grace: number };
  readonly timeout: number;
  readonly maxDataBytes: number;
}

/** What `resolveStoreOptions` makes of the options. */
export interface ResolvedStoreOptions {
  readonly config: SessionConfig;
  readonly ring: KeyRing;
  readonly clock: Clock;
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
  'timeout',
  'maxDataBytes',
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
    timeout: Math.min(parseDuration('timeout', timeout), LONGEST_TIMER),
    maxDataBytes: positiveInteger('maxDataBytes', maxDataBytes),
  };
  if (typeof clock?.now !== 'function') throw expected('clock', 'a Clock with a method now()', options.clock);
  return { config: deepFreeze(config), ring, clock, warnings: warningsFor(config) };
}

function resolveKey({ key, plaintext = false }: SessionStoreOptions): KeyRing {
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
        `${makeKeyHint()}\nand keep it with your secrets. For development without encryption: \`plaintext: true\``,
    );
  }
  return KeyRing.of(key);
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
