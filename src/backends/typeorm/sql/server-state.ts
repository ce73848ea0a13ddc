import type { SqlRow } from '../sql-connection.js';
import type { SqlSyntax } from './sql-syntax.js';

/*
 * Whether the server that answers takes writes, said by look-ups beside what they find: a primary that has been demoted
 * goes on answering from its old rows, on connections that nobody has ended.
 */

/** The column of a SELECT that says it. */
const COLUMN = 'server_read_only';

/** Why what such a server answers is not used. */
export const READ_ONLY = 'the server is read-only, and sessions need a primary';

/** Ends the list of columns of a look-up. Empty where nothing can be demoted. */
export function serverState({ isReadOnly }: Pick<SqlSyntax, 'isReadOnly'>): string {
  return isReadOnly === null ? '' : `, ${isReadOnly} AS ${COLUMN}`;
}

/** A SELECT that says nothing else, of an expression that is 1 on a server that takes no writes. */
export function stateStatement(isReadOnly: string): string {
  return `SELECT ${isReadOnly} AS ${COLUMN}`;
}

/** What the first row of an answer says of its server. `null`: nothing. */
export function stateIn([row]: readonly SqlRow[]): 'read-only' | 'writable' | null {
  const value = row?.[COLUMN];
  if (value === undefined) return null;
  return Number(value) === 0 ? 'writable' : 'read-only';
}
