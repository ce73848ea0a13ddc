import type { InsertRequest, InsertResult } from '../../../core/session-backend.js';
import { performance } from '../../../core/timers.js';
import type { SqlConnection, SqlRunner } from '../sql-connection.js';
import { insertRow, type InsertStatements, storedOf } from './insert.js';
import { type InsertedTogether, insertTogether } from './insert-batch.js';

/**
 * The inserts of a backend. Those that keep the limit of one user would wait for each other anyway, so that all that come
 * while one is under way share the next transaction: one look at the user's rows, one commit. Others have one each.
 */
export class InsertQueue {
  readonly #pending = new Map<string, Pending[]>();
  readonly #connection: SqlConnection;
  readonly #statements: InsertStatements;
  readonly #timeout: number;

  /** @param timeout milliseconds that one call may take */
  constructor(connection: SqlConnection, statements: InsertStatements, timeout: number) {
    this.#connection = connection;
    this.#statements = statements;
    this.#timeout = timeout;
  }

  /** `SessionBackend.insert`. */
  insert(request: InsertRequest): Promise<InsertResult> {
    const { userId, limit, replaces } = request;
    const mayShare = this.#statements.locksRows && limit?.onLimit === 'evict' && replaces === null;
    if (!mayShare || userId === null) return insertRow(this.#connection, this.#statements, request);
    return new Promise((resolve, reject) => {
      const pending = { request, since: performance.now(), resolve, reject };
      const queue = this.#pending.get(userId);
      if (queue) queue.push(pending);
      else {
        this.#pending.set(userId, []);
        void this.#drain(userId, [pending]);
      }
    });
  }

  async #drain(userId: string, first: readonly Pending[]): Promise<void> {
    const next = (): Pending[] => this.#pending.get(userId)?.splice(0, LARGEST_BATCH) ?? [];
    for (let batch = first; batch.length > 0; batch = next()) {
      // Whoever has waited for long must not take the others' time away.
      const overdue = performance.now() - this.#timeout / 2;
      const timely = batch.filter(({ since }) => since >= overdue);
      await Promise.all(batch.filter(({ since }) => since < overdue).map((each) => this.#insertOne(each)));
      if (timely.length > 1) await this.#insertSeveral(userId, timely);
      else await Promise.all(timely.map((each) => this.#insertOne(each)));
    }
    this.#pending.delete(userId);
  }

  #insertOne({ request, since, resolve, reject }: Pending): Promise<void> {
    return insertRow(this.#connection, this.#statements, request, since).then(resolve, reject);
  }

  async #insertSeveral(userId: string, batch: readonly Pending[]): Promise<void> {
    try {
      const requests = batch.map(({ request }) => request);
      let attempted: InsertedTogether | null = null;
      const work = async (sql: SqlRunner): Promise<InsertedTogether | null> => {
        // Some of them may have ended since they were stored, but hardly all.
        const rows = sql.mayBeDone ? (attempted?.rows ?? []) : [];
        if ((await storedOf(sql, this.#statements, rows)) !== null) return attempted;
        attempted = await insertTogether(sql, this.#statements, userId, requests);
        return attempted;
      };
      const done = await this.#connection.transaction(work, {
        userId,
        commitIf: (result) => result !== null,
        hasHit: () => true,
        since: batch[0]?.since,
      });
      if (done === null) for (const each of batch) await this.#insertOne(each);
      else done.outcomes.forEach((outcome, index) => outcome(batch[index] as Pending));
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  }
}

/** Inserts that one transaction takes at most. */
const LARGEST_BATCH = 50;

/** An insert that waits. */
interface Pending {
  readonly request: InsertRequest;
  /** When it came, on the clock of `performance.now()`. */
  readonly since: number;
  readonly resolve: (result: InsertResult) => void;
  readonly reject: (error: unknown) => void;
}
