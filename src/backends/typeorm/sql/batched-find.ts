import type { SessionRow } from '../../../core/session-row.js';
import { packedRowOf } from './row-mapping.js';
import type { SqlConnection, SqlRunner } from '../sql-dialect.js';
import { performance } from '../../../core/timers.js';

type Rows = ReadonlyMap<string, SessionRow>;

/** Ids of one SELECT that has not begun, and what it will find. */
interface Batch {
  readonly ids: Set<string>;
  /** On the clock of `performance.now()`. */
  readonly since: number;
  readonly rows: Promise<Rows>;
}

/**
 * Look-ups on a connection that does one job at a time. Those that come while one waits for its turn join it: a SELECT
 * that has not begun, so that what was acknowledged before a call is always seen.
 */
export class SharedLookup {
  private waiting: Batch | null = null;

  constructor(
    private readonly database: SqlConnection,
    /** Binds the ids as a JSON array; rows for `packedRowOf`. */
    private readonly statement: string,
    /** Milliseconds that one call may take. Nobody joins one that has waited for half of that. */
    private readonly timeout: number,
  ) {}

  /** The rows that there are, by id, perhaps with those of others. */
  find(ids: readonly string[]): Promise<Rows> {
    const now = performance.now();
    const { waiting } = this;
    if (waiting && now - waiting.since < this.timeout / 2) {
      for (const id of ids) waiting.ids.add(id);
      return waiting.rows;
    }
    return this.begin(new Set(ids), now);
  }

  private begin(ids: Set<string>, since: number): Promise<Rows> {
    const rows = this.database
      .read((sql) => {
        this.leave(ids);
        return this.select(sql, ids);
      })
      .finally(() => this.leave(ids));
    this.waiting = { ids, since, rows };
    return rows;
  }

  /** Nobody joins these any more. */
  private leave(ids: ReadonlySet<string>): void {
    if (this.waiting?.ids === ids) this.waiting = null;
  }

  private async select(sql: SqlRunner, ids: ReadonlySet<string>): Promise<Rows> {
    const rows = new Map<string, SessionRow>();
    for (const raw of await sql.all(this.statement, [JSON.stringify([...ids])])) {
      const row = packedRowOf(raw);
      rows.set(row.id, row);
    }
    return rows;
  }
}
