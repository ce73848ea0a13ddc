import type { PayloadChange, Touch } from '../../../core/session-backend.js';
import { performance } from '../../../core/timers.js';
import { COLUMNS, type SessionColumnType } from '../schema/columns.js';
import type { SqlConnection, SqlRunner, SqlScalar, SqlStatement } from '../sql-connection.js';
import { IS_ACTIVE } from './expiry-condition.js';
import { chunked, placeholders, repeated, statementByCount } from './placeholders.js';
import type { SqlSyntax } from './sql-syntax.js';

/**
 * UPDATEs of active sessions that are used: of the payload too (save), or of the times alone (touch). One statement takes many
 * rows, each with values and a condition of its own. On PostgreSQL and SQLite it returns those that it found; elsewhere it
 * only counts them, which tells enough when it found all.
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
    /** Changes; the number of rows that it found. `null` where `saveMany` tells more */
    saveCounted: updateCounted(table, syntax, SAVED, 'version IN (?, ?)', ({ expectedVersion, version }) => [
      expectedVersion,
      version,
    ]),
    /** Touches; the number of rows that it found. `null` where `touchMany` tells more */
    touchCounted: updateCounted(table, syntax, TOUCHED, 'last_active_at <= ?', (touch) => [latestOf(touch)]),
  };
}

/** The statements that update rows. */
export type UpdateStatements = ReturnType<typeof updateStatements>;

/** `SessionBackend.save`. */
export async function saveRows(
  connection: SqlConnection,
  { save, saveMany, saveCounted }: UpdateStatements,
  changes: readonly PayloadChange[],
): Promise<readonly boolean[]> {
  const since = performance.now();
  const ways = { many: saveMany, counted: saveCounted };
  const hits = await updateTogether(connection, ways, changes, SAVED);
  if (hits !== null) return hits;
  return updateOneByOne(connection, changes, since, async (sql, change) => {
    const { lastActiveAt, expiresAt, version, keyId, payload, id, expectedVersion, now } = change;
    const values = [lastActiveAt, expiresAt, version, keyId, payload, id, expectedVersion, version, now, now];
    return (await sql.run(save, values)) > 0;
  });
}

/** `SessionBackend.touch`. */
export async function touchRows(
  connection: SqlConnection,
  { touch, touchMany, touchCounted }: UpdateStatements,
  touches: readonly Touch[],
): Promise<readonly boolean[]> {
  const since = performance.now();
  const ways = { many: touchMany, counted: touchCounted };
  const hits = await updateTogether(connection, ways, touches, TOUCHED);
  if (hits !== null) return hits;
  return updateOneByOne(connection, touches, since, async (sql, change) => {
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

/** How several rows are updated by one statement: in one way of the two, which depends on the database. */
interface ManyAtOnce<T> {
  /** It returns the rows that it found. */
  readonly many: UpdateMany<T> | null;
  /** It tells how many it found. */
  readonly counted: UpdateMany<T> | null;
}

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
 * Several rows at once where no statement can say which it found: `CASE` picks the values of each. A join with a table of values
 * takes half as long again, since the server makes that table first.
 *
 * @param condition of a row, beside its id and that it is active
 */
function updateCounted<T extends { readonly id: string; readonly now: number }>(
  table: string,
  syntax: SqlSyntax,
  values: ReadonlyArray<RowValue<T>>,
  condition: string,
  bound: (change: T) => readonly SqlScalar[],
): UpdateMany<T> | null {
  if (syntax.updateReturning) return null;
  const uses = ['last_active_at', 'expires_at'] as const;
  const picked = [...uses, ...values.filter(({ isCopied }) => isCopied).map(({ name }) => name)].flatMap(
    (name) => values.filter((value) => value.name === name),
  );
  const copies = picked.slice(uses.length).map(({ name }) => name);
  const statement = statementByCount((count) => {
    const pick = `CASE id ${'WHEN ? THEN ? '.repeat(count)}END`;
    const set = [assignUse(syntax, '', () => pick), ...copies.map((name) => `${name} = ${pick}`)].join(', ');
    const rows = Array.from({ length: count }, () => `(id = ? AND ${condition} AND ${IS_ACTIVE})`).join(
      ' OR ',
    );
    return `UPDATE ${table}${syntax.forcePrimaryKey} SET ${set} WHERE ${rows}`;
  });
  return (changes) => ({
    sql: statement(changes.length),
    values: [
      ...picked.flatMap(({ of }) => changes.flatMap((change) => [change.id, of(change)])),
      ...changes.flatMap((change) => [change.id, ...bound(change), change.now, change.now]),
    ],
  });
}

/**
 * Updates rows, each found or not on its own. `null`: not with one statement, since there is none, or since a row
 * is to be changed twice, or since not all were found and nothing tells which.
 */
async function updateTogether<T extends { readonly id: string }>(
  connection: SqlConnection,
  { many, counted }: ManyAtOnce<T>,
  changes: readonly T[],
  rowValues: ReadonlyArray<RowValue<T>>,
): Promise<readonly boolean[] | null> {
  if (changes.length < 2) return null;
  if (new Set(changes.map(({ id }) => id)).size < changes.length) return null;
  // In one order everywhere, so that two of these seldom wait for each other in a circle.
  const sorted = changes.toSorted((a, b) => (a.id < b.id ? -1 : 1));
  if (many !== null) {
    const found = await returnedOf(connection, many, chunked(sorted, rowValues.length));
    return changes.map(({ id }) => found.has(id));
  }
  if (counted === null) return null;
  const areAllFound = await hasFoundAll(connection, counted, portionsOf(sorted, rowValues));
  return areAllFound ? changes.map(() => true) : null;
}

/** The ids of the rows that are found. */
async function returnedOf<T>(
  connection: SqlConnection,
  statement: UpdateMany<T>,
  chunks: readonly T[][],
): Promise<ReadonlySet<unknown>> {
  const found = new Set<unknown>();
  for (const chunk of chunks) {
    const { sql: text, values } = statement(chunk);
    const rows = await connection.write(
      (sql) => sql.all(text, values),
      ({ length }) => length === chunk.length,
    );
    for (const { id } of rows) found.add(id);
  }
  return found;
}

/**
 * Portions that fit one statement each, which has to stay far below what a server takes at once: `max_allowed_packet`, 16 MiB where
 * nobody has set it. In a statement bytes are in hex, twice as many.
 */
function portionsOf<T>(changes: readonly T[], rowValues: ReadonlyArray<RowValue<T>>): T[][] {
  const portions: T[][] = [];
  let bytes = 0;
  for (const change of changes) {
    const own = rowValues.reduce((sum, { of }) => sum + lengthOf(of(change)), 0);
    const last = portions.at(-1);
    bytes += own;
    if (last !== undefined && last.length < MAX_COUNTED_ROWS && bytes <= MAX_COUNTED_BYTES) last.push(change);
    else {
      portions.push([change]);
      bytes = own;
    }
  }
  return portions;
}

/** Rows of one statement that picks values by CASE, which looks through all of them for each row. */
const MAX_COUNTED_ROWS = 32;

/** Bytes that such a statement binds, unless one row alone has more. */
const MAX_COUNTED_BYTES = 256 * 1024;

const lengthOf = (value: SqlScalar): number => (Buffer.isBuffer(value) ? value.byteLength : 0);

/** Changes all rows, or none when one of them is not found. */
function hasFoundAll<T>(
  connection: SqlConnection,
  statement: UpdateMany<T>,
  portions: readonly T[][],
): Promise<boolean> {
  const work = async (sql: SqlRunner): Promise<boolean> => {
    for (const portion of portions) {
      const { sql: text, values } = statement(portion);
      if ((await sql.run(text, values)) < portion.length) return false;
    }
    return true;
  };
  return connection.transaction(work, { userId: null, commitIf: Boolean, hasHit: Boolean });
}

/**
 * One change is one statement; several share a transaction, each with an outcome of its own.
 *
 * @param since when the call came, on the clock of `performance.now()`
 */
async function updateOneByOne<T extends { readonly id: string }>(
  connection: SqlConnection,
  changes: readonly T[],
  since: number,
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
    since,
  });
}
