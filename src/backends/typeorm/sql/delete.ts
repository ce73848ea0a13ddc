import type { EndedRow } from '../../../core/session-row.js';
import { endedRowOf, text } from './row-mapping.js';
import { byIds, chunked, type Condition, EVERY } from './selection.js';
import type { SessionStatements } from './session-statements.js';
import type { SqlRunner } from '../sql-dialect.js';

/** Deletes the rows of conditions that share none, and says which, inside a transaction. */
export async function deleteRows(
  sql: SqlRunner,
  statements: SessionStatements,
  conditions: readonly Condition[],
): Promise<readonly EndedRow[]> {
  const ended: Array<readonly EndedRow[]> = [];
  for (const condition of conditions) ended.push(await deleteThose(sql, statements, condition));
  return ended.flat();
}

/**
 * Deletes every row and says which, inside a transaction that reads what others have committed. No lock of a user holds
 * sign-ins off: where a row was gone before its turn, another one may have taken its place, which the next look finds.
 */
export async function deleteEvery(
  sql: SqlRunner,
  statements: SessionStatements,
): Promise<readonly EndedRow[]> {
  const ended: Array<readonly EndedRow[]> = [];
  for (;;) {
    const ids = (await sql.all(statements.everyId, [])).map(({ id }) => text(id));
    const deleted = await deleteRows(sql, statements, byIds(ids, EVERY));
    ended.push(deleted);
    if (deleted.length === ids.length) return ended.flat();
  }
}

/** Deletes rows by id. */
export async function deleteIds(
  sql: SqlRunner,
  statements: SessionStatements,
  ids: readonly string[],
): Promise<number> {
  let count = 0;
  for (const chunk of chunked(ids)) count += await sql.run(statements.delete(chunk.length), chunk);
  return count;
}

/** Whether one statement deletes the rows and says which, so that it needs no transaction. */
export function isOneStatement(statements: SessionStatements, { named }: Condition): boolean {
  return statements.deleteReturning !== null && (named === 1 || !statements.areRowsKept);
}

async function deleteThose(
  sql: SqlRunner,
  statements: SessionStatements,
  condition: Condition,
): Promise<readonly EndedRow[]> {
  const { where, values, named } = condition;
  if (named === null && statements.idsOf) {
    const ids = (await sql.all(statements.idsOf(where), values)).map(({ id }) => text(id));
    return deleteRows(sql, statements, byIds(ids, condition));
  }
  if (statements.deleteReturning && isOneStatement(statements, condition))
    return (await sql.all(statements.deleteReturning(where), values)).map(endedRowOf);
  // Several rows are kept in order of id first, as every transaction keeps them: none waits for another in a circle.
  const rows = (await sql.all(statements.ended(where, named !== null), values)).map(endedRowOf);
  // By id: rows that have come to fit the condition since then would go unsaid.
  await deleteIds(
    sql,
    statements,
    rows.map(({ id }) => id),
  );
  return rows;
}
