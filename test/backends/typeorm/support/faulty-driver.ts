import sqlite3 from 'sqlite3';

type Callback = (this: unknown, error: Error | null, rows?: unknown[]) => void;

interface Fault {
  readonly sql: RegExp;
  readonly code: string;
  left: number;
}

/**
 * The real `sqlite3`, for TypeORM's `driver` option, that keeps a log of statements, knows how many ran at once, and
 * fails on demand what cannot be made to fail with files.
 */
export class FaultyDriver {
  /** Every statement, as it began. */
  readonly statements: string[] = [];
  /** The most statements that were under way at once. */
  mostAtOnce = 0;
  private readonly faults: Fault[] = [];
  private atOnce = 0;
  private held: { readonly sql: RegExp; readonly until: Promise<void> } | null = null;

  /** Fails the next statements that match, without running them. */
  fail(sql: RegExp, code: string, times = 1): void {
    this.faults.push({ sql, code, left: times });
  }

  /** Fails nothing more. */
  clear(): void {
    this.faults.length = 0;
  }

  /** Holds the next statement that matches back, until the function it returns is called. */
  hold(sql: RegExp): () => void {
    let release = () => {};
    this.held = { sql, until: new Promise((resolve) => (release = resolve)) };
    return () => release();
  }

  /** For TypeORM. */
  get driver(): unknown {
    // eslint-disable-next-line @typescript-eslint/no-this-alias
    const watch = this;
    class Database extends sqlite3.Database {
      override all(sql: string, values?: unknown, callback?: unknown): this {
        watch.start(sql, callback as Callback, (done) => super.all(sql, values, done));
        return this;
      }

      override run(sql: string, values?: unknown, callback?: unknown): this {
        if (typeof values === 'function') return super.run(sql, values as Callback);
        watch.start(sql, callback as Callback, (done) => super.run(sql, values, done));
        return this;
      }

      override prepare(sql: string, ...rest: unknown[]): sqlite3.Statement {
        const statement = super.prepare(sql, ...(rest as []));
        const [all, run] = [statement.all.bind(statement), statement.run.bind(statement)];
        const watchedAll = (values: unknown, callback: unknown) => {
          watch.start(sql, callback as Callback, (done) => all(values, done));
          return statement;
        };
        const watchedRun = (values: unknown, callback: unknown) => {
          watch.start(sql, callback as Callback, (done) => run(values, done));
          return statement;
        };
        return Object.assign(statement, { all: watchedAll, run: watchedRun });
      }
    }
    const module = { ...sqlite3, Database, verbose: () => module };
    return module;
  }

  private start(sql: string, callback: Callback, proceed: (done: Callback) => void): void {
    this.statements.push(sql);
    this.mostAtOnce = Math.max(this.mostAtOnce, ++this.atOnce);
    const ended = () => this.atOnce--;
    const fault = this.faults.find((each) => each.left > 0 && each.sql.test(sql));
    if (fault) {
      fault.left--;
      const error = Object.assign(new Error(`${fault.code}: made to fail`), { code: fault.code });
      setImmediate(() => (ended(), callback.call(null, error)));
      return;
    }
    const finish: Callback = function (this: unknown, ...results) {
      ended();
      callback.apply(this, results);
    };
    const { held } = this;
    if (!held?.sql.test(sql)) return proceed(finish);
    this.held = null;
    void held.until.then(() => proceed(finish));
  }
}
