import type { PayloadChange } from '../../../../src/core/session-backend.js';
import type { SessionRow } from '../../../../src/core/session-row.js';
import { TypeOrmSessionBackend } from '../../../../src/backends/typeorm/typeorm-session-backend.js';
import {
  inserting,
  MINUTE,
  NOW,
  row,
  store,
} from '../../../../src/testing/backend-contract/contract-rule.js';
import { evict, used } from '../../../../src/testing/backend-contract/limit-fixtures.js';
import { onEachDatabase, openDatabase, SERVER_KINDS, type TestDatabase } from '../../../support/databases.js';
import { RoundTrips } from '../../../support/round-trips.js';
import { OPTIONS } from '../support/open-backend.js';

const USE = { lastActiveAt: NOW + 1, expiresAt: NOW + 5 * MINUTE, now: NOW };

const OTHERS = ['b', 'c', 'd', 'e'].map((id) => row(id));

function change(id: string): PayloadChange {
  return { ...USE, id, expectedVersion: 1, version: 2, keyId: 'k', payload: Buffer.from(id) };
}

/** A sign-in as the store makes it. */
const signIn = (backend: TypeOrmSessionBackend, built: SessionRow, replaces: string | null = null) =>
  backend.insert(inserting(built, { limit: evict(3), replaces, notBefore: NOW }));

/** What a call does, and how many times it waits for the server. */
const CALLS: ReadonlyArray<{
  readonly what: string;
  readonly trips: Readonly<Record<(typeof SERVER_KINDS)[number], number>>;
  readonly rows?: readonly SessionRow[];
  readonly call: (backend: TypeOrmSessionBackend) => Promise<unknown>;
}> = [
  { what: 'a look-up', trips: { postgres: 1, mariadb: 1 }, call: (backend) => backend.find(['a']) },
  {
    what: 'a save',
    trips: { postgres: 1, mariadb: 1 },
    call: (backend) => backend.save([change('a')]),
  },
  {
    what: 'saves of one moment',
    trips: { postgres: 1, mariadb: 4 },
    rows: OTHERS,
    call: (backend) => backend.save(['a', 'b', 'c', 'd', 'e'].map(change)),
  },
  {
    what: 'saves of one moment, one of a session that has ended',
    trips: { postgres: 1, mariadb: 5 },
    rows: OTHERS,
    call: (backend) => backend.save(['a', 'b', 'c', 'd', 'e', 'f'].map(change)),
  },
  {
    what: 'touches of one moment',
    trips: { postgres: 1, mariadb: 5 },
    rows: OTHERS,
    call: (backend) => backend.touch(['a', 'b', 'c', 'd', 'e', 'f'].map((id) => ({ id, ...USE }))),
  },
  {
    what: 'a touch',
    trips: { postgres: 1, mariadb: 1 },
    call: (backend) => backend.touch([{ id: 'a', ...USE }]),
  },
  {
    what: 'a session of nobody',
    trips: { postgres: 1, mariadb: 4 },
    call: (backend) => backend.insert(inserting(row('new', { userId: null }))),
  },
  {
    what: 'a sign-in',
    trips: { postgres: 2, mariadb: 7 },
    call: (backend) => signIn(backend, row('new')),
  },
  {
    what: 'a sign-in that replaces a session',
    trips: { postgres: 5, mariadb: 9 },
    call: (backend) => signIn(backend, row('new'), 'a'),
  },
  {
    what: 'a sign-in that ends the oldest session',
    trips: { postgres: 4, mariadb: 8 },
    rows: [used('b', 5), used('c', 4)],
    call: (backend) => signIn(backend, row('new')),
  },
  {
    what: 'a sign-out',
    trips: { postgres: 1, mariadb: 5 },
    call: (backend) => backend.delete({ ids: ['a'] }),
  },
];

onEachDatabase('how many times a call waits for the server', SERVER_KINDS, (kind) => {
  let database: TestDatabase;
  let trips: RoundTrips;

  beforeEach(async () => {
    database = await openDatabase(kind);
    trips = await RoundTrips.open(kind, database.options() as { host: string; port: number });
  });
  afterEach(async () => {
    await trips.close();
    await database.drop();
  });

  describe.each([true, false])('statements have names: %s', (preparedStatements) => {
    it.each(CALLS)('$what', async ({ call, trips: expected, rows = [] }) => {
      const options = { ...database.options(), host: '127.0.0.1', port: trips.port, poolSize: 1 };
      const backend = new TypeOrmSessionBackend(options as never, { ...OPTIONS, preparedStatements });
      await backend.init();
      // The statements of a call have been prepared on this connection before.
      for (const each of [row('a'), ...rows]) await backend.insert(inserting(each));
      await call(backend);
      await backend.delete({ userId: 'ada' });
      await backend.delete({ ids: ['new'] });
      await store(backend, row('a'), ...rows);
      expect(await trips.during(() => call(backend))).toBe(expected[kind]);
      await backend.close();
    });
  });
});
