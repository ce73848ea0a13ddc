import { Client } from 'pg';
import {
  type PgClient,
  sendTogether,
} from '../../../../../src/backends/typeorm/pool/postgres/statements-together.js';
import { onEachDatabase, SERVERS } from '../../../../support/databases.js';

onEachDatabase('several statements in one message', ['postgres'], () => {
  let client: Client;
  let send: () => Promise<unknown>;
  beforeEach(async () => {
    const { username: user, ...server } = SERVERS.postgres;
    client = new Client({ ...server, user });
    await client.connect();
    const statements = [
      { name: null, text: 'BEGIN', values: [] },
      { name: null, text: 'SELECT $1::int + 1 AS sum', values: ['2'] },
      { name: null, text: 'COMMIT', values: [] },
    ];
    send = async () => sendTogether(client as unknown as PgClient, statements);
  });
  afterEach(() => client.end());

  /** Watches queries, as libraries for traces do: in the place of the method there is one that calls it. */
  const patch = (make: (query: (...given: unknown[]) => unknown) => unknown): void => {
    const query = client.query.bind(client) as (...given: unknown[]) => unknown;
    Reflect.set(client, 'query', make(query));
  };
  const results = [{ command: 'BEGIN' }, { rows: [{ sum: 3 }] }, { command: 'COMMIT' }];

  it('give a result each', async () => {
    expect(await send()).toMatchObject(results);
    expect(await send()).toMatchObject(results);
  });

  it.each([
    ['passes on what it is given', (query: unknown) => query],
    ['passes on a copy', (query: unknown) => ({ ...(query as object) })],
  ])('leave by a client whose method %s, and it goes on working', async (_, passed) => {
    patch(
      (query) =>
        (first: unknown, ...rest: unknown[]) =>
          query(typeof first === 'object' ? passed(first) : first, ...rest),
    );
    for (const round of [1, 2]) expect([round, await send()]).toMatchObject([round, results]);
    expect((await client.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
  });

  it.each([
    ['rejects', () => Promise.reject(new Error('watched'))],
    [
      'throws',
      () => {
        throw new Error('watched');
      },
    ],
  ])('fail with the error of a method that %s', async (_, fail) => {
    patch(() => fail);
    await expect(send()).rejects.toThrow('watched');
  });

  it('fail with the error of the server, and leave the connection as it was', async () => {
    const statements = [
      { name: null, text: 'SELECT 1/0', values: [] },
      { name: null, text: 'SELECT 1', values: [] },
    ];
    patch((query) => (first: unknown) => query({ ...(first as object) }));
    await expect(sendTogether(client as unknown as PgClient, statements)).rejects.toThrow('division by zero');
    expect(await send()).toMatchObject(results);
  });
});
