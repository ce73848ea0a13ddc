import type { WalkResult, WalkStep } from '../../../core/session-backend.js';
import type { SqlConnection } from '../sql-connection.js';
import { IS_ACTIVE } from './expiry-condition.js';
import { idBatch, type idBatchStatements, IN_BATCH } from './id-batch.js';
import { ALL_COLUMNS, rowOf } from './row-mapping.js';
import { serverState } from './server-state.js';
import type { SqlSyntax } from './sql-syntax.js';

/** Active rows of everybody, found by a walk over the primary key in batches. */
export function walkStatements(table: string, { forcePrimaryKey, isReadOnly }: SqlSyntax) {
  const columns = ALL_COLUMNS + serverState({ isReadOnly });
  return {
    /** after, last id, now, now, active since if any, most rows */
    walk: ({ activeSince, authenticated }: Pick<WalkStep, 'activeSince' | 'authenticated'>) =>
      `SELECT ${columns} FROM ${table}${forcePrimaryKey} WHERE ${IN_BATCH} AND ${IS_ACTIVE}` +
      (activeSince === null ? '' : ' AND last_active_at >= ?') +
      (authenticated === null ? '' : ` AND user_id IS ${authenticated ? 'NOT ' : ''}NULL`) +
      ' ORDER BY id LIMIT ?',
  };
}

type WalkStatements = ReturnType<typeof walkStatements> & ReturnType<typeof idBatchStatements>;

/** `SessionBackend.walk`: one step, which looks at no more than a batch. */
export async function walkStep(
  connection: SqlConnection,
  statements: WalkStatements,
  step: WalkStep,
): Promise<WalkResult> {
  const { now, activeSince, limit } = step;
  return connection.read(async (sql) => {
    const { after, last, next } = await idBatch(sql, statements, step.cursor, step.batchSize);
    if (last === null) return { rows: [], next };
    const values = [after, last, now, now, ...(activeSince === null ? [] : [activeSince]), limit];
    const rows = (await sql.all(statements.walk(step), values)).map(rowOf);
    const end = rows.length < limit ? undefined : rows.at(-1);
    return { rows, next: end && end.id !== last ? end.id : next };
  });
}
