import type { Deadline } from '../deadline.js';
import type { Mutex } from '../../../core/mutex.js';
import type { SqlRunner } from '../sql-connection.js';
import { SqliteRunner } from './sqlite-runner.js';
import { SqliteFailure } from './sqlite-failure.js';
import type { PreparedStatements } from './prepared-statements.js';
import { setImmediate } from '../../../core/timers.js';

/**
 * Writes that wait for the connection share one durable transaction: what a commit costs, it costs once. Each caller
 * is told its own outcome, after the commit. A write that fails, or is late, takes back only itself; when the
 * transaction fails, each write gets one of its own.
 */
export class GroupCommit {
  readonly #target: WriteTarget;
  #waiting: WaitingWrite[] = [];

  constructor(target: WriteTarget) {
    this.#target = target;
  }

  add<T>(write: Write<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({
        deadline: write.deadline,
        isAtomic: write.isAtomic,
        work: (sql) => write.work(sql),
        resolve: (result) => resolve(result as T),
        reject,
        commits: (result) => write.commits(result as T),
      });
      if (this.#waiting.length === 1) this.#schedule();
    });
  }

  /** Requests of one turn come one by one: the first waits for the others, also where the connection is free. */
  #schedule(): void {
    setImmediate(() => void this.#target.mutex.run(() => this.#commitWaiting()));
  }

  #commitWaiting(): Promise<void> {
    const writes = this.#waiting.splice(0, LARGEST_BATCH);
    if (this.#waiting.length > 0) this.#schedule();
    return this.#commit(writes);
  }

  async #commit(writes: readonly WaitingWrite[]): Promise<void> {
    const [only] = writes;
    try {
      await this.#target.use((statements) =>
        writes.length === 1 && only
          ? this.#commitAlone(statements, only)
          : this.#commitTogether(statements, writes),
      );
    } catch (error) {
      const isFinal = writes.length === 1 || (error instanceof SqliteFailure && error.isBusy);
      for (const write of writes) {
        if (isFinal) write.reject(error);
        else void this.#target.mutex.run(() => this.#commit([write]));
      }
    }
  }

  async #commitAlone(statements: PreparedStatements, write: WaitingWrite): Promise<void> {
    const runner = new SqliteRunner(statements, write.deadline);
    if (!write.isAtomic) {
      write.resolve(await write.work(runner));
      return;
    }
    await this.#inTransaction(statements, async () => {
      const result = await write.work(runner);
      await runner.run(write.commits(result) ? 'COMMIT' : 'ROLLBACK', []);
      write.resolve(result);
    });
  }

  async #commitTogether(statements: PreparedStatements, writes: readonly WaitingWrite[]): Promise<void> {
    const told: (() => void)[] = [];
    const underWay = new Map<Deadline, () => void>();
    await this.#inTransaction(statements, async () => {
      try {
        for (const write of writes) {
          // Under way until the commit: its deadline waits for that, as far as it can.
          if (write.deadline.left > 0) underWay.set(write.deadline, write.deadline.begin());
          told.push(await outcomeOf(statements, write));
        }
        if ([...underWay.keys()].some(({ isRefused }) => isRefused)) {
          throw new SqliteFailure('', 'a caller has been refused meanwhile');
        }
        await execute(statements, 'COMMIT');
      } finally {
        for (const end of underWay.values()) end();
      }
    });
    for (const tell of told) tell();
  }

  /** Immediate: a lock that cannot be had is noticed here, before anything is done. */
  async #inTransaction(statements: PreparedStatements, work: () => Promise<void>): Promise<void> {
    await execute(statements, 'BEGIN IMMEDIATE');
    try {
      await work();
    } catch (error) {
      if (!(await rollBack(statements))) await this.#target.giveUp(SqliteFailure.of(error));
      throw error;
    }
  }
}

/** Writes that share a commit at most. */
const LARGEST_BATCH = 200;

/** What one caller wants written. */
export interface Write<T> {
  readonly deadline: Deadline;
  /** Whether all of it is one step. Otherwise each of its statements is one. */
  readonly isAtomic: boolean;
  work(sql: SqlRunner): Promise<T>;
  /** Whether a result is to be committed. */
  commits(result: T): boolean;
}

interface WaitingWrite extends Write<unknown> {
  resolve(result: unknown): void;
  reject(error: unknown): void;
}

/** The connection that writes go to. */
export interface WriteTarget {
  readonly mutex: Mutex;
  /** Runs work on the open connection. @throws SqliteFailure */
  use(work: (statements: PreparedStatements) => Promise<void>): Promise<void>;
  /** Nobody knows whether a transaction is still open. */
  giveUp(failure: SqliteFailure): Promise<void>;
}

/** Runs a write inside a transaction, and takes it back if it fails. Gives the way to tell what came of it. */
async function outcomeOf(statements: PreparedStatements, write: WaitingWrite): Promise<() => void> {
  const runner = new SqliteRunner(statements, write.deadline);
  if (write.isAtomic) await execute(statements, 'SAVEPOINT one_write');
  try {
    const result = await write.work(runner);
    if (write.isAtomic) await leave(statements, write.commits(result));
    return () => write.resolve(result);
  } catch (error) {
    if (error instanceof SqliteFailure && !error.isOfStatement) throw error;
    if (write.isAtomic) await leave(statements, false);
    return () => write.reject(error);
  }
}

async function leave(statements: PreparedStatements, isKept: boolean): Promise<void> {
  if (!isKept) await execute(statements, 'ROLLBACK TO one_write');
  await execute(statements, 'RELEASE one_write');
}

async function execute(statements: PreparedStatements, sql: string): Promise<void> {
  try {
    await statements.run(sql, []);
  } catch (error) {
    throw SqliteFailure.of(error);
  }
}

/** `false`: nobody knows whether a transaction is still open. */
async function rollBack(statements: PreparedStatements): Promise<boolean> {
  try {
    await execute(statements, 'ROLLBACK');
    return true;
  } catch (error) {
    return SqliteFailure.of(error).isRolledBack;
  }
}
