import type { PruneResult, PruneStep } from '../../../core/session-backend.js';
import type { SqlConnection } from '../sql-connection.js';
import { deleteIds, type DeleteStatements } from './delete.js';
import { IS_EXPIRED } from './expiry-condition.js';
import { chunked, placeholders } from './placeholders.js';
import { idsOf, text } from './row-mapping.js';
import type { SqlSyntax } from './sql-syntax.js';

/** Expired rows, found by a walk over the primary key in batches. */
export function pruneStatements(table: string, { forUpdateSkipLocked, forcePrimaryKey }: SqlSyntax) {
  return {
    /** after, batch size - 1. One row where the table has a whole batch: its last id. */
    batchEnd: `SELECT id FROM ${table} WHERE id > ? ORDER BY id LIMIT 1 OFFSET ?`,
    /** after. Its last id, if there is one. */
    lastId: `SELECT MAX(id) AS id FROM ${table} WHERE id > ?`,
    /** after, last id, now, now; `null` where others may have locked rows */
    deleteExpired:
      forUpdateSkipLocked === '' ? `DELETE FROM ${table} WHERE ${IN_BATCH} AND ${IS_EXPIRED}` : null,
    /** after, last id, now, now */
    expiredIds: `SELECT id FROM ${table} WHERE ${IN_BATCH} AND ${IS_EXPIRED}`,
    /** id, …, now, now; leaves out rows that others have locked */
    lockExpired: (count: number) =>
      `SELECT id FROM ${table}${forcePrimaryKey} WHERE id IN (${placeholders(count)}) AND ${IS_EXPIRED}` +
      forUpdateSkipLocked,
  };
}

const IN_BATCH = 'id > ? AND id <= ?';

type PruneStatements = ReturnType<typeof pruneStatements> & Pick<DeleteStatements, 'delete'>;

/**
 * `SessionBackend.prune`: one step of the walk, which reads no more than a batch. Where others may lock rows, theirs are
 * left to the next walk, so that it waits for nobody and nobody waits for it in a circle.
 */
export async function pruneStep(
  connection: SqlConnection,
  statements: PruneStatements,
  { now, after, batchSize }: PruneStep,
): Promise<PruneResult> {
  const start = after ?? '';
  const { next, last } = await connection.read(async (sql) => {
    const [end] = await sql.all(statements.batchEnd, [start, batchSize - 1]);
    if (end) return { next: text(end.id), last: text(end.id) };
    const [rest] = await sql.all(statements.lastId, [start]);
    return { next: null, last: rest && rest.id !== null ? text(rest.id) : null };
  });
  if (last === null) return { deleted: 0, next };
  return { deleted: await pruneBatch(connection, statements, [start, last, now, now]), next };
}

async function pruneBatch(
  connection: SqlConnection,
  statements: PruneStatements,
  batch: readonly [start: string, last: string, now: number, now: number],
): Promise<number> {
  const { deleteExpired } = statements;
  if (deleteExpired !== null) return connection.write((sql) => sql.run(deleteExpired, batch));
  const [, , ...now] = batch;
  let count = 0;
  for (const ids of chunked(idsOf(await connection.read((sql) => sql.all(statements.expiredIds, batch))))) {
    count += await connection.transaction(async (sql) => {
      const locked = await sql.all(statements.lockExpired(ids.length), [...ids, ...now]);
      return deleteIds(sql, statements, idsOf(locked));
    });
  }
  return count;
}
