import type { DataSource } from 'typeorm';
import { TypeOrmSessionBackend } from '../../../../src/backends/typeorm/typeorm-session-backend.js';
import {
  inserting,
  MINUTE,
  NOW,
  row,
  store,
} from '../../../../src/testing/backend-contract/contract-rule.js';
import { evict } from '../../../../src/testing/backend-contract/limit-fixtures.js';
import { RecordingLogger } from '../../../core/support/open-store.js';
import { onEachDatabase, openDatabase, SERVER_KINDS, type TestDatabase } from '../../../support/databases.js';
import { OPTIONS } from '../support/open-backend.js';

const USE = { lastActiveAt: NOW + 1, expiresAt: NOW + 5 * MINUTE, now: NOW };

/** What writes, and the ids that others see after it of those that were there, `a` and `b`. */
const WRITES: ReadonlyArray<{
  readonly what: string;
  readonly left: readonly string[];
  readonly call: (backend: TypeOrmSessionBackend) => Promise<unknown>;
}> = [
  {
    what: 'the end of a session',
    left: ['b'],
    call: (backend) => backend.delete({ ids: ['a'] }),
  },
  { what: 'the end of all of a user', left: [], call: (backend) => backend.delete({ userId: 'ada' }) },
  { what: 'a touch', left: ['a', 'b'], call: (backend) => backend.touch([{ id: 'a', ...USE }]) },
  {
    what: 'a save',
    left: ['a', 'b'],
    call: (backend) =>
      backend.save([
        { ...USE, id: 'a', expectedVersion: 1, version: 2, keyId: 'k', payload: Buffer.from('p') },
      ]),
  },
  {
    what: 'a sign-in',
    left: ['a', 'b', 'c'],
    call: (backend) => backend.insert(inserting(row('c'), { limit: evict(3) })),
  },
  {
    what: 'a session of nobody',
    left: ['a', 'b', 'c'],
    call: (backend) => backend.insert(inserting(row('c', { userId: null }))),
  },
];

/** What is used of a client of `pg`. */
interface Client {
  query(text: string): Promise<unknown>;
}

onEachDatabase('a connection that the app gave back in a transaction', SERVER_KINDS, (kind) => {
  let database: TestDatabase;
  let app: DataSource;
  let others: TypeOrmSessionBackend;
  let backend: TypeOrmSessionBackend;
  let log: RecordingLogger;

  beforeEach(async () => {
    database = await openDatabase(kind);
    app = await database.open({ poolSize: 1 });
    log = new RecordingLogger();
    backend = new TypeOrmSessionBackend(app, { ...OPTIONS, timeout: 5_000, logger: log });
    others = new TypeOrmSessionBackend(await database.open({ poolSize: 1 }), OPTIONS);
    await backend.init();
    await app.query('CREATE TABLE notes (id int)');
    await store(others, row('a'), row('b'));
  });
  afterEach(() => database.drop());

  /** What an app does that forgets to end its transaction. */
  async function leak(statement = 'SELECT 1'): Promise<void> {
    const runner = app.createQueryRunner();
    await runner.startTransaction('REPEATABLE READ');
    await runner.query('INSERT INTO notes VALUES (1)');
    await runner.query('SELECT count(*) FROM sessions');
    await runner.query(statement).catch(() => undefined);
    await runner.release();
  }

  /** An old `pg`, which tells nothing of the kind. */
  function hideStatus(): void {
    const { master } = app.driver as unknown as { master: { on(event: string, listener: unknown): void } };
    master.on('acquire', (client: object) => Reflect.set(client, 'getTransactionStatus', undefined));
  }

  const LEAKS = kind === 'postgres' ? ['SELECT 1', 'SELECT 1/0'] : ['SELECT 1'];

  describe.each(WRITES)('$what', ({ call, left }) => {
    it.each(LEAKS)('is not written in it, and what the app did in it is rolled back: %s', async (last) => {
      await leak(last);
      await call(backend);
      const found = await others.find(['a', 'b', 'c']);
      expect(found.flatMap((each) => each?.id ?? [])).toEqual(left);
      const runner = app.createQueryRunner();
      await runner.query('ROLLBACK');
      await runner.release();
      expect(await others.find(['a', 'b', 'c'])).toEqual(found);
      expect(await app.query('SELECT id FROM notes')).toEqual([]);
    });

    if (kind === 'postgres')
      it.each(LEAKS)('nor where `pg` does not tell: %s', async (last) => {
        hideStatus();
        await leak(last);
        await call(backend);
        const found = await others.find(['a', 'b', 'c']);
        expect(found.flatMap((each) => each?.id ?? [])).toEqual(left);
        expect(await app.query('SELECT id FROM notes')).toEqual([]);
      });
  });

  if (kind === 'postgres')
    it('shows nothing that has ended since', async () => {
      await leak();
      await others.delete({ ids: ['a'] });
      expect(await backend.find(['a', 'b'])).toEqual([null, row('b')]);
    });

  it('is told of once, in a line that says what to do', async () => {
    for (const _ of [1, 2, 3]) {
      await leak();
      await backend.touch([{ id: 'a', ...USE }]);
    }
    expect(log.warnings).toEqual([
      expect.stringMatching(
        /: the app gave a connection back to the pool with a transaction open\. .* COMMIT or ROLLBACK before a query runner is released$/,
      ),
    ]);
  });

  it('is passed over by a call, also where all of the pool are so', async () => {
    const many = await database.open({ poolSize: 5 });
    const busy = new TypeOrmSessionBackend(many, { ...OPTIONS, timeout: 5_000 });
    const runners = Array.from({ length: 5 }, () => many.createQueryRunner());
    await Promise.all(runners.map((runner) => runner.startTransaction()));
    await Promise.all(runners.map((runner) => runner.query('INSERT INTO notes VALUES (1)')));
    await Promise.all(runners.map((runner) => runner.release()));
    expect(await busy.delete({ ids: ['a'] })).toHaveLength(1);
    expect((await others.find(['a', 'b'])).map((each) => each?.id)).toEqual([undefined, 'b']);
  });

  if (kind === 'postgres')
    it('is another matter than one that it gave back with its COMMIT under way, which is done', async () => {
      const { driver } = app as unknown as {
        readonly driver: { obtainMasterConnection(): Promise<[Client, () => void]> };
      };
      const [client, release] = await driver.obtainMasterConnection();
      await client.query('BEGIN');
      await client.query('INSERT INTO notes VALUES (1)');
      const committed = client.query('COMMIT');
      release();
      expect(await backend.delete({ ids: ['a'] })).toHaveLength(1);
      await committed;
      expect(await app.query('SELECT id FROM notes')).toEqual([{ id: 1 }]);
      expect(await others.find(['a'])).toEqual([null]);
      expect(log.warnings).toEqual([]);
    });

  it('is another matter than one that it gave back after COMMIT or ROLLBACK, which is kept', async () => {
    const which = kind === 'postgres' ? 'SELECT pg_backend_pid() AS id' : 'SELECT connection_id() AS id';
    const before: unknown = await app.query(which);
    for (const ending of ['commitTransaction', 'rollbackTransaction'] as const) {
      const runner = app.createQueryRunner();
      await runner.startTransaction();
      await runner.query('INSERT INTO notes VALUES (1)');
      await runner[ending]();
      await runner.release();
      await backend.touch([{ id: 'a', ...USE }]);
      await backend.insert(inserting(row(ending), { limit: evict(9) }));
    }
    expect(await app.query(which)).toEqual(before);
    expect(log.warnings).toEqual([]);
  });
});
