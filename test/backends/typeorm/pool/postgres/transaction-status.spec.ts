import type { DataSource } from 'typeorm';
import { isInTransaction } from '../../../../../src/backends/typeorm/pool/postgres/transaction-status.js';
import { onEachDatabase, openDatabase, type TestDatabase } from '../../../../support/databases.js';

/** What is used of a client of `pg`. */
interface Client {
  readonly readyForQuery: boolean;
  query(text: string): Promise<unknown>;
  release(): void;
}

onEachDatabase('whether a connection of pg is in a transaction', ['postgres'], () => {
  let database: TestDatabase;
  let app: DataSource;

  beforeEach(async () => {
    database = await openDatabase('postgres');
    app = await database.open({ poolSize: 2 });
  });
  afterEach(() => database.drop());

  const connect = (): Promise<Client> =>
    (app.driver as unknown as { readonly master: { connect(): Promise<Client> } }).master.connect();

  it('is told at every moment of its life, by nothing that pg warns of', async () => {
    const clients = [await connect(), await connect()]; // nothing has been sent yet over the second
    let reads = 0;
    for (const client of clients) Object.defineProperty(client, 'activeQuery', { get: () => ++reads });
    const told: boolean[] = [];
    const whileBusy: boolean[] = [];
    for (const client of clients) {
      told.push(isInTransaction(client));
      for (const statement of ['SELECT 1', 'BEGIN', 'SELECT 1', 'SELECT 1/0', 'COMMIT']) {
        const answered = client.query(statement).catch(() => undefined);
        whileBusy.push(isInTransaction(client));
        await answered;
        whileBusy.push(isInTransaction(client) && !client.readyForQuery); // an error comes before the server is ready again
        while (!client.readyForQuery) await new Promise(setImmediate);
        told.push(isInTransaction(client));
      }
      client.release();
    }
    const each = [false, false, true, true, true, false];
    expect(told).toEqual([...each, ...each]);
    expect(whileBusy).not.toContain(true);
    expect(reads).toBe(0);
  });
});
