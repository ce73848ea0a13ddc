import type { InsertRequest, InsertResult } from '../../../core/session-backend.js';
import { insertTogether } from './insert-batch.js';
import type { SessionStatements } from './session-statements.js';
import type { SqlConnection } from '../sql-dialect.js';
import { performance } from '../../../core/timers.js';

/** Sign-ins that one transaction takes at most. */
const MOST = 50;

interface Pending {
  readonly request: InsertRequest;
  /** When it came, on the clock of `performance.now()`. */
  readonly since: number;
  readonly resolve: (result: InsertResult) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Inserts that keep the limit of a user. Those of one user would wait for each other anyway, so that all that come while
 * one is under way share the next transaction: one look at the user's rows, one commit.
 */
export class SignInQueue {
  private readonly waiting = new Map<string, Pending[]>();

  constructor(
    private readonly database: SqlConnection,
    private readonly statements: SessionStatements,
    /** One insert, in a transaction of its own. `since`: when the call came. */
    private readonly alone: (request: InsertRequest, since: number) => Promise<InsertResult>,
    /** Milliseconds that one call may take. */
    private readonly timeout: number,
  ) {}

  insert(userId: string, request: InsertRequest): Promise<InsertResult> {
    return new Promise((resolve, reject) => {
      const pending = { request, since: performance.now(), resolve, reject };
      const queue = this.waiting.get(userId);
      if (queue) queue.push(pending);
      else {
        this.waiting.set(userId, []);
        void this.work(userId, [pending]);
      }
    });
  }

  private async work(userId: string, first: readonly Pending[]): Promise<void> {
    for (let batch = first; batch.length > 0; batch = this.waiting.get(userId)?.splice(0, MOST) ?? []) {
      // Whoever has waited for long must not take the others' time away.
      const overdue = performance.now() - this.timeout / 2;
      const timely = batch.filter(({ since }) => since >= overdue);
      await Promise.all(batch.filter(({ since }) => since < overdue).map((each) => this.one(each)));
      if (timely.length > 1) await this.several(userId, timely);
      else await Promise.all(timely.map((each) => this.one(each)));
    }
    this.waiting.delete(userId);
  }

  private one({ request, since, resolve, reject }: Pending): Promise<void> {
    return this.alone(request, since).then(resolve, reject);
  }

  private async several(userId: string, batch: readonly Pending[]): Promise<void> {
    try {
      const requests = batch.map(({ request }) => request);
      const outcomes = await this.database.transaction(
        (sql) => insertTogether(sql, this.statements, userId, requests),
        { userId, commitIf: (result) => result !== null, since: batch[0]?.since },
      );
      if (outcomes === null) for (const each of batch) await this.one(each);
      else outcomes.forEach((settle, index) => settle(batch[index] as Pending));
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  }
}
