import type { SessionRow } from '../../../core/session-row.js';
import type { SqlConnection } from '../sql-connection.js';
import { byIds } from './by-ids.js';
import { chunked } from './placeholders.js';
import { ALL_COLUMNS, JSON_COLUMNS, rowOf } from './row-mapping.js';
import { serverState } from './server-state.js';
import type { SqlSyntax } from './sql-syntax.js';

/** Rows by their ids, as the comments name what each statement binds. `batched-find.ts` lets callers share one. */
export function findStatements(table: string, syntax: SqlSyntax) {
  const { forUpdate, jsonLookup, isReadOnly } = syntax;
  const columns = ALL_COLUMNS + serverState({ isReadOnly });
  const packed = JSON_COLUMNS.map((column) => `s.${column}`).join(', ');
  return {
    find: byIds(syntax, (condition) => `SELECT ${columns} FROM ${table} WHERE ${condition}`),
    /**
     * ids as a JSON array, each once; whole rows for `rowOfJson`. `null` where that is not possible. `CROSS JOIN` keeps
     * the order: SQLite would put the ids of an `IN` into a table of their own first.
     */
    findByJson: jsonLookup
      ? `SELECT json_array(${packed}) AS packed, s.payload FROM json_each(?) AS wanted CROSS JOIN ${table} AS s ` +
        'ON s.id = wanted.value'
      : null,
    /** id; nobody changes the row until the transaction ends */
    findForUpdate: `SELECT ${ALL_COLUMNS} FROM ${table} WHERE id = ?${forUpdate}`,
  };
}

/** The statements that find rows by id. */
export type FindStatements = ReturnType<typeof findStatements>;

/** The rows that there are, by id. */
export function findRows(
  connection: SqlConnection,
  statements: FindStatements,
  ids: readonly string[],
): Promise<ReadonlyMap<string, SessionRow>> {
  return connection.read(async (sql) => {
    const rows = new Map<string, SessionRow>();
    for (const chunk of chunked(ids)) {
      const { sql: text, values } = statements.find(chunk);
      for (const raw of await sql.all(text, values)) {
        const row = rowOf(raw);
        rows.set(row.id, row);
      }
    }
    return rows;
  });
}
