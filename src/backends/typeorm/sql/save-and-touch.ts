import type { PayloadChange, Touch } from '../../../core/session-backend.js';
import { COLUMNS, type SessionColumnType } from '../schema/columns.js';
import type { SqlConnection, SqlRunner, SqlScalar } from '../sql-connection.js';
import { IS_ACTIVE } from './expiry-condition.js';
import { chunked, placeholders, repeated, statementByCount } from './placeholders.js';
import { idsOf } from './row-mapping.js';
import type { SqlSyntax } from './sql-syntax.js';

/**
 * UPDATEs of active sessions that are used: of the payload too (save), or of the times alone (touch). One statement takes many
 * rows, each with values and a condition of its own. On PostgreSQL and SQLite it returns those that it found; elsewhere it
 * only counts them, and a SELECT of the same transaction tells which.
 */
export function updateStatements(table: string, syntax: SqlSyntax) {
  const use = assignUse(syntax, '', () => '?');
  return {
    /** last active, expires, version, key id, payload, id, expected version, version, now, now */
    save: `UPDATE ${table} SET ${use}, version = ?, key_id = ?, payload = ? WHERE id = ? AND version IN (?, ?) AND ${IS_ACTIVE}`,
    /** last active, expires, id, now, now, latest last activity */
    touch: `UPDATE ${table} SET ${use} WHERE id = ? AND ${IS_ACTIVE} AND last_active_at <= ?`,
    saveMany: syntax.updateReturning
      ? updateReturning(table, syntax, SAVED, 's.version IN (v.expected_version, v.version)')
      : updateCounted(table, syntax, SAVED, {
          condition: 'version IN (?, ?)',
          bound: ({ expectedVersion, version }) => [expectedVersion, version],
          // A version belongs to one change alone, so a row that holds it has been found.
          asked: { isFirst: false, condition: 'version = ?', bound: ({ version }) => [version] },
        }),
    touchMany: syntax.updateReturning
      ? updateReturning(table, syntax, TOUCHED, 's.last_active_at <= v.latest')
      : updateCounted(table, syntax, TOUCHED, {
          condition: 'last_active_at <= ?',
          bound: (touch) => [latestOf(touch)],
          // Afterwards nothing in a row would tell who has touched it.
          asked: { isFirst: true, condition: 'last_active_at <= ?', bound: (touch) => [latestOf(touch)] },
        }),
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
  const hits = await updateTogether(connection, saveMany, changes);
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
  const hits = await updateTogether(connection, touchMany, touches);
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

/** How several rows are updated at once. */
export interface ManyRows<T> {
  /** Whether a portion is one statement, and so atomic by itself. */
  readonly isOneStatement: boolean;
  /** Changes in portions that `update` takes. */
  readonly portionsOf: (changes: readonly T[]) => ReadonlyArray<readonly T[]>;
  /** Returns the ids of the rows that it has found. */
  readonly update: (sql: SqlRunner, portion: readonly T[]) => Promise<readonly string[]>;
}

/** What a row has to be like, beside its id and that it is active. */
interface RowCondition<T> {
  readonly condition: string;
  /** What the condition binds. */
  readonly bound: (change: T) => readonly SqlScalar[];
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

/** One UPDATE, which returns the rows that it finds. */
function updateReturning<T>(
  table: string,
  syntax: SqlSyntax,
  values: ReadonlyArray<RowValue<T>>,
  condition: string,
): ManyRows<T> {
  const { listPlaceholder } = syntax;
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
  return {
    isOneStatement: true,
    portionsOf: (changes) => chunked(changes, values.length),
    async update(sql, portion) {
      const rows =
        ofLists === null
          ? sql.all(
              ofValues(portion.length),
              portion.flatMap((change) => values.map(({ of }) => of(change))),
            )
          : sql.all(
              ofLists,
              values.map(({ of }) => portion.map(of)),
            );
      return idsOf(await rows);
    },
  };
}

/**
 * Several rows where no UPDATE can say which it finds, only how many: `CASE` picks the values of each, and a SELECT tells
 * which. A join with a table of values would take half as long again, since the server makes that table first.
 *
 * @param asked what the SELECT asks for: first, and then it locks those rows; or afterwards, when not all have been found
 */
function updateCounted<T extends { readonly id: string; readonly now: number }>(
  table: string,
  syntax: SqlSyntax,
  values: ReadonlyArray<RowValue<T>>,
  { asked, ...wanted }: RowCondition<T> & { readonly asked: RowCondition<T> & { readonly isFirst: boolean } },
): ManyRows<T> {
  const uses = ['last_active_at', 'expires_at'] as const;
  const copied = values.filter(({ isCopied }) => isCopied);
  const picked = [...uses.flatMap((use) => values.filter(({ name }) => name === use)), ...copied];
  const rowsOf = ({ condition }: RowCondition<T>, count: number): string =>
    Array.from({ length: count }, () => `(id = ? AND ${condition} AND ${IS_ACTIVE})`).join(' OR ');
  const boundOf = ({ bound }: RowCondition<T>, changes: readonly T[]): SqlScalar[] =>
    changes.flatMap((change) => [change.id, ...bound(change), change.now, change.now]);
  const from = `${table}${syntax.forcePrimaryKey}`;
  const updateOf = statementByCount((count) => {
    const pick = `CASE id ${'WHEN ? THEN ? '.repeat(count)}END`;
    const set = [assignUse(syntax, '', () => pick), ...copied.map(({ name }) => `${name} = ${pick}`)];
    return `UPDATE ${from} SET ${set.join(', ')} WHERE ${rowsOf(wanted, count)}`;
  });
  const lock = asked.isFirst ? syntax.forUpdate : '';
  const askOf = statementByCount((count) => `SELECT id FROM ${from} WHERE ${rowsOf(asked, count)}${lock}`);

  const update = (sql: SqlRunner, changes: readonly T[]): Promise<number> =>
    sql.run(updateOf(changes.length), [
      ...picked.flatMap(({ of }) => changes.flatMap((change) => [change.id, of(change)])),
      ...boundOf(wanted, changes),
    ]);
  const ask = async (sql: SqlRunner, changes: readonly T[]): Promise<readonly string[]> =>
    idsOf(await sql.all(askOf(changes.length), boundOf(asked, changes)));
  return {
    isOneStatement: false,
    portionsOf: (changes) => portionsOf(changes, values),
    async update(sql, portion) {
      if (!asked.isFirst) {
        const count = await update(sql, portion);
        return count === portion.length ? portion.map(({ id }) => id) : ask(sql, portion);
      }
      const ids = new Set(await ask(sql, portion));
      const found = portion.filter(({ id }) => ids.has(id));
      if (found.length > 0) await update(sql, found);
      return [...ids];
    },
  };
}

/**
 * Portions that fit one statement each, which has to stay far below what a server takes at once: `max_allowed_packet`, 16 MiB where
 * nobody has set it. In a statement bytes are in hex, twice as many.
 */
function portionsOf<T>(changes: readonly T[], values: ReadonlyArray<RowValue<T>>): T[][] {
  const portions: T[][] = [];
  let bytes = 0;
  for (const change of changes) {
    const own = values.reduce((sum, { of }) => sum + lengthOf(of(change)), 0);
    const last = portions.at(-1);
    bytes += own;
    if (last !== undefined && last.length < MAX_PICKED_ROWS && bytes <= MAX_PICKED_BYTES) last.push(change);
    else {
      portions.push([change]);
      bytes = own;
    }
  }
  return portions;
}

/** Rows of one statement that picks values by CASE, which looks through all of them for each row. */
const MAX_PICKED_ROWS = 32;

/** Bytes of payloads that such a statement binds, unless one row alone has more. */
const MAX_PICKED_BYTES = 64 * 1024;

const lengthOf = (value: SqlScalar): number => (Buffer.isBuffer(value) ? value.byteLength : 0);

/**
 * Updates rows, each found or not on its own. `null`: not together, since there is but one, or since a row is to be
 * changed twice.
 */
async function updateTogether<T extends { readonly id: string }>(
  connection: SqlConnection,
  { isOneStatement, portionsOf: split, update }: ManyRows<T>,
  changes: readonly T[],
): Promise<readonly boolean[] | null> {
  if (changes.length < 2) return null;
  if (new Set(changes.map(({ id }) => id)).size < changes.length) return null;
  // In one order everywhere, so that two of these seldom wait for each other in a circle.
  const portions = split(changes.toSorted((a, b) => (a.id < b.id ? -1 : 1)));
  const work = async (sql: SqlRunner): Promise<ReadonlySet<string>> => {
    const found = new Set<string>();
    for (const portion of portions) for (const id of await update(sql, portion)) found.add(id);
    return found;
  };
  const hasHit = ({ size }: ReadonlySet<string>): boolean => size === changes.length;
  const found = await (isOneStatement && portions.length === 1
    ? connection.write(work, hasHit)
    : connection.transaction(work, { userId: null, commitIf: () => true, hasHit }));
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
