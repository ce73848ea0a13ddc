import type { RowSelection } from '../../../core/session-backend.js';
import type { EndedRow } from '../../../core/session-row.js';
import type { SqlConnection, SqlRunner } from '../sql-connection.js';
import type { LockStatements } from './lock-rows.js';
import { chunked, placeholders } from './placeholders.js';
import { ENDED_COLUMNS, endedRowOf, idsOf } from './row-mapping.js';
import { type Condition, conditionsOf, isByIds, whereIds } from './selection.js';
import type { SqlSyntax } from './sql-syntax.js';

/** Deletions that say which rows they have deleted. `prune.ts` deletes those that have expired. */
export function deleteStatements(table: string, syntax: SqlSyntax) {
  const { deleteReturning, deleteByIds: deleteRowsById, forcePrimaryKey, forUpdate } = syntax;
  return {
    /** what `where` binds; `null` where a DELETE returns no rows */
    deleteReturning: deleteReturning
      ? (where: string) => `DELETE FROM ${table} WHERE ${where} RETURNING ${ENDED_COLUMNS}`
      : null,
    /** what `where` binds; nobody changes the rows until the transaction ends */
    endedForUpdate: (where: string, isById: boolean) =>
      `SELECT ${ENDED_COLUMNS} FROM ${table}${isById ? forcePrimaryKey : ''} WHERE ${where} ORDER BY id${forUpdate}`,
    /**
     * what `where` binds; `null` where `endedForUpdate` may lock rows by any index. Elsewhere an index locks its own
     * entries before their rows, and a DELETE the reverse.
     */
    idsWhere:
      forcePrimaryKey === '' ? null : (where: string) => `SELECT id FROM ${table} WHERE ${where} ORDER BY id`,
    /** id, … */
    delete: (count: number) => deleteRowsById(table, count),
  };
}

/** The statements that delete rows. */
export type DeleteStatements = ReturnType<typeof deleteStatements>;

/** Deletes so many rows by id, in plain SQL: `SqlSyntax.deleteByIds` of databases that need nothing else. */
export function deleteByIds(table: string, count: number): string {
  return `DELETE FROM ${table} WHERE id IN (${placeholders(count)})`;
}

/** `SessionBackend.delete`. */
export async function deleteSelection(
  connection: SqlConnection,
  statements: DeleteStatements & LockStatements,
  selection: RowSelection,
): Promise<readonly EndedRow[]> {
  const conditions = conditionsOf(selection);
  const [first, ...others] = conditions;
  if (first === undefined) return [];
  const isStatement = others.length === 0 && isOneStatement(statements, first);
  const work = (sql: SqlRunner) => deleteRows(sql, statements, conditions);
  if (isStatement && isByIds(selection)) return connection.write(work, ({ length }) => length > 0);
  // All rows of one user while that user signs in: one after the other, or they would lock rows in two orders.
  const userId = isByIds(selection) ? null : selection.userId;
  return connection.transaction(work, { userId, commitIf: () => true });
}

/** Deletes rows by id. */
export async function deleteIds(
  sql: SqlRunner,
  statements: Pick<DeleteStatements, 'delete'>,
  ids: readonly string[],
): Promise<number> {
  let count = 0;
  for (const chunk of chunked(ids)) count += await sql.run(statements.delete(chunk.length), chunk);
  return count;
}

/** Whether one statement deletes the rows and says which, so that it needs no transaction. */
function isOneStatement(
  { deleteReturning, locksRows }: DeleteStatements & LockStatements,
  { idCount }: Condition,
): boolean {
  return deleteReturning !== null && (idCount === 1 || !locksRows);
}

/** Deletes the rows of conditions that share none, and says which, inside a transaction. */
async function deleteRows(
  sql: SqlRunner,
  statements: DeleteStatements & LockStatements,
  conditions: readonly Condition[],
): Promise<readonly EndedRow[]> {
  const ended: Array<readonly EndedRow[]> = [];
  for (const condition of conditions) ended.push(await deleteWhere(sql, statements, condition));
  return ended.flat();
}

async function deleteWhere(
  sql: SqlRunner,
  statements: DeleteStatements & LockStatements,
  condition: Condition,
): Promise<readonly EndedRow[]> {
  const { where, values, idCount } = condition;
  if (idCount === null && statements.idsWhere) {
    const ids = idsOf(await sql.all(statements.idsWhere(where), values));
    return deleteRows(sql, statements, whereIds(ids, condition));
  }
  if (statements.deleteReturning && isOneStatement(statements, condition))
    return (await sql.all(statements.deleteReturning(where), values)).map(endedRowOf);
  // Several rows are locked in order of id first, as every transaction locks them: none waits for another in a circle.
  const rows = (await sql.all(statements.endedForUpdate(where, idCount !== null), values)).map(endedRowOf);
  // By id: rows that have come to fit the condition since then would go unsaid.
  await deleteIds(
    sql,
    statements,
    rows.map(({ id }) => id),
  );
  return rows;
}
