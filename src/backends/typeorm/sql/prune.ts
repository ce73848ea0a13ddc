import type { PruneResult, PruneStep } from '../../../core/session-backend.js';
import { deleteIds } from './delete.js';
import { text } from './row-mapping.js';
import { chunked } from './selection.js';
import type { SessionStatements } from './session-statements.js';
import type { SqlConnection, SqlRunner, SqlValue } from '../sql-dialect.js';

/**
 * One step of the walk by primary key, so that it reads no more than a batch. Where others may keep rows, theirs are
 * left to the next walk, so that it waits for nobody and nobody waits for it in a circle.
 */
export async function pruneStep(
  database: SqlConnection,
  statements: SessionStatements,
  { now, after, batchSize }: PruneStep,
): Promise<PruneResult> {
  const start = after ?? '';
  const { next, last } = await database.read(async (sql) => {
    const [end] = await sql.all(statements.batchEnd, [start, batchSize - 1]);
    if (end) return { next: text(end.id), last: text(end.id) };
    const [rest] = await sql.all(statements.lastId, [start]);
    return { next: null, last: rest && rest.id !== null ? text(rest.id) : null };
  });
  if (last === null) return { deleted: 0, next };
  return { deleted: await deleteExpired(database, statements, [start, last, now, now]), next };
}

async function deleteExpired(
  database: SqlConnection,
  statements: SessionStatements,
  batch: readonly [start: string, last: string, now: number, now: number],
): Promise<number> {
  const { pruneBatch } = statements;
  if (pruneBatch !== null) return database.write((sql) => sql.run(pruneBatch, batch));
  const expired = (await database.read((sql) => sql.all(statements.expired, batch))).map(({ id }) =>
    text(id),
  );
  let count = 0;
  for (const ids of chunked(expired)) {
    const values = [...ids, batch[2], batch[3]];
    count += await database.transaction((sql) => deleteUnlocked(sql, statements, values, ids.length));
  }
  return count;
}

async function deleteUnlocked(
  sql: SqlRunner,
  statements: SessionStatements,
  values: readonly SqlValue[],
  count: number,
): Promise<number> {
  const rows = await sql.all(statements.expiredToDelete(count), values);
  return deleteIds(
    sql,
    statements,
    rows.map(({ id }) => text(id)),
  );
}
