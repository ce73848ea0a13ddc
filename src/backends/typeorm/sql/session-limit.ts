import type { SessionRow } from '../../../core/session-row.js';
import type { EndedRow } from '../../../core/session-row.js';
import type { SqlRunner } from '../sql-connection.js';
import { COLUMNS } from '../schema/columns.js';
import { IS_ACTIVE } from './expiry.js';
import { ENDED_COLUMNS, endedRowOf } from './row-mapping.js';

/**
 * The sessions of a user that count towards the limit, in the order in which they are evicted: least recently active
 * first, by id where that is the same. The same order is in core, for rows that are in memory.
 */
export function limitStatements(table: string) {
  const { name: lastActiveAt } = COLUMNS.lastActiveAt;
  return {
    /** user id, now, now, id of the replaced row or an empty text */
    countedRows:
      `SELECT ${ENDED_COLUMNS}, ${lastActiveAt} FROM ${table} WHERE user_id = ? AND token_hash IS NOT NULL ` +
      `AND ${IS_ACTIVE} AND id <> ? ORDER BY ${lastActiveAt}, id`,
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

/** Of rows in the order of eviction, those that have to go so that one more fits. */
export function overLimit<T>(counted: readonly T[], max: number): readonly T[] {
  return counted.slice(0, Math.max(0, counted.length + 1 - max));
}

/** The order of eviction, for rows in memory. Ids are compared byte for byte, as every database orders them. */
export function byEviction(a: CountedRow, b: CountedRow): number {
  return a.lastActiveAt - b.lastActiveAt || Buffer.compare(Buffer.from(a.id), Buffer.from(b.id));
}

/** What is said of a counted row that is evicted. */
export function endedOf({ id, userId, expiresAt, absoluteExpiresAt }: CountedRow): EndedRow {
  return { id, userId, expiresAt, absoluteExpiresAt };
}
