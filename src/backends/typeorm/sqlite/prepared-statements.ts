import { inspect } from 'node:util';
import type { SqlRow, SqlValue } from '../sql-connection.js';

/**
 * Statements on the driver's own connection. TypeORM's `query()` would prepare each one anew, and take as long again
 * for wrapping it.
 */
export interface PreparedStatements {
  /** Rows of a SELECT. */
  all(sql: string, values: readonly SqlValue[]): Promise<readonly SqlRow[]>;
  /** Number of rows that an INSERT, UPDATE or DELETE matched. */
  run(sql: string, values: readonly SqlValue[]): Promise<number>;
  /** Gives up what is prepared: `sqlite3` closes no connection before that. */
  release(): Promise<void>;
}

/** Statements that stay prepared at most; those whose number of placeholders varies could be any number. */
const MAX_PREPARED = 100;

/** What is used of a statement of `better-sqlite3`. */
interface BetterSqlite3Statement {
  all(values: readonly unknown[]): SqlRow[];
  run(values: readonly unknown[]): { readonly changes: number };
  safeIntegers(isOn: boolean): unknown;
}

/** What is used of a statement of `sqlite3`, and of its connection, which has the SQL first. */
interface Sqlite3Statement {
  all(values: unknown, done: (error: Error | null, rows: SqlRow[]) => void): void;
  run(values: unknown, done: (this: { readonly changes: number }, error: Error | null) => void): void;
  finalize(done: () => void): void;
}

interface Sqlite3Database {
  prepare(sql: string, done: (error: Error | null) => void): Sqlite3Statement;
}

/**
 * @param type TypeORM's name of the driver
 * @param connection the driver's own
 * @param isOurs whether nobody else closes the connection: what is prepared would keep them from it
 */
export function preparedStatements(type: string, connection: unknown, isOurs: boolean): PreparedStatements {
  return type === 'better-sqlite3'
    ? new BetterSqlite3Statements(connection as { prepare(sql: string): BetterSqlite3Statement })
    : new Sqlite3Statements(connection as Sqlite3Database, isOurs ? MAX_PREPARED : 0);
}

/** Statements of `better-sqlite3`, which runs them at once, in this thread. */
class BetterSqlite3Statements implements PreparedStatements {
  readonly #prepared = new Map<string, BetterSqlite3Statement>();
  readonly #database: { prepare(sql: string): BetterSqlite3Statement };

  constructor(database: { prepare(sql: string): BetterSqlite3Statement }) {
    this.#database = database;
  }

  async all(sql: string, values: readonly SqlValue[]): Promise<readonly SqlRow[]> {
    return this.#prepare(sql).all(values.map(bound));
  }

  async run(sql: string, values: readonly SqlValue[]): Promise<number> {
    return this.#prepare(sql).run(values.map(bound)).changes;
  }

  async release(): Promise<void> {
    this.#prepared.clear();
  }

  #prepare(sql: string): BetterSqlite3Statement {
    const known = this.#prepared.get(sql);
    if (known) return known;
    const statement = this.#database.prepare(sql);
    // The app may have made BigInts the default of its connections. Ours are instants and flags, which a number holds.
    statement.safeIntegers(false);
    if (this.#prepared.size < MAX_PREPARED) this.#prepared.set(sql, statement);
    return statement;
  }
}

/** Statements of `sqlite3`, which runs them in other threads. */
class Sqlite3Statements implements PreparedStatements {
  readonly #prepared = new Map<string, Sqlite3Statement>();
  readonly #database: Sqlite3Database;
  readonly #maxPrepared: number;

  constructor(database: Sqlite3Database, maxPrepared: number) {
    this.#database = database;
    this.#maxPrepared = maxPrepared;
  }

  all(sql: string, values: readonly SqlValue[]): Promise<readonly SqlRow[]> {
    return this.#with(
      sql,
      (statement) =>
        new Promise((resolve, reject) =>
          statement.all(valuesFor(values), (error, rows) => (error ? reject(error) : resolve(rows))),
        ),
    );
  }

  run(sql: string, values: readonly SqlValue[]): Promise<number> {
    return this.#with(
      sql,
      (statement) =>
        new Promise((resolve, reject) =>
          statement.run(valuesFor(values), function (error) {
            if (error) reject(error);
            else resolve(this.changes);
          }),
        ),
    );
  }

  async release(): Promise<void> {
    const statements = [...this.#prepared.values()];
    this.#prepared.clear();
    await Promise.all(statements.map(finalize));
  }

  #with<T>(sql: string, use: (statement: Sqlite3Statement) => Promise<T>): Promise<T> {
    const known = this.#prepared.get(sql);
    return known ? use(known) : this.#prepare(sql, use);
  }

  async #prepare<T>(sql: string, use: (statement: Sqlite3Statement) => Promise<T>): Promise<T> {
    const statement = await new Promise<Sqlite3Statement>((resolve, reject) => {
      const made: Sqlite3Statement = this.#database.prepare(sql, (error) =>
        error ? reject(error) : resolve(made),
      );
    });
    if (this.#prepared.size < this.#maxPrepared && !this.#prepared.has(sql)) {
      this.#prepared.set(sql, statement);
      return use(statement);
    }
    try {
      return await use(statement);
    } finally {
      await finalize(statement);
    }
  }
}

function finalize(statement: Sqlite3Statement): Promise<void> {
  return new Promise((resolve) => statement.finalize(resolve));
}

/**
 * Values on their way to `sqlite3`. TypeORM turns on its long stack traces, which print the values of every call, and
 * put them into errors: these neither cost that nor show.
 */
class Values extends Array<unknown> {
  [inspect.custom](): string {
    return '[values]';
  }
}

function valuesFor(values: readonly SqlValue[]): Values {
  const made = new Values();
  for (const value of values) made.push(bound(value));
  return made;
}

/** better-sqlite3 takes no booleans. */
function bound(value: SqlValue): Exclude<SqlValue, boolean> {
  return typeof value === 'boolean' ? Number(value) : value;
}
