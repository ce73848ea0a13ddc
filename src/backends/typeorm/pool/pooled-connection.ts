import { createHash } from 'node:crypto';
import type { DataSource, Table } from 'typeorm';
import type { BackendHealth } from '../../../core/session-backend.js';
import type { SessionBus } from '../../../core/session-bus.js';
import { SessionOptionsError } from '../../../core/session-errors.js';
import { Deadline, DeadlineError } from '../deadline.js';
import { KeyedMutex } from '../../../core/mutex.js';
import {
  createSessionTable,
  refuseToCreate,
  sessionTable,
  type TableStatus,
  tableStatus,
  UPGRADE_NOTICE,
  upgradeSessionTable,
} from '../schema/session-table.js';
import { tablePath } from '../schema/table-name.js';
import type { SqlDialect } from '../sql-dialect.js';
import type { SqlConnection, SqlRunner, TransactionOptions } from '../sql-connection.js';
import type { TypeOrmSessionBackendOptions } from '../typeorm-session-backend-options.js';
import { readClock } from './database-clock.js';
import { DatabaseFailure } from './database-failure.js';
import type { LockKey, PoolDialect, ServerVariant } from './pool-dialect.js';
import { RetryPolicy } from './retry-policy.js';
import { PooledRunner } from './pooled-runner.js';
import { databaseName, type PoolSource, poolSourceOf } from './pool-source.js';
import { StatementNames } from './statement-names.js';
import { sleep } from '../../../core/timers.js';

/**
 * A database server: each call takes a connection of its own from the pool, so that it never joins a transaction of
 * the app, and gives it back or, when the time is up while a statement hangs, ends it.
 */
export class PooledConnection implements SqlConnection {
  readonly #name: string;
  readonly #perUser = new KeyedMutex();
  readonly #underWay = new Set<Promise<unknown>>();
  #table: Promise<Table> | null = null;
  #restoring: Promise<void> | null = null;
  #isClosed = false;
  readonly #source: PoolSource;
  readonly #dialect: PoolDialect;
  /** The dialect for this very server: what makes the table ready, and finds out, does without it. */
  #fitted: PoolDialect;
  #isVariantTold = false;
  #isForeignTold = false;
  readonly #options: TypeOrmSessionBackendOptions;
  readonly #names: StatementNames;

  constructor(source: PoolSource, dialect: PoolDialect, options: TypeOrmSessionBackendOptions) {
    this.#source = source;
    this.#dialect = dialect;
    this.#fitted = dialect;
    this.#options = options;
    this.#name = `Sessions in ${dialect.label} database ${databaseName(source.options)}`;
    const { preparedStatements = source.isOwn, logger } = options;
    this.#names = new StatementNames(dialect, preparedStatements, (message) =>
      logger?.warn(`${this.#name}: ${message}`),
    );
  }

  async init(): Promise<void> {
    await this.#prepare();
  }

  bus(): SessionBus | null {
    const { tableName, timeout, logger } = this.#options;
    const source = this.#source;
    return (
      this.#dialect.bus?.({
        name: this.#name,
        table: tablePath(source.options, tableName),
        open: () => source.open(),
        execute: (sql, values) => this.read((runner) => runner.all(sql, values)),
        timeout,
        logger,
      }) ?? null
    );
  }

  read<T>(work: (sql: SqlRunner) => Promise<T>): Promise<T> {
    const attempt = async (runner: PooledRunner): Promise<T> => {
      const result = await work(runner);
      await runner.expectWritable();
      return result;
    };
    return this.#perform(null, { attempt });
  }

  write<T>(work: (sql: SqlRunner) => Promise<T>, hasHit?: (result: T) => boolean): Promise<T> {
    return this.#perform(null, { attempt: work, isWrite: true, hasHit });
  }

  transaction<T>(work: (sql: SqlRunner) => Promise<T>, options?: TransactionOptions<T>): Promise<T> {
    const userId = options?.userId ?? null;
    return this.#inTransaction(userId === null ? null : this.#lockKey(`user ${userId}`), work, options);
  }

  async health(): Promise<BackendHealth> {
    const now = await this.read((sql) => readClock(sql, this.#dialect.clock));
    return { problems: [], warnings: [], now };
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.allSettled(this.#underWay);
    await this.#source.close();
  }

  /** Creates the table if it is absent and may be created, otherwise checks it. Whether it has been created here. */
  async #prepare(): Promise<boolean> {
    this.#table ??= sessionTable(this.#source.options, this.#options.tableName);
    const table = await this.#table;
    const look = async (runner: PooledRunner): Promise<TableStatus> => {
      this.#fitTo(await runner.withQueryRunner((typeorm) => this.#dialect.checkServer(typeorm)));
      return runner.withQueryRunner((typeorm) => tableStatus(typeorm, table));
    };
    const status = await this.#perform(null, { attempt: look, isPreparation: true });
    if (status === 'ready') return false;
    if (!this.#options.createTable) refuseToCreate(table, status);
    const create = (runner: PooledRunner): Promise<boolean> =>
      runner.withQueryRunner(async (typeorm) => {
        const now = await tableStatus(typeorm, table);
        if (now === 'absent') await createSessionTable(typeorm, table, this.#dialect);
        if (now === 'earlier') {
          await upgradeSessionTable(typeorm, table);
          this.#options.logger?.warn(`${this.#name}: ${UPGRADE_NOTICE}`);
        }
        return now === 'absent';
      });
    return this.#inTransaction(this.#lockKey('table'), create, { isPreparation: true });
  }

  #fitTo(variant: ServerVariant | null): void {
    const { quoteIdentifier } = this.#dialect.syntax;
    const table = tablePath(this.#source.options, this.#options.tableName).map(quoteIdentifier).join('.');
    this.#fitted = variant?.fit(table) ?? this.#dialect;
    if (variant === null || this.#isVariantTold) return;
    this.#isVariantTold = true;
    this.#options.logger?.warn(`${this.#name}: ${variant.notice}`);
  }

  #dialectOf({ isPreparation = false }: Pick<Call<unknown>, 'isPreparation'>): PoolDialect {
    return isPreparation ? this.#dialect : this.#fitted;
  }

  /** The table has gone, or is another one: creates it again, once for all calls that have noticed. */
  #restore(): Promise<void> {
    this.#restoring ??= this.#recreate().finally(() => (this.#restoring = null));
    return this.#restoring;
  }

  async #recreate(): Promise<void> {
    try {
      if (!(await this.#prepare())) return;
    } catch (error) {
      // At startup it is an option that is wrong; later, somebody has changed the database.
      throw error instanceof SessionOptionsError ? new Error(`${this.#name}: ${error.message}`) : error;
    }
    const { logger, tableName } = this.#options;
    logger?.warn(`${this.#name}: the table '${tableName}' was missing, and has been created again`);
  }

  #inTransaction<T>(
    lock: LockKey | null,
    work: (runner: PooledRunner) => Promise<T>,
    {
      commitIf = () => true,
      since,
      isPreparation,
      hasHit,
    }: Partial<TransactionOptions<T>> & Pick<Call<T>, 'isPreparation'> = {},
  ): Promise<T> {
    const attempt = async (runner: PooledRunner, deadline: Deadline): Promise<T> => {
      const dialect = this.#dialectOf({ isPreparation });
      runner.isInTransaction = true;
      try {
        await dialect.begin(runner, lock, deadline.left);
        const result = await work(runner);
        if (!runner.isInTransaction) return result; // committed with its last statement
        const ending = commitIf(result) ? 'COMMIT' : 'ROLLBACK';
        runner.isCommitting = ending === 'COMMIT';
        await dialect.end(runner, ending, lock);
        runner.isInTransaction = false;
        return result;
      } catch (error) {
        await dialect.end(runner, 'ROLLBACK', lock).then(
          () => (runner.isInTransaction = false),
          () => undefined, // so the connection will be ended, and the transaction with it
        );
        throw error;
      }
    };
    return this.#perform(lock, { attempt, isPreparation, hasHit }, since);
  }

  /**
   * Makes attempts until one is not refused for others' sake, or the time is up. Those with the same lock wait for each
   * other here, so that they do not do so in all the connections of the pool.
   */
  async #perform<T>(lock: LockKey | null, what: Omit<Call<T>, 'deadline'>, since?: number): Promise<T> {
    const deadline = new Deadline(this.#options.timeout, since);
    if (lock !== null) deadline.stage = 'others with the same lock have not ended';
    const attempts = () => deadline.limit(this.#attempts({ ...what, deadline }));
    const call = lock === null ? attempts() : this.#perUser.run(lock.toString('base64'), attempts);
    this.#underWay.add(call);
    try {
      return await deadline.limit(call);
    } catch (error) {
      throw this.#withName(error);
    } finally {
      this.#underWay.delete(call);
    }
  }

  async #attempts<T>(call: Call<T>): Promise<T> {
    const { deadline } = call;
    const policy = new RetryPolicy(this.#dialect, !call.isPreparation);
    for (let count = 1; ; count++) {
      deadline.check();
      if (this.#isClosed) throw new DatabaseFailure('', 'the backend is closed');
      let result: T;
      try {
        const mayBeDone = policy.unknownOutcome !== null;
        deadline.stage = 'the pool has not been opened';
        result = await this.#attemptOnce(call, await this.#source.open(), mayBeDone);
      } catch (error) {
        if (!(error instanceof DatabaseFailure)) throw error;
        const next = policy.after(error, call.hasHit !== undefined);
        if (next === 'give-up') throw error;
        if (next === 'restore-table') await this.#restore();
        deadline.lastFailure = error;
        const pause = (next === 'retry-later' ? LONG_BACKOFF : BACKOFF) * count * (0.5 + Math.random());
        if (deadline.left <= pause) throw deadline.error();
        await sleep(pause);
        continue;
      }
      if (policy.unknownOutcome === null || call.hasHit?.(result) === true) return result;
      throw policy.unknownOutcome; // nobody knows: the attempt before may have done it
    }
  }

  async #attemptOnce<T>(call: Call<T>, dataSource: DataSource, mayBeDone: boolean): Promise<T> {
    const { deadline } = call;
    const runner = new PooledRunner(dataSource, this.#dialectOf(call), {
      deadline,
      names: this.#names,
      isCommitting: call.isWrite ?? false,
      mayBeDone,
      noteForeign: () => this.#noteForeign(),
    });
    try {
      return await deadline.limit(runner.connect().then(() => call.attempt(runner, deadline)));
    } finally {
      await runner.release();
    }
  }

  #noteForeign(): void {
    if (this.#isForeignTold) return;
    this.#isForeignTold = true;
    this.#options.logger?.warn(
      `${this.#name}: the app gave a connection back to the pool with a transaction open. It is ended, and what was done in it is ` +
        'rolled back, since a sign-out that is written in it would be too. COMMIT or ROLLBACK before a query runner is released',
    );
  }

  #lockKey(what: string): LockKey {
    return createHash('sha256').update(`nest-sessions\0${this.#options.tableName}\0${what}`).digest();
  }

  #withName(error: unknown): unknown {
    if (!(error instanceof DatabaseFailure || error instanceof DeadlineError)) return error;
    return new Error(`${this.#name}: ${error.message}`, { cause: error });
  }
}

/** Milliseconds before the next attempt, times the number of attempts so far, give or take half. */
const BACKOFF = 4;
/** The same where each attempt costs the server a connection that it does not have. */
const LONG_BACKOFF = 50;

/** A database server as the backend sees it, behind a pool of connections. */
export function pooledDialect(dialect: PoolDialect): SqlDialect {
  const { drivers, syntax, afterCreateTable } = dialect;
  return {
    drivers,
    syntax,
    afterCreateTable,
    connect: (dataSource, options) =>
      new PooledConnection(
        poolSourceOf(dataSource, options.timeout, (connection) => dialect.discard(connection)),
        dialect,
        options,
      ),
  };
}

/** What one call wants done, however many attempts it takes. */
interface Call<T> {
  readonly deadline: Deadline;
  attempt(runner: PooledRunner, deadline: Deadline): Promise<T>;
  /** Whether each statement that succeeds has changed something for good. */
  readonly isWrite?: boolean;
  /** Whether it makes the table ready, rather than needs it. */
  readonly isPreparation?: boolean;
  /**
   * Whether a result holds also when the connection of an attempt before was lost before the answer came, so that nobody knows
   * what it has done. Absent: none does, so that such a call is not tried again.
   */
  readonly hasHit?: (result: T) => boolean;
}
