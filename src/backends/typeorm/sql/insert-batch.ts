import type { InsertRequest, InsertResult } from '../../../core/session-backend.js';
import { isActive } from '../../../core/session-expiry.js';
import { chooseVictims } from '../../../core/session-limit.js';
import type { SessionRow } from '../../../core/session-row.js';
import type { SqlRunner } from '../sql-connection.js';
import { deleteIds } from './delete.js';
import type { InsertStatements } from './insert.js';
import { valuesOf } from './row-mapping.js';
import { type CountedRow, countedRows, evictedRow } from './counted-rows.js';

/**
 * Inserts of one user one after the other, as one step, inside a transaction that no other one of the user overlaps: a
 * row that a later one of them evicts is never stored. `null`, and nothing to commit, when one of them is of another
 * kind, or meets an id that is taken: each then needs a transaction of its own.
 */
export async function insertTogether(
  sql: SqlRunner,
  statements: InsertStatements,
  userId: string,
  requests: readonly InsertRequest[],
): Promise<InsertedTogether | null> {
  const outcomes: Outcome[] = [];
  const toDelete: string[] = [];
  let counted: readonly Candidate[] = [];
  let start = requests[0]?.notBefore ?? null;
  const count = async (now: number): Promise<void> => {
    const stored = await countedRows(sql, statements, userId, now);
    counted = stored.map((each) => ({ ...each, toStore: null }));
  };
  if (start !== null) await count(start); // which may leave with the lock
  for (const request of requests) {
    const { limit } = request;
    const row = attempt(request);
    if ('error' in row) {
      outcomes.push(({ reject }) => reject(row.error));
      continue;
    }
    if (row.built === null || row.built.tokenHash === null || limit?.onLimit !== 'evict') return null;
    const { built } = row;
    const now = Math.max(built.createdAt, built.lastActiveAt);
    if (start === null) await count(now);
    start ??= now;
    if (now < start || counted.some(({ id }) => id === built.id)) return null; // then the rows seen are not enough
    const active = counted.filter((each) => isActive(each, now));
    const evicted = chooseVictims(active, limit.max);
    for (const { id, toStore } of evicted) if (toStore === null) toDelete.push(id);
    counted = [...counted.filter((each) => !evicted.includes(each)), { ...built, toStore: built }];
    outcomes.push(({ resolve }) =>
      resolve({ status: 'inserted', row: built, replaced: null, evicted: evicted.map(evictedRow) }),
    );
  }
  const rows = counted.flatMap(({ toStore }) => (toStore === null ? [] : [toStore]));
  if (toDelete.length > 1) await sql.all(statements.lockRows(toDelete.length), toDelete);
  await deleteIds(sql, statements, toDelete);
  if (rows.length === 0) return { outcomes, rows };
  const stored = await sql.run(statements.insert(rows.length), rows.flatMap(valuesOf));
  return stored === rows.length ? { outcomes, rows } : null;
}

/** What came of each insert, in their order, and the rows that are stored for it. */
export interface InsertedTogether {
  readonly outcomes: readonly Outcome[];
  readonly rows: readonly SessionRow[];
}

/** What came of one insert: resolves or rejects the promise of its caller. */
export type Outcome = (caller: {
  readonly resolve: (result: InsertResult) => void;
  readonly reject: (error: unknown) => void;
}) => void;

/** A row that counts towards the limit, and whether it is still to be stored. */
interface Candidate extends CountedRow {
  readonly toStore: SessionRow | null;
}

function attempt(request: InsertRequest): { built: SessionRow | null } | { error: unknown } {
  try {
    return { built: request.build(null) };
  } catch (error) {
    return { error };
  }
}
