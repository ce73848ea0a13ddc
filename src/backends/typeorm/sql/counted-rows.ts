import type { EndedRow, SessionRow } from '../../../core/session-row.js';
import type { SqlRunner } from '../sql-connection.js';
import { COLUMNS } from '../schema/columns.js';
import { IS_ACTIVE } from './expiry-condition.js';
import { ENDED_COLUMNS, endedRowOf } from './row-mapping.js';

/**
 * The sessions of a user that count towards the limit, in no order: `chooseVictims` in core/session-limit.ts has the order
 * of eviction, for every backend, and chooses among them.
 */
export function limitStatements(table: string) {
  return {
    /** user id, now, now, id of the replaced row or an empty text */
    countedRows:
      `SELECT ${ENDED_COLUMNS}, ${COLUMNS.lastActiveAt.name} FROM ${table} ` +
      `WHERE user_id = ? AND token_hash IS NOT NULL AND ${IS_ACTIVE} AND id <> ?`,
  };
}

/** The statements about the limit. */
export type LimitStatements = ReturnType<typeof limitStatements>;

/** A row that counts towards the limit. */
export type CountedRow = EndedRow & Pick<SessionRow, 'lastActiveAt'>;

/** The rows of a user that count at an instant, but for one that is about to be replaced. */
export async function countedRows(
  sql: SqlRunner,
  statements: LimitStatements,
  userId: string,
  now: number,
  replaces: string | null = null,
): Promise<readonly CountedRow[]> {
  const rows = await sql.all(statements.countedRows, [userId, now, now, replaces ?? '']);
  return rows.map((raw) => ({ ...endedRowOf(raw), lastActiveAt: Number(raw[COLUMNS.lastActiveAt.name]) }));
}

/** What is said of a counted row that is evicted. */
export function evictedRow({ id, userId, expiresAt, absoluteExpiresAt }: CountedRow): EndedRow {
  return { id, userId, expiresAt, absoluteExpiresAt };
}
