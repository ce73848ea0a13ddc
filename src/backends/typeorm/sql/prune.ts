import type { PruneResult, PruneStep } from '../../../core/session-backend.js';
import type { SqlConnection } from '../sql-connection.js';
import { deleteIds, type DeleteStatements } from './delete.js';
import { IS_EXPIRED } from './expiry-condition.js';
import { idBatch, type idBatchStatements, IN_BATCH } from './id-batch.js';
import { chunked, placeholders } from './placeholders.js';
import { idsOf } from './row-mapping.js';
import type { SqlSyntax } from './sql-syntax.js';

/** Expired rows, found by a walk over the primary key in batches. */
export function pruneStatements(table: string, { forUpdateSkipLocked, forcePrimaryKey }: SqlSyntax) {
  return {
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

type PruneStatements = ReturnType<typeof pruneStatements> &
  ReturnType<typeof idBatchStatements> &
  Pick<DeleteStatements, 'delete'>;

/**
 * `SessionBackend.prune`: one step of the walk, which reads no more than a batch. Where others may lock rows, theirs are
 * left to the next walk, so that it waits for nobody and nobody waits for it in a circle.
 */
export async function pruneStep(
  connection: SqlConnection,
  statements: PruneStatements,
  { now, cursor, batchSize }: PruneStep,
): Promise<PruneResult> {
  const { after, last, next } = await connection.read((sql) => idBatch(sql, statements, cursor, batchSize));
  if (last === null) return { deleted: 0, next };
  return { deleted: await pruneBatch(connection, statements, [after, last, now, now]), next };
}

async function pruneBatch(
  connection: SqlConnection,
  statements: PruneStatements,
  batch: readonly [after: string, last: string, now: number, now: number],
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
