import type { SqlConnection } from '../sql-connection.js';
import { text } from './row-mapping.js';

/** Ids of the keys that rows are sealed by, each read from the end of the one before it in the index. */
export function keysInUseStatements(table: string) {
  return {
    /** a key id. The next one, if there is one. */
    nextKey: `SELECT MIN(key_id) AS id FROM ${table} WHERE key_id > ?`,
  };
}

/** `SessionBackend.keysInUse`, a statement for each key: expired rows that have not been deleted count too. */
export async function keysInUse(
  connection: SqlConnection,
  { nextKey }: ReturnType<typeof keysInUseStatements>,
): Promise<ReadonlySet<string>> {
  return connection.read(async (sql) => {
    const keys = new Set<string>();
    for (let last = ''; ;) {
      const [next] = await sql.all(nextKey, [last]);
      if (!next || next.id === null) return keys;
      last = text(next.id);
      keys.add(last);
    }
  });
}
