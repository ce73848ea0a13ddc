import type { EndedRow, SessionRow } from '../../../core/session-row.js';
import type { SqlRow, SqlValue } from '../sql-dialect.js';

/** Columns of the table, in the order of `valuesOf`. A spec holds them against `SessionEntity`. */
export const COLUMNS = [
  'id',
  'user_id',
  'token_hash',
  'superseded_hash',
  'token_issued_at',
  'grace_until',
  'token_used',
  'version',
  'key_id',
  'idle_ttl',
  'persistent',
  'created_at',
  'authenticated_at',
  'last_active_at',
  'expires_at',
  'absolute_expires_at',
  'payload',
  'token_generation',
  'replaced_tokens',
] as const;

/** All but the payload. */
export const PACKED_COLUMNS = COLUMNS.filter((column) => column !== 'payload');

/** What says yes, as text. */
const TRUE: ReadonlySet<string> = new Set(['1', 't', 'true']);

/** What an INSERT of all `COLUMNS` binds. */
export function valuesOf(row: SessionRow): SqlValue[] {
  return [
    row.id,
    row.userId,
    row.tokenHash,
    row.supersededHash,
    row.tokenIssuedAt,
    row.graceUntil,
    row.tokenUsed,
    row.version,
    row.keyId,
    row.idleTtl,
    row.persistent,
    row.createdAt,
    row.authenticatedAt,
    row.lastActiveAt,
    row.expiresAt,
    row.absoluteExpiresAt,
    row.payload,
    row.tokenGeneration,
    row.replacedTokens,
  ];
}

/**
 * A row as a SELECT of all `COLUMNS` returns it. Databases differ in how they give numbers, booleans and bytes, and so do
 * drivers by what an app has set for the whole process, such as a type parser of `pg` or `typeCast` of `mysql2`.
 */
export function rowOf(raw: SqlRow): SessionRow {
  return {
    id: text(raw.id),
    userId: textOrNull(raw.user_id),
    tokenHash: textOrNull(raw.token_hash),
    supersededHash: textOrNull(raw.superseded_hash),
    tokenIssuedAt: Number(raw.token_issued_at),
    graceUntil: Number(raw.grace_until),
    tokenUsed: flag(raw.token_used),
    version: Number(raw.version),
    keyId: text(raw.key_id),
    idleTtl: Number(raw.idle_ttl),
    persistent: flag(raw.persistent),
    createdAt: Number(raw.created_at),
    authenticatedAt: raw.authenticated_at === null ? null : Number(raw.authenticated_at),
    lastActiveAt: Number(raw.last_active_at),
    expiresAt: Number(raw.expires_at),
    absoluteExpiresAt: Number(raw.absolute_expires_at),
    payload: bytes(raw.payload),
    tokenGeneration: Number(raw.token_generation),
    replacedTokens: textOrNull(raw.replaced_tokens) ?? '',
  };
}

/** In the order of `PACKED_COLUMNS`. */
type PackedValues = readonly unknown[];

/** A row whose columns but the payload are one JSON array: drivers take longer for each value than JSON does for all. */
export function packedRowOf({ packed, payload }: SqlRow): SessionRow {
  const values = JSON.parse(text(packed)) as PackedValues;
  return {
    id: text(values[0]),
    userId: textOrNull(values[1]),
    tokenHash: textOrNull(values[2]),
    supersededHash: textOrNull(values[3]),
    tokenIssuedAt: Number(values[4]),
    graceUntil: Number(values[5]),
    tokenUsed: Boolean(values[6]),
    version: Number(values[7]),
    keyId: text(values[8]),
    idleTtl: Number(values[9]),
    persistent: Boolean(values[10]),
    createdAt: Number(values[11]),
    authenticatedAt: values[12] === null ? null : Number(values[12]),
    lastActiveAt: Number(values[13]),
    expiresAt: Number(values[14]),
    absoluteExpiresAt: Number(values[15]),
    payload: bytes(payload),
    tokenGeneration: Number(values[16]),
    replacedTokens: textOrNull(values[17]) ?? '',
  };
}

/** What is said of a row that is deleted. */
export function endedRowOf(raw: SqlRow): EndedRow {
  return {
    id: text(raw.id),
    userId: textOrNull(raw.user_id),
    expiresAt: Number(raw.expires_at),
    absoluteExpiresAt: Number(raw.absolute_expires_at),
  };
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
