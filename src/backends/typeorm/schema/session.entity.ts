import { Column, type ColumnOptions, Entity, Index } from 'typeorm';
import { SessionOptionsError } from '../../../core/session-errors.js';
import type { SessionRow } from '../../../core/session-row.js';
import { isDataSource, type SessionDataSource } from '../data-source.js';
import { fitColumnTypes } from './column-types.js';
import { COLUMN_ENTRIES, COLUMNS, type IndexedProperty, type SessionColumn } from './columns.js';
import { fixNames, type IndexMetadata } from './fixed-names.js';
import { checkTableName } from './table-name.js';

/*
 * The table of sessions as an entity of TypeORM: the class, one like it for each other name of the table, and a check
 * of those that an app has registered.
 */

/** What TypeORM is told of each table of sessions. */
const TABLE_OPTIONS = { synchronize: false, manager: 'InnoDB' } as const;

/**
 * The table `sessions` as TypeORM sees it; for another `tableName` there is `sessionEntity`. It is what `init()` creates, so
 * that the two cannot drift. Instants are milliseconds since the Unix epoch. Registering it is optional, for apps that want
 * to read the table or generate migrations; it is `synchronize: false`, so that the app's own `synchronize` leaves the
 * table alone. Neither `entityPrefix` nor a naming strategy changes its names.
 *
 * One index besides the primary key, on a column that never changes: an index on an expiry would turn every touch
 * into an index write. The last two columns came later: they are added to earlier tables, where they are `null` until the
 * token changes.
 *
 * Column types follow the data source: bytes are `blob`, `bytea` or `longblob`; texts are compared and ordered by their
 * bytes, so on MySQL and MariaDB they are `varbinary`.
 */
@Index(userIndex)
@Index(keyIndex)
@Entity('sessions', TABLE_OPTIONS)
export class SessionEntity implements SessionRow {
  /** Public id, a ULID. Not a secret. */
  id!: string;

  /** Owner. `null`: anonymous. */
  userId!: string | null;

  /** SHA-256 of the current token, lower-case hex. `null`: stored under a key, without a token. */
  tokenHash!: string | null;

  /** Hash of the token that the current one superseded. */
  supersededHash!: string | null;

  /** When the current token was issued. */
  tokenIssuedAt!: number;

  /** Until when the superseded token is still served. */
  graceUntil!: number;

  /** Whether the current token has been presented since it was issued. */
  tokenUsed!: boolean;

  /** Opaque; every change of the payload stores a new value. */
  version!: number;

  /** Id of the key that sealed the payload. */
  keyId!: string;

  /** Idle timeout in milliseconds. */
  idleTtl!: number;

  /** Whether the cookie outlives the browser session. */
  persistent!: boolean;

  createdAt!: number;

  /** Last proof of identity. `null`: never. */
  authenticatedAt!: number | null;

  lastActiveAt!: number;

  /** When the session ends unless it is used. */
  expiresAt!: number;

  /** When the session ends however much it is used. */
  absoluteExpiresAt!: number;

  /** Data, flashes and meta, sealed. */
  payload!: Buffer;

  /** Which token of the session the current one is, from 0. */
  tokenGeneration!: number;

  /** When earlier tokens were replaced. */
  replacedTokens!: string;
}

/** Some drivers give 64-bit integers as text. */
const BIGINT_AS_NUMBER = {
  from: (value: unknown) => (value === null ? null : Number(value)),
  to: (value: unknown) => value,
};

// In place of a decorator on each property: the columns are listed once, in columns.ts.
for (const [property, column] of COLUMN_ENTRIES)
  Column(columnOptions(column))(SessionEntity.prototype, property);

function columnOptions({ name, type, length, primary, nullable }: SessionColumn): ColumnOptions {
  return {
    name,
    type,
    length,
    primary,
    nullable,
    transformer: type === 'bigint' ? BIGINT_AS_NUMBER : undefined,
  };
}

/*
 * The properties that an index is on. TypeORM calls each as a method of the index's metadata, once for each data source: the
 * moment to give the columns the types and names that they have there.
 */

function userIndex(this: IndexMetadata): string[] {
  return indexOn(this, 'userId');
}

function keyIndex(this: IndexMetadata): string[] {
  return indexOn(this, 'keyId');
}

function indexOn(index: IndexMetadata, property: IndexedProperty): string[] {
  fitColumnTypes(index.entityMetadata);
  fixNames(index, COLUMNS[property].name, TABLE_NAMES.get(index.entityMetadata.target));
  return [property];
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
  Entity(tableName, TABLE_OPTIONS)(made);
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

/**
 * Refuses a data source whose entities of sessions are all of other tables than the one in use: what the app would read
 * there are no sessions of its own.
 *
 * @throws SessionOptionsError
 */
export function checkRegisteredEntities(dataSource: SessionDataSource, tableName: string): void {
  if (!isDataSource(dataSource) || !dataSource.isInitialized) return;
  const described = dataSource.entityMetadatas.filter(({ target }) => isSessionEntity(target));
  if (described.length === 0 || described.some((one) => one.tableName === tableName)) return;
  const names = described.map((one) => `${one.name}, of the table '${one.tableName}'`).join(', ');
  throw new SessionOptionsError(
    `\`tableName\`: sessions are in the table '${tableName}', but the entities of the data source have ${names}. ` +
      `Register sessionEntity('${tableName}') instead, or beside it if both are meant`,
  );
}
