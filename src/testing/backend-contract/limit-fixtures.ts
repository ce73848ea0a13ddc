import type { SessionLimit } from '../../core/session-limit.js';
import type { EndedRow, SessionRow } from '../../core/session-row.js';
import { MINUTE, NOW, idleSince, overSince, row } from './contract-rule.js';

/** A limit that ends the least recently active. */
export const evict = (max: number): SessionLimit => ({ max, onLimit: 'evict' });
/** A limit that refuses the new row. */
export const reject = (max: number): SessionLimit => ({ max, onLimit: 'reject' });

/** A row last active so many minutes ago. */
export const used = (id: string, minutes: number, fields: Partial<SessionRow> = {}) =>
  row(id, { lastActiveAt: NOW - minutes * MINUTE, ...fields });

/** What a backend reports of a row that it has ended. */
export const ended = ({ id, userId, expiresAt, absoluteExpiresAt }: SessionRow): EndedRow => {
  return { id, userId, expiresAt, absoluteExpiresAt };
};

/** Rows that no limit of `ada` counts, whichever way a backend forgets to look. All last active long ago. */
export const UNCOUNTED: readonly SessionRow[] = [
  used('idle', 0, idleSince(NOW - MINUTE)),
  used('idle-now', 0, idleSince(NOW)),
  used('over', 0, overSince(NOW - MINUTE)),
  used('over-now', 0, overSince(NOW)),
  used('keyed-1', 50, { tokenHash: null }),
  used('keyed-2', 50, { tokenHash: null }),
  used('other-case', 50, { userId: 'Ada' }),
  used('other-user', 50, { userId: 'ada ' }),
  used('anonymous', 50, { userId: null }),
];

/** The rows by id, for `assertStored`. */
export const stored = (rows: readonly SessionRow[]) =>
  Object.fromEntries(rows.map((each) => [each.id, each]));

/** 50 inserts of one user at once, each last active when it was built; the rows in the order they were built. */
export async function insertAtOnce(
  insert: (build: () => SessionRow) => Promise<unknown>,
): Promise<SessionRow[]> {
  const built: SessionRow[] = [];
  const builds = Array.from({ length: 50 }, (_, index) => () => {
    const next = row(`s${index}`, { lastActiveAt: NOW + built.length, createdAt: NOW + built.length });
    built.push(next);
    return next;
  });
  await Promise.all(builds.map(insert));
  return built;
}
