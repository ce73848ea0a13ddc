import type { TokenChange } from '../../../core/session-backend.js';
import type { TokenState } from '../../../core/session-row.js';
import type { SqlConnection } from '../sql-connection.js';
import { IS_ACTIVE } from './expiry-condition.js';
import { namesOf } from './row-mapping.js';

/** Replaces the token of a session where it still is the expected one, or is the next one already. */
export function changeTokenStatements(table: string) {
  const set = namesOf(TOKEN).map((name) => `${name} = ?`);
  return {
    /**
     * the values of `TOKEN`, authenticated at or null, id, now, now, expected used, expected hash if any, next used, next
     * generation, next hash if any
     */
    changeToken: (isExpected: boolean, isNext: boolean) =>
      `UPDATE ${table} SET ${set.join(', ')}, authenticated_at = COALESCE(?, authenticated_at) ` +
      `WHERE id = ? AND ${IS_ACTIVE} AND ((token_used = ? AND ${hasHash(isExpected)}) OR ` +
      `(token_used = ? AND token_generation = ? AND ${hasHash(isNext)}))`,
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
  const [hash, nextHash] = [hashOf(expected), hashOf(next)];
  const present = [authenticatedAt ?? null, id, now, now];
  const before = [expected.tokenUsed, ...hash];
  const after = [next.tokenUsed, next.tokenGeneration, ...nextHash];
  const statement = statements.changeToken(hash.length > 0, nextHash.length > 0);
  return connection.write(
    async (sql) => (await sql.run(statement, [...token, ...present, ...before, ...after])) > 0,
    (hit) => hit,
  );
}

/** What a statement binds for a hash. */
function hashOf({ tokenHash }: Pick<TokenState, 'tokenHash'>): string[] {
  return tokenHash === null ? [] : [tokenHash];
}

function hasHash(isThere: boolean): string {
  return `token_hash ${isThere ? '= ?' : 'IS NULL'}`;
}
