import type { InsertRequest, InsertResult } from '../../../core/session-backend.js';
import { isActive } from '../../../core/session-expiry.js';
import type { EndedRow, SessionRow } from '../../../core/session-row.js';
import { deleteIds } from './delete.js';
import { endedRowOf, valuesOf } from './row-mapping.js';
import type { SessionStatements } from './session-statements.js';
import type { SqlRunner } from '../sql-dialect.js';

/** Tells a caller what came of its insert. */
export type Settle = (caller: {
  readonly resolve: (result: InsertResult) => void;
  readonly reject: (error: unknown) => void;
}) => void;

/** A row that counts towards the limit. `isNew`: it is still to be stored. */
interface Counted extends EndedRow {
  readonly lastActiveAt: number;
  readonly isNew: SessionRow | null;
}

/**
 * Inserts of one user one after the other, as one step, inside a transaction that no other one of the user overlaps: a
 * row that a later one of them evicts is never stored. `null`, and nothing to commit, when one of them is of another
 * kind, or meets an id that is taken: each then needs a transaction of its own.
 */
export async function insertTogether(
  sql: SqlRunner,
  statements: SessionStatements,
  userId: string,
  requests: readonly InsertRequest[],
): Promise<readonly Settle[] | null> {
  const settled: Settle[] = [];
  const doomed: string[] = [];
  let counted: Counted[] = [];
  let start: number | null = null;
  for (const request of requests) {
    const { limit } = request;
    const row = attempt(request);
    if ('error' in row) {
      settled.push(({ reject }) => reject(row.error));
      continue;
    }
    if (row.built === null || row.built.tokenHash === null || limit?.onLimit !== 'evict') return null;
    const { built } = row;
    const now = Math.max(built.createdAt, built.lastActiveAt);
    if (start === null) counted = await countedRows(sql, statements, userId, now);
    start ??= now;
    if (now < start || counted.some(({ id }) => id === built.id)) return null; // then the rows seen are not enough
    const active = counted.filter((each) => isActive(each, now)).toSorted(byLastUse);
    const evicted = active.slice(0, Math.max(0, active.length + 1 - limit.max));
    for (const { id, isNew } of evicted) if (isNew === null) doomed.push(id);
    counted = [...counted.filter((each) => !evicted.includes(each)), { ...built, isNew: built }];
    settled.push(({ resolve }) =>
      resolve({ status: 'inserted', row: built, replaced: null, evicted: evicted.map(ended) }),
    );
  }
  const rows = counted.flatMap(({ isNew }) => (isNew === null ? [] : [isNew]));
  if (doomed.length > 1) await sql.all(statements.keep(doomed.length), doomed);
  await deleteIds(sql, statements, doomed);
  if (rows.length === 0) return settled;
  const stored = await sql.run(statements.insert(rows.length), rows.flatMap(valuesOf));
  return stored === rows.length ? settled : null;
}

function attempt(request: InsertRequest): { built: SessionRow | null } | { error: unknown } {
  try {
    return { built: request.build(null) };
  } catch (error) {
    return { error };
  }
}

async function countedRows(
  sql: SqlRunner,
  statements: SessionStatements,
  userId: string,
  now: number,
): Promise<Counted[]> {
  const rows = await sql.all(statements.counted, [userId, now, now, '']);
  return rows.map((raw) => ({ ...endedRowOf(raw), lastActiveAt: Number(raw.last_active_at), isNew: null }));
}

function byLastUse(a: Counted, b: Counted): number {
  return a.lastActiveAt - b.lastActiveAt || Buffer.compare(Buffer.from(a.id), Buffer.from(b.id));
}

function ended({ id, userId, expiresAt, absoluteExpiresAt }: Counted): EndedRow {
  return { id, userId, expiresAt, absoluteExpiresAt };
}
