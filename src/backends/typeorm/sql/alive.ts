import type { EpochMs, LiveRow } from '../../../core/session-row.js';
import type { SqlConnection } from '../sql-connection.js';
import { IS_ACTIVE } from './expiry-condition.js';
import { byIds } from './by-ids.js';
import { chunked } from './placeholders.js';
import { ENDED_COLUMNS, endedRowOf } from './row-mapping.js';
import { serverState } from './server-state.js';
import type { SqlSyntax } from './sql-syntax.js';

/** Which of some sessions are active, without their payloads. */
export function aliveStatements(table: string, syntax: SqlSyntax) {
  const { jsonLookup, isReadOnly } = syntax;
  const ended = ENDED_COLUMNS + serverState({ isReadOnly });
  const columns = ENDED_COLUMNS.split(', ').map((column) => `s.${column}`);
  return {
    /** what it binds for the ids, now, now */
    alive: byIds(syntax, (condition) => `SELECT ${ended} FROM ${table} WHERE ${condition} AND ${IS_ACTIVE}`),
    /** ids as a JSON array, now, now. `null` where that is not possible; `find.ts` says why there is a `CROSS JOIN` */
    aliveByJson: jsonLookup
      ? `SELECT ${columns.join(', ')} FROM json_each(?) AS wanted CROSS JOIN ${table} AS s ` +
        `ON s.id = wanted.value WHERE ${IS_ACTIVE}`
      : null,
  };
}

/** The active ones among the sessions, by id. */
export function aliveRows(
  connection: SqlConnection,
  { alive, aliveByJson }: ReturnType<typeof aliveStatements>,
  ids: readonly string[],
  now: EpochMs,
): Promise<ReadonlyMap<string, LiveRow>> {
  return connection.read(async (sql) => {
    const rows = new Map<string, LiveRow>();
    for (const chunk of chunked(ids)) {
      const { sql: text, values } =
        aliveByJson === null ? alive(chunk) : { sql: aliveByJson, values: [JSON.stringify(chunk)] };
      const found = await sql.all(text, [...values, now, now]);
      for (const raw of found) {
        const row = endedRowOf(raw);
        rows.set(row.id, row);
      }
    }
    return rows;
  });
}
