import type { SessionRow } from '../../../core/session-row.js';

/**
 * The columns of the table of sessions, in the order of the table: the only list of them. The entity, and with it the
 * table that is created, the statements, what they bind and how rows are read follow from it. A column is found by the
 * property of `SessionRow` that it stores.
 *
 * `payload` comes behind what scans for expiry look at, so that they do not read it. Columns that a later version added
 * come behind it, since a database appends them to the tables there are.
 */
export const COLUMNS = {
  id: { name: 'id', type: 'varchar', length: 255, primary: true },
  userId: { name: 'user_id', type: 'varchar', length: 255, nullable: true },
  tokenHash: { name: 'token_hash', type: 'varchar', length: 64, nullable: true },
  supersededHash: { name: 'superseded_hash', type: 'varchar', length: 64, nullable: true },
  tokenIssuedAt: { name: 'token_issued_at', type: 'bigint' },
  graceUntil: { name: 'grace_until', type: 'bigint' },
  tokenUsed: { name: 'token_used', type: 'boolean' },
  version: { name: 'version', type: 'bigint' },
  keyId: { name: 'key_id', type: 'varchar', length: 64 },
  idleTtl: { name: 'idle_ttl', type: 'bigint' },
  persistent: { name: 'persistent', type: 'boolean' },
  createdAt: { name: 'created_at', type: 'bigint' },
  authenticatedAt: { name: 'authenticated_at', type: 'bigint', nullable: true },
  lastActiveAt: { name: 'last_active_at', type: 'bigint' },
  expiresAt: { name: 'expires_at', type: 'bigint' },
  absoluteExpiresAt: { name: 'absolute_expires_at', type: 'bigint' },
  payload: { name: 'payload', type: 'blob' },
  tokenGeneration: { name: 'token_generation', type: 'bigint', nullable: true, addedBy: 'CountTokens' },
  replacedTokens: {
    name: 'replaced_tokens',
    type: 'varchar',
    length: 512,
    nullable: true,
    addedBy: 'CountTokens',
  },
} as const satisfies Record<keyof SessionRow, SessionColumn>;

/** A column of the table. */
export interface SessionColumn {
  /** Its name in the database. */
  readonly name: string;
  readonly type: SessionColumnType;
  /** Characters at most, of a `varchar`. */
  readonly length?: number;
  /** Whether it is the primary key. */
  readonly primary?: boolean;
  /** Whether it may be `NULL`, which columns that came later always may: the rows there are have nothing for them. */
  readonly nullable?: boolean;
  /** The migration that adds it to tables of earlier versions. Absent: every table has had it from the start. */
  readonly addedBy?: SessionColumnMigration;
}

/** Properties whose columns have an index of their own, each by the migration that adds it; `null`: there from the start. */
export const INDEXED = { userId: null, keyId: 'IndexKeys' } as const satisfies Partial<
  Record<keyof SessionRow, 'IndexKeys' | null>
>;

/** A property whose column has an index of its own. */
export type IndexedProperty = keyof typeof INDEXED;

/** TypeORM's name of a column's type; `column-types.ts` has what it is in each database. */
export type SessionColumnType = 'varchar' | 'bigint' | 'boolean' | 'blob';

/** Migrations that add columns, by the names of their classes. */
export type SessionColumnMigration = 'CountTokens';

/** The property of `SessionRow` that a column stores. */
export type SessionProperty = keyof SessionRow;

/** The columns with their properties, in the order of the table. */
export const COLUMN_ENTRIES = Object.entries(COLUMNS) as ReadonlyArray<[SessionProperty, SessionColumn]>;

/** Names of the columns, in the order of the table. */
export const COLUMN_NAMES: readonly string[] = COLUMN_ENTRIES.map(([, { name }]) => name);

/** Names of the columns that tables of earlier versions lack: those of one migration, or of all. */
export function laterColumns(migration?: SessionColumnMigration): readonly string[] {
  return COLUMN_ENTRIES.flatMap(([, { name, addedBy }]) =>
    addedBy !== undefined && (migration === undefined || addedBy === migration) ? [name] : [],
  );
}
