import type { SessionRow } from '../../../core/session-row.js';
import { performance } from '../../../core/timers.js';
import type { SqlConnection, SqlRunner } from '../sql-connection.js';
import { rowOfJson } from './row-mapping.js';

/**
 * Look-ups on a connection that does one job at a time. Those that come while one waits for its turn join it: a SELECT
 * that has not begun, so that what was acknowledged before a call is always seen.
 */
export class BatchedFind {
  readonly #connection: SqlConnection;
  readonly #statement: string;
  readonly #timeout: number;
  #waiting: Batch | null = null;

  /**
   * @param statement binds the ids as a JSON array; rows for `rowOfJson`
   * @param timeout milliseconds that one call may take. Nobody joins one that has waited for half of that.
   */
  constructor(connection: SqlConnection, statement: string, timeout: number) {
    this.#connection = connection;
    this.#statement = statement;
    this.#timeout = timeout;
  }

  /** The rows that there are, by id, perhaps with those of others. */
  find(ids: readonly string[]): Promise<Rows> {
    const now = performance.now();
    const waiting = this.#waiting;
    if (waiting && now - waiting.since < this.#timeout / 2) {
      for (const id of ids) waiting.ids.add(id);
      return waiting.rows;
    }
    return this.#begin(new Set(ids), now);
  }

  #begin(ids: Set<string>, since: number): Promise<Rows> {
    const rows = this.#connection
      .read((sql) => {
        this.#close(ids);
        return this.#select(sql, ids);
      })
      .finally(() => this.#close(ids));
    this.#waiting = { ids, since, rows };
    return rows;
  }

  /** Nobody joins these any more. */
  #close(ids: ReadonlySet<string>): void {
    if (this.#waiting?.ids === ids) this.#waiting = null;
  }

  async #select(sql: SqlRunner, ids: ReadonlySet<string>): Promise<Rows> {
    const rows = new Map<string, SessionRow>();
    for (const raw of await sql.all(this.#statement, [JSON.stringify([...ids])])) {
      const row = rowOfJson(raw);
      rows.set(row.id, row);
    }
    return rows;
  }
}

type Rows = ReadonlyMap<string, SessionRow>;

/** Ids of one SELECT that has not begun, and what it will find. */
interface Batch {
  readonly ids: Set<string>;
  /** On the clock of `performance.now()`. */
  readonly since: number;
  readonly rows: Promise<Rows>;
}
