import { type CleanupClaim, STRAY_LEASE } from '../../../core/cleanup-lease.js';
import type { SessionRow } from '../../../core/session-row.js';
import type { SqlConnection } from '../sql-connection.js';
import type { InsertStatements } from './insert.js';
import { valuesOf } from './row-mapping.js';

/*
 * The lease on the clean-up. It is the row with the empty id, which no session has, so that a table of any version can hold
 * it: walks over the table begin behind that id, it has no user, and it is never active.
 */

export function claimCleanupStatements(table: string) {
  return {
    /** holder, until, holder, now, the latest end that is believed */
    renewLease:
      `UPDATE ${table} SET payload = ?, expires_at = ? ` +
      `WHERE id = '' AND (payload = ? OR expires_at <= ? OR expires_at > ?)`,
  };
}

/** `SessionBackend.claimCleanup`. */
export function claimCleanup(
  connection: SqlConnection,
  { renewLease, insert }: ReturnType<typeof claimCleanupStatements> & Pick<InsertStatements, 'insert'>,
  { holder, now, until }: CleanupClaim,
): Promise<boolean> {
  const name = Buffer.from(holder);
  const renewal = [name, until, name, now, now + STRAY_LEASE];
  return connection.write(
    async (sql) =>
      (await sql.run(renewLease, renewal)) > 0 ||
      (await sql.run(insert(1), valuesOf(leaseRow(name, until)))) > 0,
    (isHeld) => isHeld,
  );
}

function leaseRow(holder: Buffer, until: number): SessionRow {
  return {
    id: '',
    userId: null,
    tokenHash: null,
    supersededHash: null,
    tokenIssuedAt: 0,
    graceUntil: 0,
    tokenUsed: false,
    version: 0,
    keyId: '',
    idleTtl: 0,
    persistent: false,
    createdAt: 0,
    authenticatedAt: null,
    lastActiveAt: 0,
    expiresAt: until,
    absoluteExpiresAt: 0, // so it is not active before its end either
    payload: holder,
    tokenGeneration: 0,
    replacedTokens: '',
  };
}
