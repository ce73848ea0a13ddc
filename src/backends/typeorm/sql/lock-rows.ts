import { placeholders } from './placeholders.js';
import type { SqlSyntax } from './sql-syntax.js';

/**
 * Locks on rows. Every transaction that deletes several rows locks them in the order of their ids first, so that no two of
 * them wait for each other in a circle.
 */
export function lockStatements(table: string, { forUpdate, forcePrimaryKey, forUpdateNoWait }: SqlSyntax) {
  return {
    /** Whether a transaction locks rows one by one, so that it matters in which order it does. */
    locksRows: forUpdate !== '',
    /** id, … */
    lockRows: (count: number) =>
      `SELECT id FROM ${table}${forcePrimaryKey} WHERE id IN (${placeholders(count)}) ORDER BY id${forUpdateNoWait}`,
  };
}

/** The statements that lock rows. */
export type LockStatements = ReturnType<typeof lockStatements>;
