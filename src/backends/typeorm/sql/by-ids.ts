import type { SqlStatement } from '../sql-connection.js';
import { COLUMNS } from '../schema/columns.js';
import { placeholders, statementByCount } from './placeholders.js';
import type { SqlSyntax } from './sql-syntax.js';

/**
 * A statement on rows by their ids, of which it is given one at least. Where a list is bound as one value there are two
 * texts, whatever the number of ids, otherwise one for each number.
 *
 * @param make the statement, given the condition that the ids are in, whose values come first
 */
export function byIds(
  { listPlaceholder }: Pick<SqlSyntax, 'listPlaceholder'>,
  make: (condition: string) => string,
): (ids: readonly string[]) => SqlStatement {
  const byCount = statementByCount((count) => make(`id IN (${placeholders(count)})`));
  if (listPlaceholder === null) return (ids) => ({ sql: byCount(ids.length), values: ids });
  // Behind a SELECT the planner does not see how many there are, so one plan is as good as another to it, and it keeps
  // the first: for `= ANY ($1)` it would make another one each time.
  const several = make(`id = ANY (ARRAY(SELECT unnest(${listPlaceholder(COLUMNS.id.type)})))`);
  return (ids) => (ids.length === 1 ? { sql: byCount(1), values: ids } : { sql: several, values: [ids] });
}
