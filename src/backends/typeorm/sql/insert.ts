import type { InsertRequest, InsertResult } from '../../../core/session-backend.js';
import type { EndedRow, SessionRow } from '../../../core/session-row.js';
import { deleteIds } from './delete.js';
import { endedRowOf, rowOf, valuesOf } from './row-mapping.js';
import type { SessionStatements } from './session-statements.js';
import type { SqlRunner } from '../sql-dialect.js';

/**
 * `SessionBackend.insert`, inside a transaction that the caller commits only when the status is `inserted`, and that
 * no other one of the same user overlaps.
 */
export async function insertSession(
  sql: SqlRunner,
  statements: SessionStatements,
  request: InsertRequest,
): Promise<InsertResult> {
  const replaced = await rowToReplace(sql, statements, request.replaces);
  const row = request.build(replaced);
  if (row === null) return { status: 'refused' };

  const evicted = await rowsOverLimit(sql, statements, request, row);
  if (evicted.length > 0 && request.limit?.onLimit === 'reject') return { status: 'limit' };

  const evictedIds = evicted.map(({ id }) => id);
  const ending = evictedIds.concat(replaced?.id ?? []);
  // The replaced row is kept already, so these are not waited for: whoever keeps one may wait for that.
  if (statements.areRowsKept && evicted.length > 0 && ending.length > 1)
    await sql.all(statements.keep(evicted.length), evictedIds);
  await deleteIds(sql, statements, ending);
  const inserted = await sql.run(statements.insert(1), valuesOf(row));
  return inserted === 0 ? { status: 'taken' } : { status: 'inserted', row, replaced, evicted };
}

async function rowToReplace(
  sql: SqlRunner,
  statements: SessionStatements,
  id: string | null,
): Promise<SessionRow | null> {
  if (id === null) return null;
  const [found] = await sql.all(statements.findForUpdate, [id]);
  return found ? rowOf(found) : null;
}

/** The rows that have to go for `row` to fit, least recently active first. */
async function rowsOverLimit(
  sql: SqlRunner,
  statements: SessionStatements,
  { limit, replaces }: InsertRequest,
  row: SessionRow,
): Promise<readonly EndedRow[]> {
  if (limit === null || row.userId === null || row.tokenHash === null) return [];
  const now = Math.max(row.createdAt, row.lastActiveAt);
  const counted = await sql.all(statements.counted, [row.userId, now, now, replaces ?? '']);
  return counted.slice(0, Math.max(0, counted.length + 1 - limit.max)).map(endedRowOf);
}
