import { createHash } from 'node:crypto';
import type { DatabaseFailure } from './database-failure.js';
import type { PoolDialect } from './pool-dialect.js';

/** A statement that is prepared under a name. */
export interface NamedStatement {
  /** At most 63 bytes, which is all that PostgreSQL keeps of a name. */
  readonly name: string;
  readonly text: string;
}

/**
 * The names under which a pool prepares statements, so that the server parses and plans each of them once for a connection
 * rather than each time. A name follows from the text: two versions of this library that share a connection, as behind a
 * pooler, never mean different statements by the same one.
 */
export class StatementNames {
  readonly #dialect: PoolDialect;
  readonly #report: (message: string) => void;
  #isOn: boolean;
  /** By the statement as it is without a name. */
  readonly #named = new Map<string, NamedStatement>();
  /** How many times all statements have been given other names. */
  #renamings = 0;

  /**
   * @param isOn whether statements are named until a failure says that they cannot be
   * @param report tells the log, once at most
   */
  constructor(dialect: PoolDialect, isOn: boolean, report: (message: string) => void) {
    this.#dialect = dialect;
    this.#isOn = isOn && dialect.preparedFailure !== null;
    this.#report = report;
  }

  /** A statement with its name. `null`: it is sent without one, since it may not come again. */
  named(sql: string, { length }: readonly unknown[]): NamedStatement | null {
    if (!this.#isOn || length === 0 || length > MAX_VALUES) return null;
    const known = this.#named.get(sql);
    if (known !== undefined || this.#named.size >= MAX_NAMES) return known ?? null;
    // PgBouncer, from 1.21, knows statements by their texts, so another name alone would be the old statement to it.
    const text = this.#renamings === 0 ? sql : `${sql} /* ${this.#renamings} */`;
    const hash = createHash('sha256').update(text).digest('hex').slice(0, 32);
    const statement = { name: `ns_${/^\w*/.exec(sql)?.[0] ?? ''}_${hash}`, text };
    this.#named.set(sql, statement);
    return statement;
  }

  /** A statement with a name has failed. What that says of names holds from the next statement on. */
  noteFailure(failure: DatabaseFailure, sql: string, statement: NamedStatement): void {
    const kind = this.#dialect.preparedFailure?.(failure) ?? null;
    if (kind === null || this.#named.get(sql) !== statement) return; // the latter: another call has noticed
    this.#named.clear();
    if (kind === 'outdated' && this.#renamings++ < MAX_RENAMINGS) return;
    this.#isOn = false;
    this.#report(
      `statements are not prepared by name any more (${failure.message}), which costs time but is safe. Behind PgBouncer ` +
        'in transaction mode set `preparedStatements: false`, or `max_prepared_statements` in PgBouncer 1.21 or later',
    );
  }
}

/**
 * Values that a statement with a name binds at most. More of them are those of several rows, and there is another statement
 * for each number of rows.
 */
const MAX_VALUES = 24;

/** Names at most, since the server keeps each for every connection. There are about twenty. */
const MAX_NAMES = 64;

/** Changes of the table that one process lives through with names. The server keeps the old ones until a connection ends. */
const MAX_RENAMINGS = 8;
