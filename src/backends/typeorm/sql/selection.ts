import type { RowSelection } from '../../../core/session-backend.js';
import type { SqlValue } from '../sql-dialect.js';

/** Values of an `IN (...)` list at most: far below SQLite's limit of variables, also in builds that allow 999. */
const CHUNK = 500;

/** A condition, and what it binds. */
export interface Condition {
  readonly where: string;
  readonly values: readonly SqlValue[];
  /** Rows that it names by id. `null`: any number, not by id. */
  readonly named: number | null;
}

export const EVERY: Pick<Condition, 'where' | 'values'> = { where: '1 = 1', values: [] };

/** Those of the named rows that meet a condition. */
export function byIds(
  ids: readonly string[],
  { where, values }: Pick<Condition, 'where' | 'values'>,
): readonly Condition[] {
  return chunked([...new Set(ids)]).map((chunk) => ({
    where: `id IN (${places(chunk.length)}) AND ${where}`,
    values: [...chunk, ...values],
    named: chunk.length,
  }));
}

/** The rows of a selection, as conditions that share no row. None: no rows. */
export function selectionOf(selection: RowSelection): readonly Condition[] {
  if (selection === 'all') return [{ ...EVERY, named: null }];
  if (isByIds(selection)) {
    const { ids, userId } = selection;
    return byIds(ids, userId === undefined ? EVERY : { where: 'user_id = ?', values: [userId] });
  }
  const { userId, exceptId } = selection;
  if (exceptId === undefined) return [{ where: 'user_id = ?', values: [userId], named: null }];
  return [{ where: 'user_id = ? AND id <> ?', values: [userId, exceptId], named: null }];
}

/** Whether it names the rows. */
export function isByIds(
  selection: RowSelection,
): selection is Extract<RowSelection, { ids: readonly string[] }> {
  return selection !== 'all' && 'ids' in selection;
}

/** Ids in portions that fit one statement. */
export function chunked(ids: readonly string[]): string[][] {
  const count = Math.ceil(ids.length / CHUNK);
  return Array.from({ length: count }, (_, index) => ids.slice(index * CHUNK, (index + 1) * CHUNK));
}

/** Places for so many values. */
export function places(count: number): string {
  return Array.from({ length: count }, () => '?').join(', ');
}

/** Deletes so many rows by id, in plain SQL. */
export function deleteByIds(table: string, count: number): string {
  return `DELETE FROM ${table} WHERE id IN (${places(count)})`;
}

/** Statements by the number of their rows, made once each. */
export function byCount(make: (count: number) => string): (count: number) => string {
  const made = new Map<number, string>();
  return (count) => {
    const statement = made.get(count) ?? make(count);
    made.set(count, statement);
    return statement;
  };
}
