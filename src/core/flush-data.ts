import type { JsonObject } from './json-data.js';
import { applyChanges, diffData, NO_FLASHES } from './merge-changes.js';
import type { SessionManager } from './session-manager.js';
import { SessionGoneError } from './session-errors.js';
import type { EpochMs, SessionRow } from './session-row.js';

/** What `SessionStore.flush` is given, checked. */
export interface Flush {
  readonly data: JsonObject;
  /** What `data` was made from. `null`: replace all that is stored. */
  readonly base: JsonObject | null;
  readonly now: EpochMs;
  readonly expiresAt: EpochMs;
}

/** `SessionStore.flush`: `false` when the session has ended. */
export async function flushData(manager: SessionManager, id: string, flush: Flush): Promise<boolean> {
  const { data, base } = flush;
  const change = base === null ? { replace: true, set: data, remove: [] } : diffData(base, data);
  const use = (row: SessionRow) => ({
    lastActiveAt: Math.max(row.lastActiveAt, flush.now),
    expiresAt: Math.min(Math.max(row.expiresAt, flush.expiresAt), row.absoluteExpiresAt),
  });
  try {
    await manager.writer.write({
      id,
      use,
      apply: (content) => applyChanges(content, { ...change, ...NO_FLASHES }),
    });
    return true;
  } catch (error) {
    if (error instanceof SessionGoneError) return false;
    throw error;
  }
}
