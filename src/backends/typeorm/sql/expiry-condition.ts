/**
 * Whether a session is active, as the WHERE clauses say it; `isActive` in core/session-expiry.ts says it of a row that has
 * been read. Binds now, now.
 */
export const IS_ACTIVE = 'expires_at > ? AND absolute_expires_at > ?';

/** The opposite of `IS_ACTIVE`. Binds now, now. */
export const IS_EXPIRED = '(expires_at <= ? OR absolute_expires_at <= ?)';
