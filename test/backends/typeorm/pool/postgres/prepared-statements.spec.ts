import { Test } from '@nestjs/testing';
import { SessionModule, SessionStore } from 'nest-sessions';
import type { DataSource } from 'typeorm';
import type { TypeOrmSessionBackendOptions } from '../../../../../src/backends/typeorm/typeorm-session-backend-options.js';
import { DatabaseFailure } from '../../../../../src/backends/typeorm/pool/database-failure.js';
import { preparedFailure } from '../../../../../src/backends/typeorm/pool/postgres/prepared-statements.js';
import { TypeOrmSessionBackend } from '../../../../../src/backends/typeorm/typeorm-session-backend.js';
import {
  inserting,
  MINUTE,
  NOW,
  row,
  store,
} from '../../../../../src/testing/backend-contract/contract-rule.js';
import { evict } from '../../../../../src/testing/backend-contract/limit-fixtures.js';
import { onEachDatabase, openDatabase, type TestDatabase } from '../../../../support/databases.js';
import { OPTIONS } from '../../support/open-backend.js';

/** What is used of a connection of `pg`. */
interface Client {
  query(sql: string): Promise<{ rows: Array<Readonly<Record<string, string>>> }>;
}

const IDS = Array.from({ length: 100 }, (_, index) => `id-${index}`);

onEachDatabase('statements that are prepared by name', ['postgres'], (kind) => {
  let database: TestDatabase;
  let clients: Client[];
  let warnings: string[];
  let opened: TypeOrmSessionBackend[];
  const logger = { warn: (message: string) => void warnings.push(message), error: () => undefined };

  beforeEach(async () => {
    database = await openDatabase(kind);
    clients = [];
    warnings = [];
    opened = [];
  });
  afterEach(async () => {
    for (const backend of opened) await backend.close();
    await database.drop();
  });

  /** Options of a pool whose connections are in `clients`. */
  function watched(poolSize: number): object {
    const verify = (client: Client, done: () => void): void => {
      clients.push(client);
      done();
    };
    return { ...database.options(), poolSize, extra: { verify } };
  }

  /** A backend with a pool of its own, whose connections are in `clients`. */
  async function open(
    options: Partial<TypeOrmSessionBackendOptions> = {},
    poolSize = 1,
  ): Promise<TypeOrmSessionBackend> {
    const backend = new TypeOrmSessionBackend(watched(poolSize) as never, { ...OPTIONS, logger, ...options });
    opened.push(backend);
    await backend.init();
    return backend;
  }

  /** What a connection has prepared. */
  async function prepared(
    client = clients[0] as Client,
  ): Promise<Array<{ name: string; statement: string }>> {
    const { rows } = await client.query('SELECT name, statement FROM pg_prepared_statements ORDER BY name');
    return rows as Array<{ name: string; statement: string }>;
  }

  const use = (id: string) => ({ id, lastActiveAt: NOW + 1, expiresAt: NOW + 61 * MINUTE, now: NOW });
  const change = (id: string, version = 2) => ({
    ...use(id),
    expectedVersion: version - 1,
    version,
    keyId: 'k',
    payload: Buffer.from([0, 92, 34, 255]),
  });

  it('are prepared once each on a pool of our own, under names that begin with what they do', async () => {
    const backend = await open();
    await store(backend, row('a'));
    for (let count = 0; count < 3; count++) await backend.find(['a']);
    const names = (await prepared()).map(({ name }) => name);
    expect(names).toEqual([
      expect.stringMatching(/^ns_INSERT_\w{32}$/),
      expect.stringMatching(/^ns_SELECT_\w{32}$/),
    ]);
  });

  it('are none on a data source of the app, or with `preparedStatements: false`', async () => {
    const app: DataSource = await database.open({ poolSize: 1 });
    const onApp = new TypeOrmSessionBackend(app, OPTIONS);
    await store(onApp, row('a'));
    await onApp.find(['a']);
    expect(await app.query('SELECT name FROM pg_prepared_statements')).toEqual([]);
    const without = await open({ preparedStatements: false });
    await without.find(['a']);
    expect(await prepared()).toEqual([]);
  });

  it.each([
    [undefined, true],
    [true, true],
    [false, false],
  ])(
    'are there on the pool of the module, unless its option says no: %s',
    async (preparedStatements, expected) => {
      const module = await Test.createTestingModule({
        imports: [
          SessionModule.forRoot({ plaintext: true, dataSource: watched(1) as never, preparedStatements }),
        ],
      }).compile();
      await module.init();
      await module.get(SessionStore).get('none');
      expect((await prepared()).length > 0).toBe(expected);
      await module.close();
    },
  );

  it('are there on a data source of the app with `preparedStatements: true`', async () => {
    const app: DataSource = await database.open({ poolSize: 1 });
    const backend = new TypeOrmSessionBackend(app, { ...OPTIONS, preparedStatements: true });
    await backend.find(['a']);
    expect(await app.query('SELECT name FROM pg_prepared_statements')).toHaveLength(1);
  });

  it('are few, whatever the number of rows that a call names', async () => {
    const backend = await open();
    await store(backend, ...IDS.map((id) => row(id)));
    for (const count of [1, 2, 3, 17, 50, 100]) {
      const ids = IDS.slice(0, count);
      expect((await backend.find(ids)).map((found) => found?.id)).toEqual(ids);
      expect((await backend.alive(ids, NOW)).map((found) => found?.id)).toEqual(ids);
      expect(await backend.touch(ids.map(use))).toEqual(ids.map(() => true));
      expect(await backend.save(ids.map((id) => change(id, 2)))).toEqual(ids.map(() => true));
      await backend.save(ids.map((id) => ({ ...change(id), expectedVersion: 2, version: 1 })));
      await backend.delete({ ids: ids.map((id) => `no ${id}`) });
    }
    const names = (await prepared()).map(({ name }) => name);
    expect(names.filter((name) => name.startsWith('ns_WITH_'))).toHaveLength(2); // of several touches and several saves
    expect(names.length).toBeLessThanOrEqual(16);
    expect(Math.max(...names.map((name) => name.length))).toBeLessThanOrEqual(63);
  });

  it('store what is bound in lists as it is', async () => {
    const backend = await open();
    const ids = ['a"b', 'a\\b', '{a,b}', 'NULL', 'ä', ' '];
    await store(backend, ...ids.map((id) => row(id)));
    expect(await backend.save(ids.map((id) => change(id)))).toEqual(ids.map(() => true));
    const found = await backend.find([...ids, 'null', 'b']);
    expect(found.map((each) => each?.id)).toEqual([...ids, undefined, undefined]);
    expect(found.slice(0, ids.length).map((each) => each?.payload)).toEqual(
      ids.map(() => change('').payload),
    );
  });

  it('do not read a whole table for ever that was small when they were planned', async () => {
    const backend = await open();
    const [client] = clients as [Client];
    await client.query('ALTER TABLE sessions SET (autovacuum_enabled = false)');
    await store(backend, row('a'));
    await client.query('ANALYZE sessions');
    for (let count = 0; count < 10; count++) await backend.find(['a']);
    const found = (await prepared()).find(({ name }) => name.startsWith('ns_SELECT'));
    const plan = async (): Promise<string> =>
      (await client.query(`EXPLAIN EXECUTE "${found?.name}" ('a')`)).rows
        .map((line) => line['QUERY PLAN'])
        .join();
    expect(await plan()).toMatch(/Seq Scan/);
    await client.query(
      `INSERT INTO sessions SELECT (jsonb_populate_record(sessions, jsonb_build_object('id', 'b' || i))).*
       FROM sessions, generate_series(1, 3000) AS i`,
    );
    expect(await plan()).toMatch(/Seq Scan/);
    for (let count = 0; count < 1_000; count++) await backend.find(['a']);
    expect(await plan()).toMatch(/Index Scan using sessions_pkey|Index Scan using "PK/);
  });

  it.each([
    ['DISCARD ALL', 'DISCARD ALL'],
    ['DEALLOCATE ALL', 'DEALLOCATE ALL'],
  ])('are given up, and no call fails, when the connection forgets them: %s', async (_name, sql) => {
    const backend = await open();
    await store(backend, row('a'));
    await backend.find(['a']);
    await clients[0]?.query(sql);
    expect(await backend.find(['a'])).toEqual([row('a')]);
    expect(warnings).toEqual([
      expect.stringMatching(/^Sessions in .*: statements are not prepared by name any more \(26000: .*\)/),
    ]);
    expect(await backend.save([change('a')])).toEqual([true]);
    expect(await prepared()).toEqual([]);
    expect(warnings).toHaveLength(1);
  });

  it('are given up, and a sign-in is done once, when they are lost in its transaction', async () => {
    const backend = await open();
    const signIn = (id: string) => backend.insert(inserting(row(id), { limit: evict(2) }));
    for (const id of ['a', 'b']) await signIn(id);
    await clients[0]?.query('DEALLOCATE ALL');
    expect(await signIn('c')).toMatchObject({ status: 'inserted', evicted: [{ id: 'a' }] });
    const left = await backend.list({ userId: 'ada', now: NOW, orderBy: 'createdAt', limit: null });
    expect(left.map(({ id }) => id).toSorted()).toEqual(['b', 'c']);
    expect(warnings).toHaveLength(1);
  });

  it('are given up when the connection has one of that name already', async () => {
    const [first, second] = [await open(), await open()];
    await first.find(['a']);
    const [statement] = await prepared(clients[0]);
    const [, client] = clients as [Client, Client];
    await client.query(`PREPARE "${statement?.name}" AS SELECT 1`);
    await store(first, row('a'));
    expect(await second.find(['a'])).toEqual([row('a')]);
    expect(warnings).toEqual([expect.stringMatching(/ \(42P05: /)]);
  });

  it.each([
    ['08P01', 'prepared statement "ns_SELECT_0" did not exist', 'lost'],
    ['08P01', 'query_wait_timeout', null],
    ['26000', 'prepared statement "ns_SELECT_0" does not exist', 'lost'],
    ['0A000', 'zwischengespeicherter Plan darf den Ergebnistyp nicht ändern', 'outdated'],
    ['57P01', 'terminating connection due to administrator command', null],
  ])('are known by code and message for what went wrong: %s, %s', (code, message, expected) => {
    expect(preparedFailure(new DatabaseFailure(code, message))).toBe(expected);
  });

  it('get other names, and no call fails, when a migration changes the type of a column', async () => {
    const backend = await open({}, 5);
    const all = IDS.slice(0, 20);
    await store(backend, ...all.map((id) => row(id)));
    const read = () => Promise.all(all.map(async (id) => (await backend.find([id]))[0]?.id));
    await read();
    const before = await prepared();
    await clients[0]?.query('ALTER TABLE sessions ALTER COLUMN key_id TYPE text');
    expect(await read()).toEqual(all);
    expect(await backend.save([change('id-1')])).toEqual([true]);
    expect(warnings).toEqual([]);
    const after = await prepared();
    expect(after.length).toBeGreaterThan(before.length);
    // PgBouncer from 1.21 on takes the same text for the same statement.
    expect(new Set(after.map(({ statement }) => statement)).size).toBe(after.length);
  });

  it('are given up when that happens time and again, so that the server does not fill up with old ones', async () => {
    const backend = await open();
    await store(backend, row('a'));
    for (let count = 0; count < 12; count++) {
      await backend.find(['a']);
      const type = count % 2 === 0 ? 'text' : 'varchar(255)';
      await clients[0]?.query(`ALTER TABLE sessions ALTER COLUMN key_id TYPE ${type}`);
      expect((await backend.find(['a']))[0]?.id).toBe('a');
    }
    expect(warnings).toHaveLength(1);
    expect((await prepared()).filter(({ name }) => name.startsWith('ns_SELECT'))).toHaveLength(9);
  });
});
