import { Column, Entity, Index, PrimaryColumn } from 'typeorm';
import { fixNames, type OwnIndex } from './fixed-names.js';
import { fitColumns } from './column-types.js';
import { checkTableName } from './table-name.js';

/** Some drivers give 64-bit integers as text. */
const INSTANT = {
  from: (value: unknown) => (value === null ? null : Number(value)),
  to: (value: unknown) => value,
};

/** The columns of the index. TypeORM calls it as a method of the index's metadata, once for each data source. */
function ownerIndex(this: OwnIndex): string[] {
  fitColumns(this.entityMetadata);
  fixNames(this, TABLE_NAMES.get(this.entityMetadata.target));
  return ['userId'];
}

/** What TypeORM is told of each table of sessions. */
const TABLE = { synchronize: false, manager: 'InnoDB' } as const;

/**
 * The table `sessions` as TypeORM sees it; for another `tableName` there is `sessionEntity`. It is what `init()` creates, so
 * that the two cannot drift. Instants are milliseconds since the Unix epoch. Registering it is optional, for apps that want
 * to read the table or generate migrations; it is `synchronize: false`, so that the app's own `synchronize` leaves the
 * table alone. Neither `entityPrefix` nor a naming strategy changes its names.
 *
 * One index besides the primary key, on a column that never changes: an index on an expiry would turn every touch
 * into an index write. `payload` comes behind what scans for
 * expiry look at, so that they do not read it. The columns behind it came later: they are added to earlier tables, where
 * they are `null` until the token changes.
 *
 * Column types follow the data source: bytes are `blob`, `bytea` or `longblob`; texts are compared and ordered by their
 * bytes, so on MySQL and MariaDB they are `varbinary`.
 */
@Index(ownerIndex)
@Entity('sessions', TABLE)
export class SessionEntity {
  /** Public id, a ULID. Not a secret. */
  @PrimaryColumn('varchar', { name: 'id', length: 255 })
  id!: string;

  /** Owner. `null`: anonymous. */
  @Column('varchar', { name: 'user_id', length: 255, nullable: true })
  userId!: string | null;

  /** SHA-256 of the current token, lower-case hex. `null`: stored under a key, without a token. */
  @Column('varchar', { name: 'token_hash', length: 64, nullable: true })
  tokenHash!: string | null;

  /** Hash of the token that the current one superseded. */
  @Column('varchar', { name: 'superseded_hash', length: 64, nullable: true })
  supersededHash!: string | null;

  /** When the current token was issued. */
  @Column('bigint', { name: 'token_issued_at', transformer: INSTANT })
  tokenIssuedAt!: number;

  /** Until when the superseded token is still served. */
  @Column('bigint', { name: 'grace_until', transformer: INSTANT })
  graceUntil!: number;

  /** Whether the current token has been presented since it was issued. */
  @Column('boolean', { name: 'token_used' })
  tokenUsed!: boolean;

  /** Opaque; every change of the payload stores a new value. */
  @Column('bigint', { name: 'version', transformer: INSTANT })
  version!: number;

  /** Id of the key that sealed the payload. */
  @Column('varchar', { name: 'key_id', length: 64 })
  keyId!: string;

  /** Idle timeout in milliseconds. */
  @Column('bigint', { name: 'idle_ttl', transformer: INSTANT })
  idleTtl!: number;

  /** Whether the cookie outlives the browser session. */
  @Column('boolean', { name: 'persistent' })
  persistent!: boolean;

  @Column('bigint', { name: 'created_at', transformer: INSTANT })
  createdAt!: number;

  /** Last proof of identity. `null`: never. */
  @Column('bigint', { name: 'authenticated_at', nullable: true, transformer: INSTANT })
  authenticatedAt!: number | null;

  @Column('bigint', { name: 'last_active_at', transformer: INSTANT })
  lastActiveAt!: number;

  /** When the session ends unless it is used. */
  @Column('bigint', { name: 'expires_at', transformer: INSTANT })
  expiresAt!: number;

  /** When the session ends however much it is used. */
  @Column('bigint', { name: 'absolute_expires_at', transformer: INSTANT })
  absoluteExpiresAt!: number;

  /** Data, flashes and meta, sealed. */
  @Column('blob', { name: 'payload' })
  payload!: Buffer;

  /** Which token of the session the current one is, from 0. */
  @Column('bigint', { name: 'token_generation', nullable: true, transformer: INSTANT })
  tokenGeneration!: number;

  /** When earlier tokens were replaced. */
  @Column('varchar', { name: 'replaced_tokens', length: 512, nullable: true })
  replacedTokens!: string;
}

/** Entities of this process, by the name of their table. */
const ENTITIES = new Map<string, typeof SessionEntity>([['sessions', SessionEntity]]);
/** The name of the table, by entity. */
const TABLE_NAMES = new Map<unknown, string>([[SessionEntity, 'sessions']]);

/**
 * The entity of the table that the module's `tableName` names, for the option `entities` of a TypeORM data source and for
 * repositories: as `SessionEntity`, which is `sessionEntity('sessions')`. Neither `entityPrefix` nor a naming strategy
 * changes the names that it has in the database. The same class for the same name.
 *
 * @throws SessionOptionsError for a bad `tableName`
 */
export function sessionEntity(tableName: string): typeof SessionEntity {
  checkTableName(tableName);
  const known = ENTITIES.get(tableName);
  if (known) return known;
  // TypeORM, and Nest's tokens of repositories, tell entities apart by the names of their classes.
  const name = `SessionEntity_${tableName}`;
  const made = { [name]: class extends SessionEntity {} }[name] ?? SessionEntity;
  Entity(tableName, TABLE)(made);
  ENTITIES.set(tableName, made);
  TABLE_NAMES.set(made, tableName);
  return made;
}

/** Whether a target of TypeORM's metadata is a table of sessions. */
export function isSessionEntity(target: unknown): boolean {
  return (
    target === SessionEntity || (typeof target === 'function' && target.prototype instanceof SessionEntity)
  );
}
