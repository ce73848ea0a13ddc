import type { RowSelection } from '../../core/session-backend.js';
import type { SqlValue } from './sql-dialect.js';

/** Values of an `IN (...)` list at most: far below SQLite's limit of variables, also in builds that allow 999. */
const CHUNK = 500;

/** A condition, and what it binds. */
export interface Condition {
  readonly where: string;
  readonly values: readonly SqlValue[];
}

/** The rows of a selection, as conditions that share no row. None: no rows. */
export function selectionOf(selection: RowSelection): readonly Condition[] {
  if (selection === 'all') return [{ where: '1 = 1', values: [] }];
  if (isByIds(selection)) {
    const owner = selection.userId === undefined ? [] : [selection.userId];
    return chunked([...new Set(selection.ids)]).map((ids) => ({
      where: `id IN (${places(ids.length)})${owner.length > 0 ? ' AND user_id = ?' : ''}`,
      values: [...ids, ...owner],
    }));
  }
  const { userId, exceptId } = selection;
  if (exceptId === undefined) return [{ where: 'user_id = ?', values: [userId] }];
  return [{ where: 'user_id = ? AND id <> ?', values: [userId, exceptId] }];
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
