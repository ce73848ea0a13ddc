/**
 * 1 both on a primary that has been demoted (`default_transaction_read_only`) and on a standby, where every transaction is
 * read-only. `pg_is_in_recovery()` knows only the standby.
 */
export const IS_READ_ONLY = "(current_setting('transaction_read_only') = 'on')::int";
