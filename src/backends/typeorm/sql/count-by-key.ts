import type { EpochMs } from '../../../core/session-row.js';
import type { SqlConnection } from '../sql-connection.js';
import { IS_ACTIVE } from './expiry-condition.js';

/** Numbers of active sessions by the key that sealed them. */
export function countByKeyStatements(table: string) {
  return {
    /** now, now */
    countByKey: `SELECT key_id, COUNT(*) AS total FROM ${table} WHERE ${IS_ACTIVE} GROUP BY key_id`,
    /** rows to look at, now, now */
    countNewestByKey:
      `SELECT key_id, COUNT(*) AS total FROM (SELECT key_id, expires_at, absolute_expires_at FROM ${table} ` +
      `ORDER BY id DESC LIMIT ?) AS newest WHERE ${IS_ACTIVE} GROUP BY key_id`,
  };
}

/** `SessionBackend.countByKey`. @param newest rows to look at, the newest first; absent: all of them */
export async function countByKey(
  connection: SqlConnection,
  { countByKey: countAll, countNewestByKey }: ReturnType<typeof countByKeyStatements>,
  now: EpochMs,
  newest?: number,
): Promise<ReadonlyMap<string, number>> {
  const rows = await connection.read((sql) =>
    newest === undefined ? sql.all(countAll, [now, now]) : sql.all(countNewestByKey, [newest, now, now]),
  );
  return new Map(rows.map((row) => [String(row.key_id), Number(row.total)]));
}
