import type { DatabaseFailure } from '../database-failure.js';
import type { PreparedFailure } from '../pool-dialect.js';

/*
 * Statements that `pg` prepares by name: what can go wrong with them that cannot with others.
 */

/**
 * What a failure says of statements that are prepared by name.
 *
 * @see https://www.postgresql.org/docs/current/errcodes-appendix.html
 * @see https://www.pgbouncer.org/config.html#max_prepared_statements
 */
export function preparedFailure({ code, message }: DatabaseFailure): PreparedFailure | null {
  if (LOST.has(code) || (code === PROTOCOL_VIOLATION && /prepared statement/i.test(message))) return 'lost';
  return code === FEATURE_NOT_SUPPORTED ? 'outdated' : null;
}

/** invalid_sql_statement_name, duplicate_prepared_statement */
const LOST: ReadonlySet<string> = new Set(['26000', '42P05']);
/** The code of whatever PgBouncer itself says, so the message has to tell. */
const PROTOCOL_VIOLATION = '08P01';
/** That of "cached plan must not change result type", which a server may say in another language. */
const FEATURE_NOT_SUPPORTED = '0A000';

/**
 * Has the server plan the statements of a connection anew, once in many. A plan that was made while the table was small
 * reads all of it, and lives until the table is analyzed, which autovacuum does within a minute or, where it is off or
 * late, does not.
 */
export async function renewPlans(client: Plans): Promise<void> {
  const uses = (USES.get(client) ?? 0) + 1;
  USES.set(client, uses % MAX_USES);
  // Where it fails the statement will too, of which more is known then.
  if (uses === MAX_USES) await client.query({ text: 'DISCARD PLANS' }).catch(() => undefined);
}

/** What is used of a connection. */
interface Plans {
  query(statement: { readonly text: string }): Promise<unknown>;
}

/** Statements with a name since the plans of a connection were renewed. */
const USES = new WeakMap<Plans, number>();

/** One renewal costs about as much as a look-up without a name does for each statement that is in use. */
const MAX_USES = 1_000;
