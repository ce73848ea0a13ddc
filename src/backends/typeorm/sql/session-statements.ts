import { COLUMNS, PACKED_COLUMNS } from './row-mapping.js';
import { byCount, places } from './selection.js';
import { SAVE_VALUES, TOUCH_VALUES, updateMany } from './save-and-touch.js';
import type { SqlSyntax } from '../sql-dialect.js';

const ALL = COLUMNS.join(', ');
const PACKED = PACKED_COLUMNS.map((column) => `s.${column}`).join(', ');
const ENDED = 'id, user_id, expires_at, absolute_expires_at';
const IS_ACTIVE = 'expires_at > ? AND absolute_expires_at > ?';
const BATCH = 'id > ? AND id <= ?';
const IS_EXPIRED = '(expires_at <= ? OR absolute_expires_at <= ?)';

/**
 * Every statement of the backend, for one table. The comments name what each binds.
 *
 * @param path the name of the table, behind that of its schema if it has one
 */
export function sessionStatements(path: readonly string[], syntax: SqlSyntax) {
  const { quote, greatest, least, forUpdate, skipLocked, byKey } = syntax;
  const table = path.map(quote).join('.');
  const use =
    `last_active_at = ${greatest}(last_active_at, ?), ` +
    `expires_at = ${greatest}(expires_at, ${least}(?, absolute_expires_at))`;
  return {
    /** Whether a transaction keeps others from rows, so that it matters in which order it does. */
    areRowsKept: forUpdate !== '',
    /** id, … */
    find: byCount((count) => `SELECT ${ALL} FROM ${table} WHERE id IN (${places(count)})`),
    /**
     * ids as a JSON array, each once; whole rows for `packedRowOf`. `null` where that is not possible. `CROSS JOIN` keeps
     * the order: SQLite would put the ids of an `IN` into a table of their own first.
     */
    findPacked: syntax.packs
      ? `SELECT json_array(${PACKED}) AS packed, s.payload FROM json_each(?) AS wanted CROSS JOIN ${table} AS s ` +
        'ON s.id = wanted.value'
      : null,
    /** id; nobody changes the row until the transaction ends */
    findForUpdate: `SELECT ${ALL} FROM ${table} WHERE id = ?${forUpdate}`,
    /** all columns of each row; no row where an id is taken */
    insert: byCount((count) => {
      const rows = Array.from({ length: count }, () => `(${places(COLUMNS.length)})`).join(', ');
      return `INSERT INTO ${table} (${ALL}) VALUES ${rows}${syntax.unlessTaken}`;
    }),
    /** user id, now, now, id of the replaced row */
    counted:
      `SELECT ${ENDED}, last_active_at FROM ${table} WHERE user_id = ? AND token_hash IS NOT NULL AND ${IS_ACTIVE} AND id <> ? ` +
      'ORDER BY last_active_at, id',
    /** last active, expires, version, key id, payload, id, expected version, now, now */
    save: `UPDATE ${table} SET ${use}, version = ?, key_id = ?, payload = ? WHERE id = ? AND version = ? AND ${IS_ACTIVE}`,
    /** last active, expires, id, now, now, latest last activity */
    touch: `UPDATE ${table} SET ${use} WHERE id = ? AND ${IS_ACTIVE} AND last_active_at <= ?`,
    /** values of each change, in the order of `SAVE_VALUES`; the ids of the rows that it found */
    saveMany: updateMany(table, syntax, SAVE_VALUES, 's.version = v.expected_version'),
    /** values of each touch, in the order of `TOUCH_VALUES`; the ids of the rows that it found */
    touchMany: updateMany(table, syntax, TOUCH_VALUES, 's.last_active_at <= v.latest'),
    /** seven values of the next token state, authenticated at or null, id, now, now, expected used, expected hash if any */
    changeToken: (hasToken: boolean) =>
      `UPDATE ${table} SET token_hash = ?, superseded_hash = ?, token_issued_at = ?, grace_until = ?, token_used = ?, ` +
      'token_generation = ?, replaced_tokens = ?, ' +
      `authenticated_at = COALESCE(?, authenticated_at) WHERE id = ? AND ${IS_ACTIVE} AND token_used = ? ` +
      `AND token_hash ${hasToken ? '= ?' : 'IS NULL'}`,
    /** what `where` binds; `null` where a DELETE returns no rows */
    deleteReturning: syntax.returning
      ? (where: string) => `DELETE FROM ${table} WHERE ${where} RETURNING ${ENDED}`
      : null,
    /** what `where` binds */
    ended: (where: string, isByIds: boolean) =>
      `SELECT ${ENDED} FROM ${table}${isByIds ? byKey : ''} WHERE ${where} ORDER BY id${forUpdate}`,
    /**
     * what `where` binds; `null` where `ended` may keep rows by any index. Elsewhere an index keeps its own entries
     * before their rows, and a DELETE the reverse.
     */
    idsOf: byKey === '' ? null : (where: string) => `SELECT id FROM ${table} WHERE ${where} ORDER BY id`,
    /** no values */
    everyId: `SELECT id FROM ${table} ORDER BY id`,
    /** id, … */
    delete: (count: number) => syntax.deleteByKey(table, count),
    /** id, … */
    keep: (count: number) =>
      `SELECT id FROM ${table}${byKey} WHERE id IN (${places(count)}) ORDER BY id${syntax.noWait}`,
    /** user id, now, now, limit if any */
    list: (orderBy: 'last_active_at' | 'created_at', isLimited: boolean) =>
      `SELECT ${ALL} FROM ${table} WHERE user_id = ? AND ${IS_ACTIVE} ORDER BY ${orderBy} DESC, id DESC` +
      (isLimited ? ' LIMIT ?' : ''),
    /** after, batch size - 1. One row where the table has a whole batch: its last id. */
    batchEnd: `SELECT id FROM ${table} WHERE id > ? ORDER BY id LIMIT 1 OFFSET ?`,
    /** after. Its last id, if there is one. */
    lastId: `SELECT MAX(id) AS id FROM ${table} WHERE id > ?`,
    /** after, last id, now, now; `null` where others may keep rows */
    pruneBatch: skipLocked === '' ? `DELETE FROM ${table} WHERE ${BATCH} AND ${IS_EXPIRED}` : null,
    /** after, last id, now, now */
    expired: `SELECT id FROM ${table} WHERE ${BATCH} AND ${IS_EXPIRED}`,
    /** id, …, now, now */
    expiredToDelete: (count: number) =>
      `SELECT id FROM ${table}${byKey} WHERE id IN (${places(count)}) AND ${IS_EXPIRED}${skipLocked}`,
    /** rows to look at, now, now */
    countNewestByKey:
      `SELECT key_id, COUNT(*) AS total FROM (SELECT key_id, expires_at, absolute_expires_at FROM ${table} ` +
      `ORDER BY id DESC LIMIT ?) AS newest WHERE ${IS_ACTIVE} GROUP BY key_id`,
    /** now, now */
    countByKey: `SELECT key_id, COUNT(*) AS total FROM ${table} WHERE ${IS_ACTIVE} GROUP BY key_id`,
  };
}

export type SessionStatements = ReturnType<typeof sessionStatements>;
