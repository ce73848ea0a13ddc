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

  /** As OpenTelemetry does with comments in statements: the end is noticed by a callback on the copy. */
  const watch = (): unknown[] => {
    const ends: unknown[] = [];
    patch((query) => (first: unknown) => {
      const { callback, ...rest } = first as { callback: (error: unknown, given: unknown) => void };
      const noticed = (error: unknown, given: unknown): void => {
        ends.push(error);
        callback(error, given);
      };
      return query({ ...rest, callback: noticed });
    });
    return ends;
  };

  it('tell whoever has put a callback on a copy that they have ended, and how', async () => {
    const ends = watch();
    expect(await send()).toMatchObject(results);
    expect(ends).toEqual([null]);
    const failing = [{ name: null, text: 'SELECT 1/0', values: [] }];
    await expect(sendTogether(client as unknown as PgClient, failing)).rejects.toThrow('division by zero');
    expect(ends).toEqual([null, expect.objectContaining({ message: 'division by zero' })]);
  });

  it('end the `query_timeout` of a copy with themselves', async () => {
    const { connectionParameters } = client as unknown as { connectionParameters: object };
    Reflect.set(connectionParameters, 'query_timeout', 100);
    const unwatched = client.query.bind(client) as (statement: object) => Promise<unknown>;
    const ends = watch();
    expect(await send()).toMatchObject(results);
    await unwatched({ text: 'SELECT pg_sleep(0.3)', query_timeout: 5_000 });
    expect(ends).toEqual([null]);
  });

  it('are given up after the `query_timeout` of a copy', async () => {
    const { connectionParameters } = client as unknown as { connectionParameters: object };
    Reflect.set(connectionParameters, 'query_timeout', 100);
    const ends = watch();
    const slow = [{ name: null, text: 'SELECT pg_sleep(0.3)', values: [] }];
    await expect(sendTogether(client as unknown as PgClient, slow)).rejects.toThrow('Query read timeout');
    expect(ends[0]).toMatchObject({ message: 'Query read timeout' });
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
