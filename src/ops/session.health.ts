import { HealthIndicatorService } from '@nestjs/terminus';
import { type Duration, parseDuration } from '../core/duration.js';
import type { SessionHealth, SessionProblemCode, SessionWarningCode } from '../core/session-health.js';
import type { CleanupResult } from '../core/session-pruning.js';
import type { SessionStore } from '../core/session-store.js';
import type { SessionCleanup } from './session-cleanup.js';
import { withTimeout } from '../core/timeout.js';

/*
 * The health indicator for Terminus, and what it reports.
 */

/** What the indicator reports when sessions work. Safe to show to anybody. */
export type SessionsUp = {
  /** How long storage took to answer, in milliseconds. */
  readonly latencyMs: number | null;
  /**
   * When the last clean-up ended, how many sessions it deleted, and whether it failed; `rested`: another process has cleaned
   * up. `null` before the first.
   */
  readonly lastCleanup: (Omit<CleanupResult, 'error'> & { readonly failed?: true }) | null;
  /** What somebody should look at, if anything. Details are in the log and in `SessionStore.checkHealth()`. */
  readonly warnings?: readonly SessionWarningCode[];
};

/** What the indicator reports when sessions do not work. Safe to show to anybody. */
export type SessionsDown = {
  /** What is wrong, as words that programs compare. Details are in the log and in `SessionStore.checkHealth()`. */
  readonly problems: readonly (SessionProblemCode | 'timeout' | 'cleanup-overdue')[];
};

/** Milliseconds that a check may take by default. */
const DEFAULT_TIMEOUT = 1000;

/**
 * The health of sessions, for Terminus. Down when storage does not answer within the timeout, a payload that the keys
 * sealed does not open, genuine tokens are refused because the key of their payload is not configured, the clock of this
 * process is far from that of the storage, storage says that it is not to be relied on, or the clean-up is overdue. Put `@SkipSession()` on its route, so that it answers while storage is down.
 *
 * @example
 * ```ts
 * import { HealthCheckService } from '@nestjs/terminus';
 *
 * export class Health {
 *   constructor(
 *     private readonly health: HealthCheckService,
 *     private readonly sessions: SessionHealthIndicator,
 *   ) {}
 *
 *   check() {
 *     return this.health.check([() => this.sessions.isHealthy('sessions', { timeout: '1s' })]);
 *   }
 * }
 * ```
 */
export class SessionHealthIndicator {
  readonly #store: SessionStore;
  readonly #cleanup: SessionCleanup;
  readonly #service = new HealthIndicatorService();

  constructor(store: SessionStore, cleanup: SessionCleanup) {
    this.#store = store;
    this.#cleanup = cleanup;
  }

  /**
   * Checks now, and says how it went: Terminus makes a 503 of what is down. It rejects for a bad timeout alone.
   *
   * @param key the name in the health report. @default 'sessions'
   * @param options.timeout how long the check may take: milliseconds, or a string such as `'2s'`. @default 1000
   * @throws SessionOptionsError when the timeout is no duration
   */
  async isHealthy<const K extends string = 'sessions'>(
    key: K = 'sessions' as K,
    options: { timeout?: Duration } = {},
  ) {
    const indicator = this.#service.check(key);
    const timeout = parseDuration('timeout', options.timeout ?? DEFAULT_TIMEOUT);
    const health = await withTimeout<SessionHealth | null>(
      () => this.#store.checkHealth(),
      timeout,
      () => null,
    );
    const problems: SessionsDown['problems'] = [
      ...(health === null ? (['timeout'] as const) : health.problems.map((problem) => problem.code)),
      ...(this.#cleanup.isOverdue ? (['cleanup-overdue'] as const) : []),
    ];
    if (health === null || problems.length > 0) return indicator.down({ problems } satisfies SessionsDown);
    const up: SessionsUp = {
      latencyMs: health.latencyMs,
      lastCleanup: withoutReason(health.lastCleanup),
      ...(health.warnings.length > 0 && { warnings: [...new Set(health.warnings.map(({ code }) => code))] }),
    };
    return indicator.up(up);
  }
}

/** The error of a clean-up may name hosts and files: it is in the log, and in `SessionCleanup.last`. */
function withoutReason(last: CleanupResult | null): SessionsUp['lastCleanup'] {
  if (last === null) return null;
  const { error, ...shown } = last;
  return error === undefined ? shown : { ...shown, failed: true };
}
