import { aliveStatements } from './alive.js';
import { changeTokenStatements } from './change-token.js';
import { claimCleanupStatements } from './claim-cleanup.js';
import { deleteStatements } from './delete.js';
import { findStatements } from './find.js';
import { idBatchStatements } from './id-batch.js';
import { insertStatements } from './insert.js';
import { keysInUseStatements } from './keys-in-use.js';
import { listStatements } from './list.js';
import { lockStatements } from './lock-rows.js';
import { pruneStatements } from './prune.js';
import { updateStatements } from './save-and-touch.js';
import { limitStatements } from './counted-rows.js';
import { walkStatements } from './walk.js';
import type { SqlSyntax } from './sql-syntax.js';

/**
 * Every statement on one table of sessions, as SQL. The files that they come from, named for what they do, have each
 * beside the code that binds its values.
 *
 * @param path the name of the table, behind that of its schema if it has one
 */
export function sessionStatements(path: readonly string[], syntax: SqlSyntax) {
  const table = path.map(syntax.quoteIdentifier).join('.');
  return {
    ...findStatements(table, syntax),
    ...aliveStatements(table, syntax),
    ...insertStatements(table, syntax),
    ...limitStatements(table),
    ...updateStatements(table, syntax),
    ...changeTokenStatements(table),
    ...deleteStatements(table, syntax),
    ...lockStatements(table, syntax),
    ...listStatements(table, syntax),
    ...idBatchStatements(table),
    ...walkStatements(table, syntax),
    ...pruneStatements(table, syntax),
    ...keysInUseStatements(table),
    ...claimCleanupStatements(table),
  };
}

/** What `sessionStatements` makes. */
export type SessionStatements = ReturnType<typeof sessionStatements>;
