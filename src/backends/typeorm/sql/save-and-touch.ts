import type { PayloadChange, Touch } from '../../../core/session-backend.js';
import { COLUMNS, type SessionColumnType } from '../schema/columns.js';
import type { SqlConnection, SqlRunner, SqlScalar, SqlStatement } from '../sql-connection.js';
import { IS_ACTIVE } from './expiry-condition.js';
import { chunked, placeholders, repeated, statementByCount } from './placeholders.js';
import type { SqlSyntax } from './sql-syntax.js';

/**
 * UPDATEs of active sessions that are used: of the payload too (save), or of the times alone (touch). On PostgreSQL and
 * SQLite one statement takes many rows, each with values and a condition of its own; elsewhere each row has one.
 */
export function updateStatements(table: string, syntax: SqlSyntax) {
  const use = assignUse(syntax, '', () => '?');
  return {
    /** last active, expires, version, key id, payload, id, expected version, version, now, now */
    save: `UPDATE ${table} SET ${use}, version = ?, key_id = ?, payload = ? WHERE id = ? AND version IN (?, ?) AND ${IS_ACTIVE}`,
    /** last active, expires, id, now, now, latest last activity */
    touch: `UPDATE ${table} SET ${use} WHERE id = ? AND ${IS_ACTIVE} AND last_active_at <= ?`,
    /** Changes; the ids of the rows that it found. `null` where there is no such statement */
    saveMany: updateMany(table, syntax, SAVED, 's.version IN (v.expected_version, v.version)'),
    /** Touches; the ids of the rows that it found. `null` where there is no such statement */
    touchMany: updateMany(table, syntax, TOUCHED, 's.last_active_at <= v.latest'),
  };
}

/** The statements that update rows. */
export type UpdateStatements = ReturnType<typeof updateStatements>;

/** `SessionBackend.save`. */
export async function saveRows(
  connection: SqlConnection,
  { save, saveMany }: UpdateStatements,
  changes: readonly PayloadChange[],
): Promise<readonly boolean[]> {
  const hits = await updateTogether(connection, saveMany, changes, SAVED);
  if (hits !== null) return hits;
  return updateOneByOne(connection, changes, async (sql, change) => {
    const { lastActiveAt, expiresAt, version, keyId, payload, id, expectedVersion, now } = change;
    const values = [lastActiveAt, expiresAt, version, keyId, payload, id, expectedVersion, version, now, now];
    return (await sql.run(save, values)) > 0;
  });
}

/** `SessionBackend.touch`. */
export async function touchRows(
  connection: SqlConnection,
  { touch, touchMany }: UpdateStatements,
  touches: readonly Touch[],
): Promise<readonly boolean[]> {
  const hits = await updateTogether(connection, touchMany, touches, TOUCHED);
  if (hits !== null) return hits;
  return updateOneByOne(connection, touches, async (sql, change) => {
    const { lastActiveAt, expiresAt, id, now } = change;
    return (await sql.run(touch, [lastActiveAt, expiresAt, id, now, now, latestOf(change)])) > 0;
  });
}

/** A value of one row of `saveMany` or `touchMany`: its name in the statement, its type, and where it comes from. */
interface RowValue<T> {
  readonly name: string;
  readonly type: SessionColumnType;
  readonly of: (change: T) => SqlScalar;
  /** Whether the column of that name takes it as it is. */
  readonly isCopied?: boolean;
}

/** The UPDATE of several rows, with the values that it binds. */
type UpdateMany<T> = (changes: readonly T[]) => SqlStatement;

const TOUCHED: ReadonlyArray<RowValue<Touch>> = [
  { name: 'wanted', type: COLUMNS.id.type, of: ({ id }) => id },
  { ...COLUMNS.lastActiveAt, of: ({ lastActiveAt }) => lastActiveAt },
  { ...COLUMNS.expiresAt, of: ({ expiresAt }) => expiresAt },
  { name: 'now', type: COLUMNS.expiresAt.type, of: ({ now }) => now },
  { name: 'latest', type: COLUMNS.lastActiveAt.type, of: latestOf },
];

const SAVED: ReadonlyArray<RowValue<PayloadChange>> = [
  { name: 'wanted', type: COLUMNS.id.type, of: ({ id }) => id },
  { ...COLUMNS.lastActiveAt, of: ({ lastActiveAt }) => lastActiveAt },
  { ...COLUMNS.expiresAt, of: ({ expiresAt }) => expiresAt },
  { name: 'now', type: COLUMNS.expiresAt.type, of: ({ now }) => now },
  { name: 'expected_version', type: COLUMNS.version.type, of: ({ expectedVersion }) => expectedVersion },
  { ...COLUMNS.version, of: ({ version }) => version, isCopied: true },
  { ...COLUMNS.keyId, of: ({ keyId }) => keyId, isCopied: true },
  { ...COLUMNS.payload, of: ({ payload }) => payload, isCopied: true },
];

/** The last activity after which a touch changes nothing. */
function latestOf({ unlessActiveAfter }: Touch): number {
  return unlessActiveAfter ?? Number.MAX_SAFE_INTEGER;
}

/** What use of a session sets: no time ever goes back, and none goes past the absolute end. */
function assignUse(
  { greatest, least }: SqlSyntax,
  row: '' | 's.',
  value: (name: 'last_active_at' | 'expires_at') => string,
): string {
  return (
    `last_active_at = ${greatest}(${row}last_active_at, ${value('last_active_at')}), ` +
    `expires_at = ${greatest}(${row}expires_at, ${least}(${value('expires_at')}, ${row}absolute_expires_at))`
  );
}

function updateMany<T>(
  table: string,
  syntax: SqlSyntax,
  values: ReadonlyArray<RowValue<T>>,
  condition: string,
): UpdateMany<T> | null {
  const { listPlaceholder, updateReturning } = syntax;
  if (!updateReturning) return null;
  const names = values.map(({ name }) => name).join(', ');
  const row = `(${placeholders(values.length)})`;
  const lists = listPlaceholder && values.map(({ type }) => listPlaceholder(type)).join(', ');
  const copied = values.filter(({ isCopied }) => isCopied).map(({ name }) => `${name} = v.${name}`);
  const set = [assignUse(syntax, 's.', (name) => `v.${name}`), ...copied].join(', ');
  const make = (rows: string): string =>
    `WITH v(${names}) AS (${rows}) UPDATE ${table} AS s SET ${set} FROM v ` +
    `WHERE s.id = v.wanted AND s.expires_at > v.now AND s.absolute_expires_at > v.now AND ${condition} RETURNING id`;
  const ofValues = statementByCount((count) => make(`VALUES ${repeated(row, count)}`));
  const ofLists = lists && make(`SELECT * FROM unnest(${lists})`);
  return (changes) =>
    ofLists === null
      ? {
          sql: ofValues(changes.length),
          values: changes.flatMap((change) => values.map(({ of }) => of(change))),
        }
      : { sql: ofLists, values: values.map(({ of }) => changes.map(of)) };
}

/**
 * Updates rows, each found or not on its own. `null`: not with one statement, since there is none, or since a row
 * is to be changed twice.
 */
async function updateTogether<T extends { readonly id: string }>(
  connection: SqlConnection,
  statement: UpdateMany<T> | null,
  changes: readonly T[],
  rowValues: ReadonlyArray<RowValue<T>>,
): Promise<readonly boolean[] | null> {
  if (statement === null || changes.length < 2) return null;
  if (new Set(changes.map(({ id }) => id)).size < changes.length) return null;
  // In one order everywhere, so that two of these seldom wait for each other in a circle.
  const sorted = changes.toSorted((a, b) => (a.id < b.id ? -1 : 1));
  const found = new Set<unknown>();
  for (const chunk of chunked(sorted, rowValues.length)) {
    const { sql: text, values } = statement(chunk);
    const rows = await connection.write(
      (sql) => sql.all(text, values),
      ({ length }) => length === chunk.length,
    );
    for (const { id } of rows) found.add(id);
  }
  return changes.map(({ id }) => found.has(id));
}

/** One change is one statement; several share a transaction, each with an outcome of its own. */
async function updateOneByOne<T extends { readonly id: string }>(
  connection: SqlConnection,
  changes: readonly T[],
  apply: (sql: SqlRunner, change: T) => Promise<boolean>,
): Promise<readonly boolean[]> {
  const [first, ...others] = changes;
  if (first === undefined) return [];
  if (others.length === 0) {
    return [
      await connection.write(
        (sql) => apply(sql, first),
        (hit) => hit,
      ),
    ];
  }
  // In one order everywhere, so that two of these never wait for each other in a circle.
  const order = changes.map((change, index) => ({ change, index }));
  order.sort((a, b) => (a.change.id < b.change.id ? -1 : 1));
  const work = async (sql: SqlRunner): Promise<readonly boolean[]> => {
    const hits = changes.map(() => false);
    for (const { change, index } of order) hits[index] = await apply(sql, change);
    return hits;
  };
  return connection.transaction(work, {
    userId: null,
    commitIf: () => true,
    hasHit: (hits) => hits.every(Boolean),
  });
}
