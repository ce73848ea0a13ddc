import type { InsertRequest, InsertResult } from '../../../core/session-backend.js';
import { isActive } from '../../../core/session-expiry.js';
import { chooseVictims } from '../../../core/session-limit.js';
import type { EndedRow, SessionRow } from '../../../core/session-row.js';
import { COLUMN_NAMES } from '../schema/columns.js';
import type { SqlConnection, SqlRunner } from '../sql-connection.js';
import { deleteIds, type DeleteStatements } from './delete.js';
import type { FindStatements } from './find.js';
import type { LockStatements } from './lock-rows.js';
import { placeholders, repeated, statementByCount } from './placeholders.js';
import { ALL_COLUMNS, rowOf, valuesOf } from './row-mapping.js';
import { type CountedRow, countedRows, evictedRow, type LimitStatements } from './counted-rows.js';
import type { SqlSyntax } from './sql-syntax.js';

/** New sessions. `insert-queue.ts` says which of them share a transaction. */
export function insertStatements(table: string, { onConflictDoNothing }: SqlSyntax) {
  const row = `(${placeholders(COLUMN_NAMES.length)})`;
  return {
    /** all columns of each row; no row where an id is taken */
    insert: statementByCount(
      (count) => `INSERT INTO ${table} (${ALL_COLUMNS}) VALUES ${repeated(row, count)}${onConflictDoNothing}`,
    ),
  };
}

/** The statements that an insert needs. */
export type InsertStatements = ReturnType<typeof insertStatements> &
  LimitStatements &
  LockStatements &
  Pick<FindStatements, 'findForUpdate'> &
  Pick<DeleteStatements, 'delete'>;

/**
 * `SessionBackend.insert`, as a transaction of its own.
 *
 * @param since when the call came, if it has waited before, on the clock of `performance.now()`
 */
export function insertRow(
  connection: SqlConnection,
  statements: InsertStatements,
  request: InsertRequest,
  since?: number,
): Promise<InsertResult> {
  // A row that takes the place of another would be missed by a deletion of all the user's rows that waits for that one.
  const isAlone = request.limit === null && request.replaces === null;
  const attempted: Inserted[] = [];
  const work = async (sql: SqlRunner): Promise<InsertResult> => {
    const before = await doneBefore(sql, statements, request, attempted);
    if (before !== null) return before;
    const result = await decide(sql, statements, request);
    if (result.status !== 'inserted') return result;
    attempted.push(result); // before the COMMIT leaves, after which nobody may know
    if (await insertDecided(sql, statements, result)) return result;
    // An attempt with this id that was under way still has ended by now, since its row was waited for.
    return (await doneBefore(sql, statements, request, attempted)) ?? { status: 'taken' };
  };
  return connection.transaction(work, {
    userId: isAlone ? null : request.userId,
    commitIf: ({ status }) => status === 'inserted',
    hasHit: () => true,
    since,
  });
}

type Inserted = Extract<InsertResult, { status: 'inserted' }>;

/** What an attempt before has done, whose answer was lost. `null`: nothing, as far as has been committed. */
async function doneBefore(
  sql: SqlRunner,
  statements: InsertStatements,
  { replaces }: InsertRequest,
  attempted: readonly Inserted[],
): Promise<Inserted | null> {
  if (!sql.mayBeDone || attempted.length === 0) return null;
  await rowToReplace(sql, statements, replaces); // an attempt that had locked it has ended then
  const stored = await storedOf(
    sql,
    statements,
    attempted.map(({ row }) => row),
  );
  return attempted.find(({ row }) => row === stored) ?? null;
}

/** The first of some rows of attempts that storage holds: that very row, by its version. `null`: none. */
export async function storedOf(
  sql: SqlRunner,
  { findForUpdate }: Pick<FindStatements, 'findForUpdate'>,
  rows: readonly SessionRow[],
): Promise<SessionRow | null> {
  for (const row of rows) {
    const [found] = await sql.all(findForUpdate, [row.id]);
    if (found !== undefined && rowOf(found).version === row.version) return row;
  }
  return null;
}

/** What comes of an insert, if its id is not taken. Nothing has been changed yet. */
async function decide(
  sql: SqlRunner,
  statements: InsertStatements,
  request: InsertRequest,
): Promise<InsertResult> {
  // Of those that wait for each other, the first statement may leave with the lock.
  const early = await countedEarly(sql, statements, request);
  const replaced = await rowToReplace(sql, statements, request.replaces);
  const row = request.build(replaced);
  if (row === null) return { status: 'refused' };

  const evicted = await rowsToEvict(sql, statements, request, row, early);
  const isRejected = evicted.length > 0 && request.limit?.onLimit === 'reject';
  return isRejected ? { status: 'limit' } : { status: 'inserted', row, replaced, evicted };
}

/** Ends what has to end, and inserts. `false`, and nothing to commit: the id is taken. */
async function insertDecided(
  sql: SqlRunner,
  statements: InsertStatements,
  { row, replaced, evicted }: Inserted,
): Promise<boolean> {
  const evictedIds = evicted.map(({ id }) => id);
  const ending = evictedIds.concat(replaced?.id ?? []);
  // The replaced row is locked already, so these are not waited for: whoever has locked one may wait for that.
  if (statements.locksRows && evicted.length > 0 && ending.length > 1)
    await sql.all(statements.lockRows(evicted.length), evictedIds);
  await deleteIds(sql, statements, ending);
  const [insert, values] = [statements.insert(1), valuesOf(row)];
  // Where nothing has ended there is nothing to take back when the id is taken.
  const inserted = await (ending.length > 0 ? sql.run(insert, values) : sql.runAndCommit(insert, values));
  return inserted > 0;
}

async function rowToReplace(
  sql: SqlRunner,
  { findForUpdate }: InsertStatements,
  id: string | null,
): Promise<SessionRow | null> {
  if (id === null) return null;
  const [found] = await sql.all(findForUpdate, [id]);
  return found ? rowOf(found) : null;
}

/** The rows that may count, before there is the new one. `null`: that one has to be there first. */
async function countedEarly(
  sql: SqlRunner,
  statements: InsertStatements,
  { limit, replaces, userId, notBefore }: InsertRequest,
): Promise<readonly CountedRow[] | null> {
  if (limit === null || replaces !== null || userId === null || notBefore === undefined) return null;
  return countedRows(sql, statements, userId, notBefore);
}

async function rowsToEvict(
  sql: SqlRunner,
  statements: InsertStatements,
  { limit, replaces, notBefore = Infinity }: InsertRequest,
  row: SessionRow,
  early: readonly CountedRow[] | null,
): Promise<readonly EndedRow[]> {
  if (limit === null || row.userId === null || row.tokenHash === null) return [];
  const now = Math.max(row.createdAt, row.lastActiveAt);
  const counted =
    early !== null && now >= notBefore
      ? early.filter((each) => isActive(each, now))
      : await countedRows(sql, statements, row.userId, now, replaces);
  return chooseVictims(counted, limit.max).map(evictedRow);
}
