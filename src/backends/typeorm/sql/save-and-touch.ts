import type { PayloadChange, Touch } from '../../../core/session-backend.js';
import { byCount } from './selection.js';
import type { SqlConnection, SqlSyntax, SqlValue } from '../sql-dialect.js';

/** Rows of one statement at most. */
const LARGEST = 64;

/** Values of a touch, with their types. */
export const TOUCH_VALUES = [
  ['wanted', 'text'],
  ['last_active_at', 'integer'],
  ['expires_at', 'integer'],
  ['now', 'integer'],
  ['latest', 'integer'],
] as const;

/** Values of a change of payload, with their types. */
export const SAVE_VALUES = [
  ['wanted', 'text'],
  ['last_active_at', 'integer'],
  ['expires_at', 'integer'],
  ['now', 'integer'],
  ['expected_version', 'integer'],
  ['version', 'integer'],
  ['key_id', 'text'],
  ['payload', 'bytes'],
] as const;

type Values = typeof TOUCH_VALUES | typeof SAVE_VALUES;

/** Columns that take the value of their name. */
const COPIED: ReadonlySet<string> = new Set(['version', 'key_id', 'payload']);

/** One statement for so many rows, each with values and a condition of its own. `null` where there is no such. */
export function updateMany(
  table: string,
  { greatest, least, place }: SqlSyntax,
  values: Values,
  condition: string,
): ((count: number) => string) | null {
  if (place === null) return null;
  const names = values.map(([name]) => name);
  const row = `(${values.map(([, type]) => place(type)).join(', ')})`;
  const set = [
    `last_active_at = ${greatest}(s.last_active_at, v.last_active_at)`,
    `expires_at = ${greatest}(s.expires_at, ${least}(v.expires_at, s.absolute_expires_at))`,
    ...names.filter((name) => COPIED.has(name)).map((name) => `${name} = v.${name}`),
  ];
  return byCount(
    (count) =>
      `WITH v(${names.join(', ')}) AS (VALUES ${Array.from({ length: count }, () => row).join(', ')}) ` +
      `UPDATE ${table} AS s SET ${set.join(', ')} FROM v ` +
      `WHERE s.id = v.wanted AND s.expires_at > v.now AND s.absolute_expires_at > v.now AND ${condition} RETURNING id`,
  );
}

/** What `touchMany` binds for one touch. */
export function touchValues({ id, lastActiveAt, expiresAt, now, unlessActiveAfter }: Touch): SqlValue[] {
  return [id, lastActiveAt, expiresAt, now, unlessActiveAfter ?? Number.MAX_SAFE_INTEGER];
}

/** What `saveMany` binds for one change. */
export function saveValues(change: PayloadChange): SqlValue[] {
  const { id, lastActiveAt, expiresAt, now, expectedVersion, version, keyId, payload } = change;
  return [id, lastActiveAt, expiresAt, now, expectedVersion, version, keyId, payload];
}

/**
 * Updates rows, each found or not on its own. `null`: not with one statement, since there is none, or since a row
 * is to be changed twice.
 */
export async function updateRows<T extends { readonly id: string }>(
  database: SqlConnection,
  statement: ((count: number) => string) | null,
  changes: readonly T[],
  valuesOf: (change: T) => readonly SqlValue[],
): Promise<readonly boolean[] | null> {
  if (statement === null || changes.length < 2) return null;
  if (new Set(changes.map(({ id }) => id)).size < changes.length) return null;
  // In one order everywhere, so that two of these seldom wait for each other in a circle.
  const sorted = changes.toSorted((a, b) => (a.id < b.id ? -1 : 1));
  const found = new Set<unknown>();
  for (let start = 0; start < sorted.length; start += LARGEST) {
    const part = sorted.slice(start, start + LARGEST);
    const values = part.flatMap(valuesOf);
    const rows = await database.write(
      (sql) => sql.all(statement(part.length), values),
      ({ length }) => length === part.length,
    );
    for (const { id } of rows) found.add(id);
  }
  return changes.map(({ id }) => found.has(id));
}
