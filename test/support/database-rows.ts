import { DataSource } from 'typeorm';
import { TypeOrmSessionBackend } from '../../src/backends/typeorm/typeorm-session-backend.js';
import type { SessionBackend } from '../../src/core/session-backend.js';
import type { SessionRow } from '../../src/core/session-row.js';
import { inserting } from '../../src/testing/backend-contract/contract-rule.js';
import { type BackendMethod, type OpenRows, WrappedBackend } from '../core/support/backends.js';
import { type DatabaseKind, openDatabase, type TestDatabase } from './databases.js';

const CHANGING: readonly BackendMethod[] = ['insert', 'save', 'touch', 'changeToken', 'delete', 'prune'];

/**
 * A backend on a database, with what it stores in reach as it is with the reference backend: whenever a call has
 * changed something and is about to answer, its rows are read. What a test plants is there before the next call.
 */
export class DatabaseRows extends WrappedBackend implements OpenRows {
  #stored: ReadonlyMap<string, SessionRow> = new Map();
  #planting: Promise<unknown> = Promise.resolve();
  #reading = 0;
  #read = 0;

  /** @param idsOf all ids that are stored */
  constructor(
    backend: SessionBackend,
    private readonly idsOf: () => Promise<string[]>,
  ) {
    super(backend);
    this.around = async (method, call) => {
      await this.#planting;
      const result = await call();
      if (CHANGING.includes(method)) await this.#refresh();
      return result;
    };
  }

  get stored(): ReadonlyMap<string, SessionRow> {
    return this.#stored;
  }

  row(id: string): SessionRow {
    const row = this.#stored.get(id);
    if (row === undefined) throw new Error(`No row ${id} is stored`);
    return row;
  }

  tamper(id: string, change: Partial<SessionRow>): void {
    this.plant({ ...this.row(id), ...change });
  }

  plant(row: SessionRow): void {
    this.#stored = new Map(this.#stored).set(row.id, row);
    this.#planting = this.#planting
      .then(() => this.inner.delete({ ids: [row.id] }))
      .then(() => this.inner.insert(inserting(row)));
  }

  /** The app that closes it may be followed by another one on the same storage. */
  override async close(): Promise<void> {}

  async #refresh(): Promise<void> {
    const turn = ++this.#reading;
    const rows = await this.inner.find(await this.idsOf());
    if (turn < this.#read) return; // what began later is there already
    this.#read = turn;
    this.#stored = new Map(rows.flatMap((row) => (row === null ? [] : [[row.id, row]])));
  }
}

let database: TestDatabase | null = null;
let dataSource: DataSource | null = null;
let tables = 0;

/** An empty storage on a database of that kind, which is made once for the file of tests that runs. */
export async function newDatabaseRows(kind: DatabaseKind): Promise<DatabaseRows> {
  database ??= await openDatabase(kind);
  dataSource ??= await database.open();
  const source = dataSource;
  const tableName = `sessions_${++tables}`;
  const options = { tableName, createTable: true, timeout: 60_000, shared: false };
  const backend = new TypeOrmSessionBackend(source, options);
  return new DatabaseRows(backend, async () => {
    const rows: Array<{ id: string | Buffer }> = await source.query(`SELECT id FROM ${tableName}`);
    return rows.map(({ id }) => id.toString());
  });
}

/** Removes the database. */
export async function dropDatabase(): Promise<void> {
  const made = database;
  [database, dataSource] = [null, null];
  await made?.drop();
}
