import type { EndedRow, SessionRow } from '../../../core/session-row.js';
import { COLUMN_ENTRIES, COLUMN_NAMES, COLUMNS, type SessionProperty } from '../schema/columns.js';
import type { SqlRow, SqlValue } from '../sql-connection.js';

/*
 * From a row of the table to a `SessionRow` and back: column names for SELECT and INSERT, values to bind, values
 * returned.
 */

/** The names of all columns, as a SELECT for `rowOf` and an INSERT of `valuesOf` list them. */
export const ALL_COLUMNS = COLUMN_NAMES.join(', ');

/** The names of the columns that a SELECT for `endedRowOf` lists. */
export const ENDED_COLUMNS = namesOf(['id', 'userId', 'expiresAt', 'absoluteExpiresAt']).join(', ');

const PROPERTIES = COLUMN_ENTRIES.map(([property]) => property);
const JSON_PROPERTIES = PROPERTIES.filter((property) => property !== 'payload');

/** The names of the columns whose values `rowOfJson` takes as one JSON array: all but the payload. */
export const JSON_COLUMNS = namesOf(JSON_PROPERTIES);

/** The names of the columns that store these properties. */
export function namesOf(properties: readonly SessionProperty[]): string[] {
  return properties.map((property) => COLUMNS[property].name);
}

/** What an INSERT of `ALL_COLUMNS` binds for a row. */
export function valuesOf(row: SessionRow): SqlValue[] {
  return PROPERTIES.map((property) => row[property]);
}

/**
 * A row as a SELECT of `ALL_COLUMNS` returns it. Databases differ in how they give numbers, booleans and bytes, and so do
 * drivers by what an app has set for the whole process, such as a type parser of `pg` or `typeCast` of `mysql2`.
 */
export function rowOf(raw: SqlRow): SessionRow {
  const values = COLUMN_NAMES.map((name) => raw[name]);
  return rowOfValues(values, POSITIONS, values[POSITIONS.payload]);
}

/** A row whose columns but the payload are one JSON array: drivers take longer for each value than JSON does for all. */
export function rowOfJson({ packed, payload }: SqlRow): SessionRow {
  return rowOfValues(JSON.parse(text(packed)) as readonly unknown[], JSON_POSITIONS, payload);
}

/** Where each property is in a list of values. */
type Positions = Readonly<Record<Exclude<SessionProperty, 'payload'>, number>>;

const POSITIONS = positionsIn(PROPERTIES);
const JSON_POSITIONS: Positions = positionsIn(JSON_PROPERTIES);

function positionsIn(properties: readonly SessionProperty[]): Readonly<Record<SessionProperty, number>> {
  const entries = properties.map((property, index) => [property, index]);
  return Object.fromEntries(entries) as Record<SessionProperty, number>;
}

/** One expression rather than a loop over the columns, which takes several times as long for each row that is read. */
function rowOfValues(values: readonly unknown[], at: Positions, payload: unknown): SessionRow {
  return {
    id: text(values[at.id]),
    userId: textOrNull(values[at.userId]),
    tokenHash: textOrNull(values[at.tokenHash]),
    supersededHash: textOrNull(values[at.supersededHash]),
    tokenIssuedAt: Number(values[at.tokenIssuedAt]),
    graceUntil: Number(values[at.graceUntil]),
    tokenUsed: flag(values[at.tokenUsed]),
    version: Number(values[at.version]),
    keyId: text(values[at.keyId]),
    idleTtl: Number(values[at.idleTtl]),
    persistent: flag(values[at.persistent]),
    createdAt: Number(values[at.createdAt]),
    authenticatedAt: numberOrNull(values[at.authenticatedAt]),
    lastActiveAt: Number(values[at.lastActiveAt]),
    expiresAt: Number(values[at.expiresAt]),
    absoluteExpiresAt: Number(values[at.absoluteExpiresAt]),
    payload: bytes(payload),
    tokenGeneration: Number(values[at.tokenGeneration]),
    replacedTokens: textOrNull(values[at.replacedTokens]) ?? '',
  };
}

/** What is said of a row that is deleted, as a SELECT of `ENDED_COLUMNS` returns it. */
export function endedRowOf(raw: SqlRow): EndedRow {
  return {
    id: text(raw[COLUMNS.id.name]),
    userId: textOrNull(raw[COLUMNS.userId.name]),
    expiresAt: Number(raw[COLUMNS.expiresAt.name]),
    absoluteExpiresAt: Number(raw[COLUMNS.absoluteExpiresAt.name]),
  };
}

/** The ids of rows. */
export function idsOf(rows: readonly SqlRow[]): string[] {
  return rows.map(({ id }) => text(id));
}

/** Text, also where the column holds its bytes. */
export function text(value: unknown): string {
  if (typeof value === 'string') return value;
  if (Buffer.isBuffer(value)) return value.toString();
  throw new TypeError(`A text column holds ${typeof value}`);
}

function textOrNull(value: unknown): string | null {
  return value === null ? null : text(value);
}

function numberOrNull(value: unknown): number | null {
  return value === null ? null : Number(value);
}

/** What says yes, as text. */
const TRUE: ReadonlySet<string> = new Set(['1', 't', 'true']);

/** `Boolean` would take PostgreSQL's `f`, and a 0 that is text, for true. */
function flag(value: unknown): boolean {
  return typeof value === 'boolean' ? value : TRUE.has(String(value));
}

function bytes(value: unknown): Buffer {
  if (Buffer.isBuffer(value)) return value;
  if (typeof value === 'string' && value.startsWith('\\x')) return Buffer.from(value.slice(2), 'hex'); // PostgreSQL's form
  if (value instanceof Uint8Array) return Buffer.from(value);
  throw new TypeError(`The payload column holds ${typeof value}, not bytes`);
}
