import type { DataSource } from 'typeorm';
import type { TypeOrmSessionBackendOptions } from '../../../../src/backends/typeorm/typeorm-session-backend-options.js';
import { TypeOrmSessionBackend } from '../../../../src/backends/typeorm/typeorm-session-backend.js';
import { SessionOptionsError } from '../../../../src/core/session-errors.js';
import {
  inserting,
  MINUTE,
  NOW,
  row,
  store,
} from '../../../../src/testing/backend-contract/contract-rule.js';
import { evict } from '../../../../src/testing/backend-contract/limit-fixtures.js';
import { onEachDatabase, openDatabase, SERVER_KINDS, type TestDatabase } from '../../../support/databases.js';
import { OPTIONS } from '../support/open-backend.js';

const USE = { now: NOW, lastActiveAt: NOW, expiresAt: NOW + MINUTE };
const CHANGE = { ...USE, expectedVersion: 1, version: 2, keyId: 'k', payload: Buffer.from('p') };

onEachDatabase('a table of sessions that is dropped while the app runs', SERVER_KINDS, (kind) => {
  let database: TestDatabase;
  let app: DataSource;
  let warnings: string[];
  const logger = { warn: (message: string) => void warnings.push(message), error: () => undefined };

  beforeAll(async () => {
    database = await openDatabase(kind);
    app = await database.open();
  });
  beforeEach(() => {
    warnings = [];
  });
  afterEach(() => app.query('DROP TABLE IF EXISTS sessions'));
  afterAll(() => database.drop());

  /** A backend with row `a`. */
  async function running(
    options: Partial<TypeOrmSessionBackendOptions> = {},
  ): Promise<TypeOrmSessionBackend> {
    const backend = new TypeOrmSessionBackend(app, { ...OPTIONS, logger, ...options });
    await backend.init();
    await store(backend, row('a'));
    return backend;
  }

  const drop = (): Promise<unknown> => app.query('DROP TABLE sessions');

  it.each([
    ['find', (backend) => backend.find(['a']), [null]],
    ['insert', (backend) => backend.insert(inserting(row('b'))), { status: 'inserted' }],
    [
      'insert, with a limit',
      (backend) => backend.insert(inserting(row('b'), { limit: evict(1) })),
      { evicted: [] },
    ],
    ['save', (backend) => backend.save([{ id: 'a', ...CHANGE }]), [false]],
    ['save', (backend) => backend.save(['a', 'b'].map((id) => ({ id, ...CHANGE }))), [false, false]],
    ['touch', (backend) => backend.touch(['a', 'b'].map((id) => ({ id, ...USE }))), [false, false]],
    [
      'changeToken',
      (backend) => backend.changeToken({ id: 'a', now: NOW, expected: row('a'), next: row('b') }),
      false,
    ],
    ['delete', (backend) => backend.delete({ ids: ['a'] }), []],
    ['delete', (backend) => backend.delete({ userId: 'ada' }), []],
    ['list', (backend) => backend.list({ userId: 'ada', now: NOW, orderBy: 'createdAt', limit: null }), []],
    [
      'walk',
      (backend) =>
        backend.walk({
          now: NOW,
          cursor: null,
          batchSize: 9,
          limit: 9,
          activeSince: null,
          authenticated: null,
        }),
      { rows: [], next: null },
    ],
    ['prune', (backend) => backend.prune({ now: NOW, cursor: null, batchSize: 9 }), { deleted: 0 }],
    ['keysInUse', (backend) => backend.keysInUse(), new Set()],
  ] as const satisfies ReadonlyArray<
    readonly [string, (backend: TypeOrmSessionBackend) => Promise<unknown>, unknown]
  >)('is created again by the next call, which finds it empty: %s', async (_name, call, expected) => {
    const backend = await running();
    await drop();
    const result: unknown = await call(backend);
    if (typeof expected === 'object' && !(expected instanceof Set)) expect(result).toMatchObject(expected);
    else expect(result).toEqual(expected);
    expect(warnings).toEqual([
      expect.stringMatching(/^Sessions in .*: the table 'sessions' .* created again/),
    ]);
    expect(await backend.find(['a'])).toEqual([null]);
  });

  it('is created once when many calls notice at once, with pools of their own, and all of them succeed', async () => {
    const backends = [await running(), new TypeOrmSessionBackend(database.options(), { ...OPTIONS, logger })];
    for (let round = 0; round < 3; round++) {
      await Promise.all(backends.map((backend) => backend.find(['a'])));
      await drop();
      const calls = backends.flatMap((backend, number) =>
        Array.from({ length: 20 }, async (_, index) => {
          const id = `${number}-${index}`;
          await store(backend, row(id, { userId: id }));
          return (await backend.find([id]))[0]?.id === id;
        }),
      );
      expect(await Promise.all(calls)).toEqual(calls.map(() => true));
      expect(warnings).toHaveLength(round + 1);
    }
    await backends[1]?.close();
  });

  it.each([
    ['synchronize(true)', () => app.synchronize(true)],
    ['dropDatabase()', () => app.dropDatabase()],
  ])('by the app’s own `%s`: sessions begin anew', async (_name, clear) => {
    const backend = await running();
    for (let round = 0; round < 3; round++) {
      await clear();
      expect(await backend.find(['a'])).toEqual([null]);
      await store(backend, row('a'));
      expect(await backend.find(['a'])).toEqual([row('a')]);
    }
  });

  it('is missing where `createTable` is false: the error names it and the option, until it is there again', async () => {
    const maker = await running();
    const backend = new TypeOrmSessionBackend(app, { ...OPTIONS, createTable: false });
    await backend.init();
    await drop();
    const call = backend.find(['a']);
    await expect(call).rejects.toThrow(/Sessions in .*: The table 'sessions' does not exist.*`createTable`/);
    await expect(call).rejects.not.toBeInstanceOf(SessionOptionsError); // at run time it is storage that fails
    await maker.init();
    expect(await backend.find(['a'])).toEqual([null]);
  });

  it('and made by somebody else: the error names the columns, and the table is left as it is', async () => {
    const backend = await running();
    await drop();
    await app.query('CREATE TABLE sessions (id int, note varchar(9))');
    for (const call of [
      () => backend.find(['a']),
      () => backend.touch([{ id: 'a', ...USE }]),
      () => backend.insert(inserting(row('b'))),
    ]) {
      await expect(call()).rejects.toThrow(/Sessions in .*: The table 'sessions' exists.*'user_id'.*'note'/s);
    }
    expect(await app.query('SELECT * FROM sessions')).toEqual([]);
    await drop();
    expect(await backend.find(['a'])).toEqual([null]);
  });
});
