import type { DataSource, DataSourceOptions } from 'typeorm';
import {
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
} from '../../core/session-backend.js';
import type { EndedRow, EpochMs, SessionRow } from '../../core/session-row.js';
import { checkedOptions, isDataSource, optionsOf } from './data-source.js';
import { dialectOf } from './dialects.js';
import { deleteEvery, deleteRows, isOneStatement } from './sql/delete.js';
import { insertSession } from './sql/insert.js';
import { pruneStep } from './sql/prune.js';
import { checkRegistered } from './schema/registered-entity.js';
import { rowOf } from './sql/row-mapping.js';
import { chunked, isByIds, selectionOf } from './sql/selection.js';
import { SharedLookup } from './sql/batched-find.js';
import { SignInQueue } from './sql/insert-queue.js';
import { sessionStatements, type SessionStatements } from './sql/session-statements.js';
import { tablePath } from './schema/session-table.js';
import { checkTableName } from './schema/table-name.js';
import { saveValues, touchValues, updateRows } from './sql/save-and-touch.js';
import type { SqlConnection, SqlRunner, TypeOrmSessionBackendOptions } from './sql-dialect.js';

/**
 * Sessions in the database of a TypeORM data source, as raw statements: no entity is hydrated, none has to be
 * registered. On SQLite a shared data source gets a file for sessions beside its own; on a server, calls take connections
 * of the pool.
 */
export class TypeOrmSessionBackend extends SessionBackend {
  private readonly checkRegistered: () => void;
  private readonly statements: SessionStatements;
  private readonly database: SqlConnection;
  private readonly signIns: SignInQueue;
  /** `null` where several connections look rows up at the same time. */
  private readonly lookups: SharedLookup | null;

  /**
   * @param dataSource one that somebody else opens and closes, or options: then a pool of its own is opened when it is
   *   first needed, and closed by `close()`; what the options say of entities, migrations and tables is left aside
   * @throws SessionOptionsError for a driver that is not supported, or a bad `tableName`
   */
  constructor(dataSource: DataSource | DataSourceOptions, options: TypeOrmSessionBackendOptions) {
    super();
    checkTableName(options.tableName);
    this.checkRegistered = () => checkRegistered(dataSource, options.tableName);
    const dialect = dialectOf(optionsOf(dataSource));
    const connection = isDataSource(dataSource) ? dataSource.options : checkedOptions(dataSource);
    this.statements = sessionStatements(tablePath(connection, options.tableName), dialect.syntax);
    this.database = dialect.connect(dataSource, options);
    const { findPacked } = this.statements;
    this.lookups = findPacked === null ? null : new SharedLookup(this.database, findPacked, options.timeout);
    const alone = (request: InsertRequest, since: number) => this.insertAlone(request, since);
    this.signIns = new SignInQueue(this.database, this.statements, alone, options.timeout);
  }

  /**
   * @throws SessionOptionsError when the table is missing and may not be created, or has other columns, or when the app
   *   has registered the entity of another table
   */
  async init(): Promise<void> {
    this.checkRegistered();
    return this.database.init();
  }

  close(): Promise<void> {
    return this.database.close();
  }

  async find(ids: readonly string[]): Promise<ReadonlyArray<SessionRow | null>> {
    if (ids.length === 0) return [];
    const found = await (this.lookups === null ? this.findAlone(ids) : this.lookups.find(ids));
    return ids.map((id) => found.get(id) ?? null);
  }

  insert(request: InsertRequest): Promise<InsertResult> {
    const { userId, limit, replaces } = request;
    const mayShare = this.statements.areRowsKept && limit?.onLimit === 'evict' && replaces === null;
    return mayShare && userId !== null ? this.signIns.insert(userId, request) : this.insertAlone(request);
  }

  async save(changes: readonly PayloadChange[]): Promise<readonly boolean[]> {
    const { save, saveMany } = this.statements;
    const hits = await updateRows(this.database, saveMany, changes, saveValues);
    if (hits !== null) return hits;
    return this.each(changes, async (sql, change) => {
      const { lastActiveAt, expiresAt, version, keyId, payload, id, expectedVersion, now } = change;
      const values = [lastActiveAt, expiresAt, version, keyId, payload, id, expectedVersion, now, now];
      return (await sql.run(save, values)) > 0;
    });
  }

  async touch(touches: readonly Touch[]): Promise<readonly boolean[]> {
    const { touch, touchMany } = this.statements;
    const hits = await updateRows(this.database, touchMany, touches, touchValues);
    if (hits !== null) return hits;
    return this.each(touches, async (sql, { lastActiveAt, expiresAt, id, now, unlessActiveAfter }) => {
      const latest = unlessActiveAfter ?? Number.MAX_SAFE_INTEGER;
      return (await sql.run(touch, [lastActiveAt, expiresAt, id, now, now, latest])) > 0;
    });
  }

  async changeToken({ id, expected, next, authenticatedAt, now }: TokenChange): Promise<boolean> {
    const { tokenHash, supersededHash, tokenIssuedAt, graceUntil, tokenUsed } = next;
    const { tokenGeneration, replacedTokens } = next;
    const token = [
      tokenHash,
      supersededHash,
      tokenIssuedAt,
      graceUntil,
      tokenUsed,
      tokenGeneration,
      replacedTokens,
    ];
    const values = [...token, authenticatedAt ?? null, id, now, now, expected.tokenUsed];
    const hash = expected.tokenHash === null ? [] : [expected.tokenHash];
    const statement = this.statements.changeToken(hash.length > 0);
    return this.database.write(async (sql) => (await sql.run(statement, [...values, ...hash])) > 0);
  }

  async delete(selection: RowSelection): Promise<readonly EndedRow[]> {
    const parts = selectionOf(selection);
    const [first, ...others] = parts;
    if (first === undefined) return [];
    const isStatement = others.length === 0 && isOneStatement(this.statements, first);
    const work = (sql: SqlRunner) =>
      selection === 'all' && this.statements.areRowsKept
        ? deleteEvery(sql, this.statements)
        : deleteRows(sql, this.statements, parts);
    if (isStatement && isByIds(selection)) return this.database.write(work, ({ length }) => length > 0);
    // All rows of one user while that user signs in: one after the other, or they would lock rows in two orders.
    const userId = selection === 'all' || isByIds(selection) ? null : selection.userId;
    return this.database.transaction(work, { userId, commitIf: () => true });
  }

  async list({ userId, now, orderBy, limit }: ListRequest): Promise<readonly SessionRow[]> {
    const column = orderBy === 'createdAt' ? 'created_at' : 'last_active_at';
    const values = [userId, now, now, ...(limit === null ? [] : [limit])];
    const statement = this.statements.list(column, limit !== null);
    return (await this.database.read((sql) => sql.all(statement, values))).map(rowOf);
  }

  prune(step: PruneStep): Promise<PruneResult> {
    return pruneStep(this.database, this.statements, step);
  }

  async countByKey(now: EpochMs, newest?: number): Promise<ReadonlyMap<string, number>> {
    const { countByKey, countNewestByKey } = this.statements;
    const rows = await this.database.read((sql) =>
      newest === undefined ? sql.all(countByKey, [now, now]) : sql.all(countNewestByKey, [newest, now, now]),
    );
    return new Map(rows.map((row) => [String(row.key_id), Number(row.total)]));
  }

  private findAlone(ids: readonly string[]): Promise<ReadonlyMap<string, SessionRow>> {
    return this.database.read(async (sql) => {
      const rows = new Map<string, SessionRow>();
      for (const chunk of chunked(ids)) {
        for (const raw of await sql.all(this.statements.find(chunk.length), chunk)) {
          const row = rowOf(raw);
          rows.set(row.id, row);
        }
      }
      return rows;
    });
  }

  private insertAlone(request: InsertRequest, since?: number): Promise<InsertResult> {
    // A row that takes the place of another would be missed by a deletion of all the user's rows that waits for that one.
    const isAlone = request.limit === null && request.replaces === null;
    return this.database.transaction((sql) => insertSession(sql, this.statements, request), {
      userId: isAlone ? null : request.userId,
      commitIf: ({ status }) => status === 'inserted',
      since,
    });
  }

  /** One change is one statement; several share a transaction, each with an outcome of its own. */
  private async each<T extends { readonly id: string }>(
    changes: readonly T[],
    apply: (sql: SqlRunner, change: T) => Promise<boolean>,
  ): Promise<readonly boolean[]> {
    const [first, ...others] = changes;
    if (first === undefined) return [];
    if (others.length === 0) {
      return [
        await this.database.write(
          (sql) => apply(sql, first),
          (hit) => hit,
        ),
      ];
    }
    // In one order everywhere, so that two of these never wait for each other in a circle.
    const order = changes.map((change, index) => ({ change, index }));
    order.sort((a, b) => (a.change.id < b.change.id ? -1 : 1));
    return this.database.transaction(async (sql) => {
      const hits = changes.map(() => false);
      for (const { change, index } of order) hits[index] = await apply(sql, change);
      return hits;
    });
  }
}
