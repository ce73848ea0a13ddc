import type { ListRequest } from '../../../core/session-backend.js';
import type { SessionRow } from '../../../core/session-row.js';
import { COLUMNS } from '../schema/columns.js';
import type { SqlConnection } from '../sql-connection.js';
import { IS_ACTIVE } from './expiry-condition.js';
import { ALL_COLUMNS, rowOf } from './row-mapping.js';
import { serverState } from './server-state.js';
import type { SqlSyntax } from './sql-syntax.js';

/** The active sessions of a user, those with the latest instant first. */
export function listStatements(table: string, syntax: SqlSyntax) {
  const columns = ALL_COLUMNS + serverState(syntax);
  return {
    /** user id, now, now, limit if any */
    list: (orderBy: ListRequest['orderBy'], isLimited: boolean) =>
      `SELECT ${columns} FROM ${table} WHERE user_id = ? AND ${IS_ACTIVE} ` +
      `ORDER BY ${COLUMNS[orderBy].name} DESC, id DESC${isLimited ? ' LIMIT ?' : ''}`,
  };
}

/** `SessionBackend.list`. */
export async function listRows(
  connection: SqlConnection,
  { list }: ReturnType<typeof listStatements>,
  { userId, now, orderBy, limit }: ListRequest,
): Promise<readonly SessionRow[]> {
  const values = [userId, now, now, ...(limit === null ? [] : [limit])];
  const rows = await connection.read((sql) => sql.all(list(orderBy, limit !== null), values));
  return rows.map(rowOf);
}
