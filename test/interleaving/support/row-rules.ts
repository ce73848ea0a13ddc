import { isActive } from '../../../src/core/session-expiry.js';
import type { SessionRow } from '../../../src/core/session-row.js';
import type { BackendMethod } from '../../core/support/backends.js';

type Seen = Pick<SessionRow, 'absoluteExpiresAt'> & { readonly isActive: boolean };

/** Methods after which an active row may be gone. */
const ENDING: readonly BackendMethod[] = ['insert', 'delete'];

/** What holds of the stored rows after every step, whatever happened. */
export class RowRules {
  /** Ids of sessions that have ended: by a call, by another one's sign-in, or by themselves. */
  readonly ended = new Set<string>();
  #before = new Map<string, Seen>();

  constructor(
    private readonly rows: ReadonlyMap<string, SessionRow>,
    private readonly maxPerUser: number,
  ) {}

  /**
   * What is wrong now, or `null`.
   *
   * @param method what was called in this step, if anything was
   * @param inserted ids that an insert has stored since the last check
   */
  check(now: number, method: BackendMethod | null, inserted: ReadonlySet<string>): string | null {
    const seen = new Map<string, Seen>();
    const counts = new Map<string, number>();
    for (const row of this.rows.values()) {
      const active = isActive(row, now);
      seen.set(row.id, { absoluteExpiresAt: row.absoluteExpiresAt, isActive: active });
      if (row.expiresAt > row.absoluteExpiresAt) return `${row.id} lives past its absolute expiry`;
      if (active && row.userId !== null && row.tokenHash !== null) {
        counts.set(row.userId, (counts.get(row.userId) ?? 0) + 1);
      }
      const before = this.#before.get(row.id);
      if (active && !before?.isActive && !inserted.has(row.id)) {
        return `${row.id} ${this.ended.has(row.id) ? 'was revived' : 'appeared from nowhere'}`;
      }
      if (before?.isActive && row.absoluteExpiresAt > before.absoluteExpiresAt) {
        return `the absolute expiry of ${row.id} grew`;
      }
    }
    for (const [userId, count] of counts) {
      if (count > this.maxPerUser)
        return `${userId} has ${count} sessions, with a limit of ${this.maxPerUser}`;
    }
    for (const [id, before] of this.#before) {
      if (seen.get(id)?.isActive || !before.isActive) continue;
      this.ended.add(id);
      if (method !== null && !seen.has(id) && !ENDING.includes(method))
        return `${method} took the live row ${id}`;
    }
    this.#before = seen;
    return null;
  }
}
