import type { DataSource, QueryRunner } from 'typeorm';
import { SessionOptionsError } from '../../../core/session-errors.js';
import { performance } from '../../../core/timers.js';
import type { Deadline } from '../deadline.js';
import { READ_ONLY, stateIn, stateStatement } from '../sql/server-state.js';
import type { SqlRow, SqlRunner, SqlValue } from '../sql-connection.js';
import { handleErrorsOf } from './connection-errors.js';
import { DatabaseFailure } from './database-failure.js';
import type { DriverStatement, PoolDialect, PoolResult, TransactionControl } from './pool-dialect.js';
import { type PoolTrust, trustOf } from './pool-trust.js';
import { QueryLogger } from './query-logger.js';
import type { StatementNames } from './statement-names.js';

/**
 * One connection of the pool for one attempt of a call, never one that the app holds. No statement starts after the
 * deadline, so a transaction that is late is not committed.
 */
export class PooledRunner implements SqlRunner, TransactionControl {
  /** Whether a transaction is open, or may be: such a connection does not go back to the pool. */
  isInTransaction = false;
  /** Whether a statement that succeeds has changed something for good. */
  isCommitting: boolean;
  readonly mayBeDone: boolean;
  readonly #dataSource: DataSource;
  readonly #dialect: PoolDialect;
  readonly #deadline: Deadline;
  readonly #trust: PoolTrust;
  readonly #logger: QueryLogger;
  readonly #names: StatementNames;
  readonly #noteForeign: () => void;
  #runner: QueryRunner;
  #connection: unknown = null;
  /** What leaves with the next statement. */
  #first: readonly string[] = [];
  #underWay = 0;
  /** When the last statement was sent and when the last answer came, on the clock of `performance.now()`. */
  #sentAt = 0;
  #heardAt = 0;
  /** Whether the last answer said that the server takes writes. */
  #isWritable = false;
  #isToDiscard = false;
  /** Whether the server may go on with a statement that the driver has given up. */
  #isUnawaited = false;
  #isReleased = false;

  constructor(
    dataSource: DataSource,
    dialect: PoolDialect,
    { deadline, names, isCommitting, mayBeDone, noteForeign }: Attempt,
  ) {
    this.#dataSource = dataSource;
    this.#dialect = dialect;
    this.#names = names;
    this.#deadline = deadline;
    this.isCommitting = isCommitting;
    this.mayBeDone = mayBeDone;
    this.#noteForeign = noteForeign;
    this.#runner = dataSource.createQueryRunner('master');
    this.#trust = trustOf(dataSource);
    deadline.onRefusal = () => {
      if (this.#underWay > 0) this.#trust.noteSilence(this.#sentAt);
    };
    this.#logger = new QueryLogger(dataSource, () => this.#runner);
  }

  /** Waits for a connection. One that comes after `release()` goes straight back. */
  async connect(): Promise<void> {
    this.#deadline.stage = 'no connection of the pool became free';
    let connection = await this.#take();
    while (!this.#isFit(connection) && !this.#isReleased) {
      this.#dialect.discard(connection);
      await this.#runner.release();
      this.#runner = this.#dataSource.createQueryRunner('master');
      connection = await this.#take();
    }
    this.#deadline.stage = 'the statement under way has not ended';
    if (this.#isReleased) await this.#runner.release();
    else this.#connection = connection;
  }

  /** Whether a connection that has been idle can be used. One that the app gave back in a transaction is ended, and that with it. */
  #isFit(connection: unknown): boolean {
    if (this.#trust.isDoubtful(connection)) return false;
    if (!this.#dialect.isInTransaction(connection)) return true;
    this.#noteForeign();
    return false;
  }

  async #take(): Promise<unknown> {
    const connection: unknown = await this.#runner.connect().catch((error: unknown) => {
      throw DatabaseFailure.of(error);
    });
    handleErrorsOf(connection);
    return connection;
  }

  async all(sql: string, values: readonly SqlValue[]): Promise<readonly SqlRow[]> {
    return (await this.#query(sql, values)).records;
  }

  async run(sql: string, values: readonly SqlValue[]): Promise<number> {
    try {
      return (await this.#query(sql, values)).affected;
    } catch (error) {
      if (error instanceof DatabaseFailure && error.code === this.#dialect.duplicateKeyCode) return 0;
      throw error;
    }
  }

  async runAndCommit(sql: string, values: readonly SqlValue[]): Promise<number> {
    if (!this.isInTransaction || !this.#dialect.commitsByStatement) return this.run(sql, values);
    this.isCommitting = true;
    const { affected } = await this.#deadline.execute(() => this.#query(sql, values, COMMIT));
    this.isInTransaction = false;
    return affected;
  }

  async execute(sql: string): Promise<readonly SqlRow[]> {
    return (await this.#send(sql, [])).records;
  }

  executeWithNext(statements: readonly string[]): void {
    this.#first = statements;
  }

  async executeEnding(sql: string): Promise<void> {
    const isUnsent = this.#first.length > 0;
    this.#first = [];
    if (isUnsent) return;
    if (this.#isUnawaited) throw new DatabaseFailure('', GIVEN_UP); // it would wait behind that statement
    await this.#deadline.execute(() => this.execute(sql));
  }

  /**
   * Makes sure that what has been read comes from a server that takes writes. It asks only where the last answer did not say so.
   *
   * @throws DatabaseFailure when it takes none: its rows may be those of yesterday
   */
  async expectWritable(): Promise<void> {
    const { isReadOnly } = this.#dialect.syntax;
    if (!this.#isWritable && isReadOnly !== null) await this.execute(stateStatement(isReadOnly));
  }

  discardAfterUse(): void {
    this.#isToDiscard = true;
  }

  /** TypeORM's own work on the connection, which may go to the app's log. */
  async withQueryRunner<T>(work: (runner: QueryRunner) => Promise<T>): Promise<T> {
    const last = this.#first.at(-1);
    this.#first = this.#first.slice(0, -1);
    if (last !== undefined) await this.execute(last);
    return this.#use(() => work(this.#runner));
  }

  /** Gives the connection back, or ends it when it is not fit for the next one. */
  async release(): Promise<void> {
    if (this.#isReleased) return;
    this.#isReleased = true;
    const connection = this.#connection;
    if (connection === null) return; // still to come, or never
    if (this.#heardAt > 0) this.#trust.noteAnswer(connection, this.#heardAt);
    if (this.#underWay > 0 || this.#isUnawaited)
      void this.#cancel(connection); // for which nobody waits
    else {
      if (this.isInTransaction || this.#isToDiscard) this.#dialect.discard(connection);
      await this.#runner.release();
    }
  }

  async #cancel(connection: unknown): Promise<void> {
    await this.#dialect.cancelStatement(connection, this.#dataSource);
    this.#dialect.discard(connection);
    await this.#runner.release();
  }

  #query(
    sql: string,
    values: readonly SqlValue[],
    after: readonly DriverStatement[] = [],
  ): Promise<PoolResult> {
    const bound = values.map((value) => this.#dialect.driverValue(value));
    return this.#send(this.#dialect.driverSql(sql), bound, after);
  }

  /** @param after what leaves with it, behind it */
  #send(sql: string, bound: readonly unknown[], after: readonly DriverStatement[] = []): Promise<PoolResult> {
    const named = this.#names.named(sql, bound);
    const { text, name } = named ?? { text: sql, name: null };
    return this.#use(async () => {
      const before = this.#first.map(plain);
      this.#first = [];
      const statements = [...before, { text, values: bound, name }, ...after];
      const shown = [...before.map(textOf), sql, ...after.map(textOf)].join('; ');
      const execute = () => this.#dialect.query(this.#connection, statements);
      const results = await this.#logger.log(shown, bound, execute).catch((error: unknown) => {
        if (named) this.#names.noteFailure(DatabaseFailure.of(error), sql, named);
        throw error;
      });
      // What has been done in it goes with it, when the connection ends.
      if (!this.isInTransaction && results.some(({ isInTransaction }) => isInTransaction))
        throw new DatabaseFailure(this.#dialect.foreignTransactionCodes[0], FOREIGN);
      const states = results.map(({ records }) => stateIn(records));
      this.#isWritable = states.includes('writable');
      if (states.includes('read-only')) throw new DatabaseFailure(this.#dialect.readOnlyCodes[0], READ_ONLY);
      return results[before.length] ?? NOTHING;
    });
  }

  async #use<T>(work: () => Promise<T>): Promise<T> {
    this.#deadline.check();
    if (this.#isReleased) throw new DatabaseFailure('', GIVEN_UP);
    this.#underWay++;
    this.#sentAt = performance.now();
    try {
      const result = await work();
      this.#heardAt = performance.now();
      return result;
    } catch (error) {
      if (error instanceof SessionOptionsError) throw error;
      const failure = DatabaseFailure.of(error, this.isCommitting);
      const { connectionLostCodes, readOnlyCodes, foreignTransactionCodes } = this.#dialect;
      if (failure.isUnawaited) this.#isUnawaited = true;
      if (failure.isConnectionLost(connectionLostCodes)) this.discardAfterUse();
      else this.#heardAt = performance.now();
      if (readOnlyCodes.includes(failure.code) && this.#trust.noteReadOnly(this.#connection))
        this.discardAfterUse();
      if (foreignTransactionCodes.includes(failure.code)) {
        this.#noteForeign();
        this.discardAfterUse();
      }
      throw failure;
    } finally {
      this.#underWay--;
    }
  }
}

/** A statement that binds nothing. */
const plain = (text: string): DriverStatement => ({ text, values: [], name: null });
const textOf = ({ text }: DriverStatement): string => text;

const COMMIT = [plain('COMMIT')];
const NOTHING: PoolResult = { records: [], affected: 0, isInTransaction: false };
const GIVEN_UP = 'the call has been given up';
const FOREIGN = 'the connection came from the pool in a transaction, or commits nothing by itself';

/** What a runner knows of the attempt that it is made for. */
interface Attempt {
  readonly deadline: Deadline;
  readonly names: StatementNames;
  /** Whether a statement that succeeds has changed something for good. */
  readonly isCommitting: boolean;
  /** Whether an attempt before may have been committed. */
  readonly mayBeDone: boolean;
  /** A connection came from the pool in a transaction of somebody else's, and is ended. */
  readonly noteForeign: () => void;
}
