import type { DataSource, DataSourceOptions } from 'typeorm';
import type { CleanupClaim } from '../../core/cleanup-lease.js';
import {
  type BackendHealth,
  SessionBackend,
  type InsertRequest,
  type InsertResult,
  type ListRequest,
  type PayloadChange,
  type PruneResult,
  type PruneStep,
  type RowSelection,
  type TokenChange,
  type Touch,
  type WalkResult,
  type WalkStep,
} from '../../core/session-backend.js';
import type { SessionBus } from '../../core/session-bus.js';
import type { EndedRow, EpochMs, LiveRow, SessionRow } from '../../core/session-row.js';
import { checkedOptions, isDataSource, optionsOf } from './data-source.js';
import { checkAddress } from './database-address.js';
import { dialectOf } from './dialects.js';
import { checkRegisteredEntities } from './schema/session.entity.js';
import { checkTableName, tablePath } from './schema/table-name.js';
import { aliveRows } from './sql/alive.js';
import { BatchedFind } from './sql/batched-find.js';
import { changeToken } from './sql/change-token.js';
import { claimCleanup } from './sql/claim-cleanup.js';
import { keysInUse } from './sql/keys-in-use.js';
import { deleteSelection } from './sql/delete.js';
import { findRows } from './sql/find.js';
import { InsertQueue } from './sql/insert-queue.js';
import { listRows } from './sql/list.js';
import { pruneStep } from './sql/prune.js';
import { saveRows, touchRows } from './sql/save-and-touch.js';
import { sessionStatements, type SessionStatements } from './sql/session-statements.js';
import { walkStep } from './sql/walk.js';
import type { SqlConnection } from './sql-connection.js';
import { StraySessions } from './stray-sessions.js';
import type { TypeOrmSessionBackendOptions } from './typeorm-session-backend-options.js';

/**
 * Sessions in the database of a TypeORM data source, as raw statements: no entity is hydrated, none has to be
 * registered. On SQLite a shared data source gets a file for sessions beside its own; on a server, calls take connections
 * of the pool.
 */
export class TypeOrmSessionBackend extends SessionBackend {
  override readonly leasesCleanup: boolean = true;
  readonly #checkEntities: () => void;
  readonly #statements: SessionStatements;
  readonly #connection: SqlConnection;
  readonly #inserts: InsertQueue;
  readonly #strays = new StraySessions((ids) => this.delete({ ids }));
  /** `null` where several connections look rows up at the same time. */
  readonly #batchedFind: BatchedFind | null;

  /**
   * @param dataSource one that somebody else opens and closes, or options: then a pool of its own is opened when it is
   *   first needed, and closed by `close()`; what the options say of entities, migrations and tables is left aside
   * @throws SessionOptionsError for a driver that is not supported, options that do not say where the database is, or a
   *   bad `tableName`
   */
  constructor(dataSource: DataSource | DataSourceOptions, options: TypeOrmSessionBackendOptions) {
    super();
    checkTableName(options.tableName);
    this.#checkEntities = () => checkRegisteredEntities(dataSource, options.tableName);
    const dialect = dialectOf(optionsOf(dataSource));
    if (!isDataSource(dataSource)) checkAddress(dataSource);
    const driverOptions = isDataSource(dataSource) ? dataSource.options : checkedOptions(dataSource);
    this.#statements = sessionStatements(tablePath(driverOptions, options.tableName), dialect.syntax);
    this.#connection = dialect.connect(dataSource, options);
    const { findByJson } = this.#statements;
    this.#batchedFind =
      findByJson === null ? null : new BatchedFind(this.#connection, findByJson, options.timeout);
    this.#inserts = new InsertQueue(this.#connection, this.#statements, options.timeout);
  }

  /**
   * @throws SessionOptionsError when the table is missing and may not be created, or has other columns, or when the app
   *   has registered the entity of another table
   */
  async init(): Promise<void> {
    this.#checkEntities();
    return this.#connection.init();
  }

  close(): Promise<void> {
    this.#strays.close();
    return this.#connection.close();
  }

  /** LISTEN and NOTIFY on PostgreSQL, on a connection of its own; otherwise `null`. */
  override bus(): SessionBus | null {
    return this.#connection.bus();
  }

  async find(ids: readonly string[]): Promise<ReadonlyArray<SessionRow | null>> {
    if (ids.length === 0) return [];
    const found = await (this.#batchedFind === null
      ? findRows(this.#connection, this.#statements, ids)
      : this.#batchedFind.find(ids));
    return ids.map((id) => found.get(id) ?? null);
  }

  async alive(ids: readonly string[], now: EpochMs): Promise<ReadonlyArray<LiveRow | null>> {
    if (ids.length === 0) return [];
    const found = await aliveRows(this.#connection, this.#statements, ids, now);
    return ids.map((id) => found.get(id) ?? null);
  }

  /** An insert that fails leaves no session that a token leads to, not even where the server goes on with it. */
  async insert(request: InsertRequest): Promise<InsertResult> {
    const built: SessionRow[] = [];
    const build = (replaced: SessionRow | null): SessionRow | null => {
      const row = request.build(replaced);
      if (row !== null) built.push(row);
      return row;
    };
    try {
      return await this.#inserts.insert({ ...request, build });
    } catch (error) {
      const row = built.at(-1);
      // A row that its id alone leads to is the caller's, who may ask for it again.
      if (row && row.tokenHash !== null && row.id !== request.replaces) this.#strays.note(row.id);
      throw error;
    }
  }

  save(changes: readonly PayloadChange[]): Promise<readonly boolean[]> {
    return saveRows(this.#connection, this.#statements, changes);
  }

  touch(touches: readonly Touch[]): Promise<readonly boolean[]> {
    return touchRows(this.#connection, this.#statements, touches);
  }

  async changeToken(change: TokenChange): Promise<boolean> {
    return changeToken(this.#connection, this.#statements, change);
  }

  delete(selection: RowSelection): Promise<readonly EndedRow[]> {
    return deleteSelection(this.#connection, this.#statements, selection);
  }

  list(request: ListRequest): Promise<readonly SessionRow[]> {
    return listRows(this.#connection, this.#statements, request);
  }

  walk(step: WalkStep): Promise<WalkResult> {
    return walkStep(this.#connection, this.#statements, step);
  }

  prune(step: PruneStep): Promise<PruneResult> {
    return pruneStep(this.#connection, this.#statements, step);
  }

  keysInUse(): Promise<ReadonlySet<string>> {
    return keysInUse(this.#connection, this.#statements);
  }

  /** On a server its clock. A file of SQLite has none of its own. */
  override health(): Promise<BackendHealth> {
    return this.#connection.health();
  }

  override claimCleanup(claim: CleanupClaim): Promise<boolean> {
    return claimCleanup(this.#connection, this.#statements, claim);
  }
}
