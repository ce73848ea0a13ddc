import type { SessionParts } from './session-parts.js';
import type { CleanupResult } from './session-pruning.js';
import { performance } from './timers.js';

/*
 * The health of sessions: whether storage answers, whether the keys open what they seal, and how the last clean-up went.
 */

/** What is wrong, in a form that code can compare and that may be shown to anybody. */
export type SessionProblemCode = 'unreachable' | 'unknown-key' | 'sealing' | 'clock' | 'storage';

/** One thing that is wrong. */
export interface SessionProblem {
  readonly code: SessionProblemCode;
  /** For the log: it may name hosts, files and key ids. */
  readonly message: string;
}

/** What somebody should look at, in a form that code can compare and that may be shown to anybody. */
export type SessionWarningCode = 'unknown-key' | 'clock' | 'storage';

/** One thing that somebody should look at, though every request is served. */
export interface SessionWarning {
  readonly code: SessionWarningCode;
  /** For the log: it may name hosts, settings and key ids. */
  readonly message: string;
}

/** Whether sessions work, as `SessionStore.checkHealth` found. */
export interface SessionHealth {
  /** Whether there are no problems. Warnings do not count. */
  readonly healthy: boolean;
  /**
   * `unknown-key`: in the last five minutes genuine tokens were refused, since the key of their payload is missing. `clock`:
   * the clock of this process and that of the storage differ by more than `rotation.grace`, and by more than a second.
   * `storage`: storage says of itself that it is not to be relied on.
   */
  readonly problems: readonly SessionProblem[];
  /**
   * `unknown-key`: stored sessions, looked for at most once a minute, are sealed by a key that is not configured. They may
   * be those of another app in the same table, whose tokens this one does not recognise, or have expired. `clock`: the clocks
   * differ by more than a second. `storage`: storage says of itself that somebody should look at it.
   */
  readonly warnings: readonly SessionWarning[];
  /** Milliseconds that storage took to answer; `null` when it did not. */
  readonly latencyMs: number | null;
  /** How the last clean-up of this process went, or that it rested while another one cleaned up; `null` before the first. */
  readonly lastCleanup: CleanupResult | null;
  /**
   * Ids of the keys that stored sessions are sealed by, sorted, looked for at most once a minute. Sessions that have expired
   * count until they are deleted. A key that is not among them may be removed from `key`.
   */
  readonly keysInUse: readonly string[];
  /** Tokens refused by this process so far: malformed, or with a signature that no key confirms. */
  readonly refusedTokens: number;
}

/** A touch that changes no row, but fails where storage is locked or read-only. */
const NO_TOUCH = { id: 'nest-sessions health', lastActiveAt: 0, expiresAt: 0, now: 0 } as const;

/** Looks at everything that a request depends on. Never rejects. */
export async function examine(parts: SessionParts): Promise<SessionHealth> {
  const { backend, issuer, pruning, storageHealth } = parts;
  const problems: SessionProblem[] = [...sealingProblems(parts), ...keyProblems(parts)];
  const warnings: SessionWarning[] = [];
  let keysInUse: readonly string[] = [];
  let latencyMs: number | null = null;
  try {
    const begun = performance.now();
    await backend.touch([NO_TOUCH]);
    latencyMs = Math.round((performance.now() - begun) * 100) / 100;
    const storage = await storageHealth.check();
    problems.push(...storage.problems);
    warnings.push(...storage.warnings);
    keysInUse = await parts.keysInUse.ids();
    for (const keyId of parts.keysInUse.unknown) {
      warnings.push({
        code: 'unknown-key',
        message: `Sessions are sealed by the key ${keyId}, which is not configured`,
      });
    }
  } catch (error) {
    problems.push({ code: 'unreachable', message: error instanceof Error ? error.message : String(error) });
  }
  return {
    healthy: problems.length === 0,
    problems,
    warnings,
    latencyMs,
    lastCleanup: pruning.last,
    keysInUse,
    refusedTokens: issuer.refused,
  };
}

/** Keys without which somebody is refused. */
function keyProblems({ unknownKeys }: SessionParts): SessionProblem[] {
  return unknownKeys.recent.map(({ keyId, count, lastAt }) => ({
    code: 'unknown-key',
    message:
      `${count} requests with a genuine token were refused, the last at ${new Date(lastAt).toISOString()}: the payload of ` +
      `their session is sealed by the key ${keyId}, which is not configured`,
  }));
}

/** Seals a payload and opens it again. */
function sealingProblems({ sealer }: SessionParts): SessionProblem[] {
  const probe = { data: { probe: true }, flashes: [], meta: {} };
  try {
    const opened = sealer.open({ ...sealer.seal(probe, 'health', null), id: 'health', userId: null });
    if (opened.data['probe'] === true) return [];
    return [{ code: 'sealing', message: 'A payload sealed by the key ring opens to something else' }];
  } catch (error) {
    return [{ code: 'sealing', message: `A payload sealed by the key ring does not open: ${String(error)}` }];
  }
}
