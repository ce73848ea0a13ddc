import type { SqlRunner } from '../sql-connection.js';
import { text } from './row-mapping.js';

/*
 * The next rows of a walk over the whole table by primary key: those with an id behind one and up to another.
 */

/** Where a batch begins and ends, and the `after` of the next one; `null`: there is none. */
export interface IdBatch {
  readonly after: string;
  /** Its last id; `null`: there are no more rows. */
  readonly last: string | null;
  readonly next: string | null;
}

/** The condition of a statement on one batch: after, last id. */
export const IN_BATCH = 'id > ? AND id <= ?';

export function idBatchStatements(table: string) {
  return {
    /** after, batch size - 1. One row where the table has a whole batch: its last id. */
    batchEnd: `SELECT id FROM ${table} WHERE id > ? ORDER BY id LIMIT 1 OFFSET ?`,
    /** after. Its last id, if there is one. */
    lastId: `SELECT MAX(id) AS id FROM ${table} WHERE id > ?`,
  };
}

/** The batch of `size` rows behind an id; `null`: from the first row. */
export async function idBatch(
  sql: SqlRunner,
  { batchEnd, lastId }: ReturnType<typeof idBatchStatements>,
  behind: string | null,
  size: number,
): Promise<IdBatch> {
  const after = behind ?? '';
  const [end] = await sql.all(batchEnd, [after, size - 1]);
  if (end) return { after, last: text(end.id), next: text(end.id) };
  const [rest] = await sql.all(lastId, [after]);
  return { after, last: rest && rest.id !== null ? text(rest.id) : null, next: null };
}
