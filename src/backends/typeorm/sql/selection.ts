import type { RowSelection } from '../../../core/session-backend.js';
import type { SqlValue } from '../sql-connection.js';
import { chunked, placeholders } from './placeholders.js';

/*
 * Which rows `SessionBackend.delete` is to delete, as WHERE clauses.
 */

/** The WHERE clause of a selection of rows, and what it binds. */
export interface Condition {
  readonly where: string;
  readonly values: readonly SqlValue[];
  /** Rows that it names by id. `null`: any number, not by id. */
  readonly idCount: number | null;
}

/** No condition. */
const EVERY = { where: '1 = 1', values: [] };

/** The rows of a selection, as conditions that share no row. None: no rows. */
export function conditionsOf(selection: RowSelection): readonly Condition[] {
  if (isByIds(selection)) {
    const { ids, userId } = selection;
    return whereIds(ids, userId === undefined ? EVERY : { where: 'user_id = ?', values: [userId] });
  }
  const { userId, exceptId } = selection;
  if (exceptId === undefined) return [{ where: 'user_id = ?', values: [userId], idCount: null }];
  return [{ where: 'user_id = ? AND id <> ?', values: [userId, exceptId], idCount: null }];
}

/** Those of the named rows that meet a condition. */
export function whereIds(
  ids: readonly string[],
  { where, values }: Pick<Condition, 'where' | 'values'>,
): readonly Condition[] {
  return chunked([...new Set(ids)]).map((chunk) => ({
    where: `id IN (${placeholders(chunk.length)}) AND ${where}`,
    values: [...chunk, ...values],
    idCount: chunk.length,
  }));
}

/** Whether a selection names the rows. */
export function isByIds(
  selection: RowSelection,
): selection is Extract<RowSelection, { ids: readonly string[] }> {
  return 'ids' in selection;
}
