import type { SessionLogger } from '../../core/session-logger.js';

/** Options of `TypeOrmSessionBackend`. `SessionModule` fills them in from its own. */
export interface TypeOrmSessionBackendOptions {
  /** Letters, digits and underscores, at most 63, no digit first. */
  readonly tableName: string;
  /** Whether `init()` creates the table. `false`: migrations do, and `init()` checks that it is there. */
  readonly createTable: boolean;
  /** Milliseconds that one call may take, waiting included. */
  readonly timeout: number;
  /**
   * Whether the app uses the database too. On SQLite, `true` gives sessions a file of their own beside it, so that they
   * take no part in the app's transactions; `false` stores them in the database itself, which is there for sessions
   * alone. A function is asked once, when the database is first needed. Elsewhere it makes no difference.
   */
  readonly shared: boolean | (() => boolean);
  /**
   * Whether PostgreSQL prepares statements by name. Elsewhere it makes no difference.
   *
   * @default whether the pool is the backend's own, from options of a data source
   */
  readonly preparedStatements?: boolean;
  readonly logger?: SessionLogger;
}
