import type { ColumnType, EntityMetadata } from 'typeorm';
import { dataSourceOf } from '../data-source.js';
import type { SessionColumnType } from './columns.js';

/**
 * Gives the columns of `SessionEntity` the types that they have in the database of the data source that builds its
 * metadata: TypeORM has no type for bytes that all drivers know. The decorators are the same for all of them, so this is
 * done while TypeORM builds the index of the entity, before it checks the types.
 */
export function fitColumnTypes(metadata: EntityMetadata): void {
  const change = CHANGES[dataSourceOf(metadata).options.type];
  if (!change) return;
  for (const column of metadata.columns) {
    const isText = column.type === 'varchar';
    Object.assign(column, change(column.type, column.length));
    if (isText && column.type === 'varbinary') column.transformer = TEXT_AS_BYTES;
  }
}

/** The types of the columns in PostgreSQL. */
export const POSTGRES_TYPES = {
  varchar: 'varchar',
  bigint: 'bigint',
  boolean: 'boolean',
  blob: 'bytea',
} as const satisfies Record<SessionColumnType, ColumnType>;

/** What a column is in one kind of database, where that differs from what the entity says. */
interface ColumnChange {
  readonly type?: ColumnType;
  readonly length?: string;
  readonly collation?: string;
}

/** Bytes of a character at most, as UTF-8. */
const BYTES_PER_CHARACTER = 4;

/** By TypeORM's names of the drivers, the changes to a column of that type and length. SQLite needs none. */
const CHANGES: Readonly<Record<string, (type: ColumnType, length: string) => ColumnChange>> = {
  /** Texts in the order of their bytes, whatever the database sorts by; the walk over the primary key relies on it. */
  postgres: (type) => {
    if (type === 'varchar') return { collation: 'C' };
    return type === 'blob' ? { type: POSTGRES_TYPES.blob } : {};
  },
  mysql: changeForMysql,
  mariadb: changeForMysql,
};

/**
 * Texts as their bytes: the collations that MySQL and MariaDB have in common take `Bob` for `bob`, or `a` for `a `.
 * BLOB would hold 64 KiB.
 */
function changeForMysql(type: ColumnType, length: string): ColumnChange {
  if (type === 'varchar') return { type: 'varbinary', length: String(BYTES_PER_CHARACTER * Number(length)) };
  return type === 'blob' ? { type: 'longblob' } : {};
}

/** What TypeORM hands out of text columns that hold bytes, and takes to compare with them. */
const TEXT_AS_BYTES = {
  from: (value: unknown) => (Buffer.isBuffer(value) ? value.toString() : value),
  to: (value: unknown) => (typeof value === 'string' ? Buffer.from(value) : value),
};
