import type { TokenChange } from '../../../core/session-backend.js';
import type { TokenState } from '../../../core/session-row.js';
import type { SqlConnection } from '../sql-connection.js';
import { IS_ACTIVE } from './expiry-condition.js';
import { namesOf } from './row-mapping.js';

/** Replaces the token of a session where it still is the expected one. */
export function changeTokenStatements(table: string) {
  const set = namesOf(TOKEN).map((name) => `${name} = ?`);
  return {
    /** the values of `TOKEN`, authenticated at or null, id, now, now, expected used, expected hash if any */
    changeToken: (hasToken: boolean) =>
      `UPDATE ${table} SET ${set.join(', ')}, authenticated_at = COALESCE(?, authenticated_at) ` +
      `WHERE id = ? AND ${IS_ACTIVE} AND token_used = ? AND token_hash ${hasToken ? '= ?' : 'IS NULL'}`,
  };
}

/** The columns that make up the token of a session, in the order that the statement binds them. */
const TOKEN = [
  'tokenHash',
  'supersededHash',
  'tokenIssuedAt',
  'graceUntil',
  'tokenUsed',
  'tokenGeneration',
  'replacedTokens',
] as const satisfies ReadonlyArray<keyof TokenState>;

/** `SessionBackend.changeToken`. */
export function changeToken(
  connection: SqlConnection,
  statements: ReturnType<typeof changeTokenStatements>,
  { id, expected, next, authenticatedAt, now }: TokenChange,
): Promise<boolean> {
  const token = TOKEN.map((property) => next[property]);
  const hash = expected.tokenHash === null ? [] : [expected.tokenHash];
  const values = [...token, authenticatedAt ?? null, id, now, now, expected.tokenUsed, ...hash];
  const statement = statements.changeToken(hash.length > 0);
  return connection.write(async (sql) => (await sql.run(statement, values)) > 0);
}
