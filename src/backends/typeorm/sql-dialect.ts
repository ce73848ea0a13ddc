import type { SessionDataSource } from './data-source.js';
import type { SqlSyntax } from './sql/sql-syntax.js';
import type { SqlConnection } from './sql-connection.js';
import type { TypeOrmSessionBackendOptions } from './typeorm-session-backend-options.js';

/** One kind of database: all that the backend does not do in plain SQL. `dialects.ts` has the list of them. */
export interface SqlDialect {
  /** TypeORM's names (`type` option) of the drivers that it serves. */
  readonly drivers: readonly string[];
  readonly syntax: SqlSyntax;
  /** Statements that follow the creation of a table, whose name is given in quotes. */
  readonly afterCreateTable: (table: string) => readonly string[];
  /** Opens nothing yet. */
  connect(dataSource: SessionDataSource, options: TypeOrmSessionBackendOptions): SqlConnection;
}
