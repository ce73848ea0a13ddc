import { TypeOrmSessionBackend } from '../../../../src/backends/typeorm/typeorm-session-backend.js';
import { SessionStore } from '../../../../src/core/session-store.js';
import {
  inserting,
  MINUTE,
  NOW,
  idleSince,
  row,
  store,
} from '../../../../src/testing/backend-contract/contract-rule.js';
import { evict, reject, used } from '../../../../src/testing/backend-contract/limit-fixtures.js';
import {
  DATABASE_KINDS,
  type DatabaseKind,
  onEachDatabase,
  openDatabase,
  type TestDatabase,
} from '../../../support/databases.js';
import { OPTIONS } from '../support/open-backend.js';

onEachDatabase('sessions that count towards a limit', DATABASE_KINDS, (kind) => {
  let database: TestDatabase;
  let backend: TypeOrmSessionBackend;

  beforeEach(async () => {
    database = await openDatabase(kind);
    backend = new TypeOrmSessionBackend(database.options(), { ...OPTIONS, shared: false });
    await backend.init();
  });
  afterEach(async () => {
    await backend.close();
    await database.drop();
  });

  const evictedBy = async (limit = evict(1), notBefore = NOW): Promise<readonly string[] | string> => {
    const result = await backend.insert(inserting(row('new'), { limit, notBefore }));
    return result.status === 'inserted' ? result.evicted.map(({ id }) => id) : result.status;
  };

  it('are those of the present of the row, also where they were read by an earlier one', async () => {
    await store(backend, row('gone', idleSince(NOW)), used('oldest', 2));
    expect(await evictedBy(evict(2), NOW - MINUTE)).toEqual([]);
    expect(await backend.find(['gone', 'oldest'])).not.toContain(null);
  });

  it('do not refuse a sign-in when they have expired since it was asked for', async () => {
    await store(backend, row('gone', idleSince(NOW)));
    expect(await evictedBy(reject(1), NOW - MINUTE)).toEqual([]);
  });

  it('are looked for again when the clock has been set back meanwhile', async () => {
    await store(backend, row('active', idleSince(NOW + MINUTE)));
    expect(await evictedBy(evict(1), NOW + 2 * MINUTE)).toEqual(['active']);
  });

  it('are the same for several sign-ins of one user at once', async () => {
    await store(backend, row('gone', idleSince(NOW)), used('oldest', 2));
    const results = await Promise.all(
      ['n1', 'n2', 'n3', 'n4'].map((id, index) =>
        backend.insert(
          inserting(row(id, { lastActiveAt: NOW + index }), { limit: evict(2), notBefore: NOW - MINUTE }),
        ),
      ),
    );
    const evicted = results.flatMap((result) =>
      result.status === 'inserted' ? result.evicted.map(({ id }) => id) : result.status,
    );
    expect(evicted.toSorted()).toEqual(['n1', 'n2', 'oldest']);
  });
});

/** What makes a table take an INSERT, on MariaDB the second one of a user, and store nothing. */
const DISCARDING: Readonly<Record<DatabaseKind, readonly string[]>> = {
  postgres: [
    'CREATE FUNCTION discard() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$',
    'CREATE TRIGGER discards BEFORE INSERT ON sessions FOR EACH ROW EXECUTE FUNCTION discard()',
  ],
  mariadb: ['CREATE UNIQUE INDEX one_of_each ON sessions (user_id)'],
  sqlite: ['CREATE TRIGGER discards BEFORE INSERT ON sessions BEGIN SELECT RAISE(IGNORE); END'],
  'better-sqlite3': ['CREATE TRIGGER discards BEFORE INSERT ON sessions BEGIN SELECT RAISE(IGNORE); END'],
};

onEachDatabase('a table that takes an INSERT and stores nothing', DATABASE_KINDS, (kind) => {
  it.each([5, false] as const)(
    'ends in an error, not in attempts without end: maxPerUser %p',
    async (max) => {
      const database = await openDatabase(kind);
      const backend = new TypeOrmSessionBackend(database.options(), { ...OPTIONS, shared: false });
      const sessions = new SessionStore(backend, {
        plaintext: true,
        maxPerUser: max,
        timeout: OPTIONS.timeout,
      });
      await sessions.initSchema();
      const session = kind === 'mariadb' ? (await sessions.create({}, 'ada')).session.id : null;
      const admin = await database.open();
      for (const statement of DISCARDING[kind]) await admin.query(statement);
      await expect(sessions.create({}, 'ada')).rejects.toThrow(
        'storage takes the INSERT of a session and stores nothing.',
      );
      expect((await sessions.listForUser('ada')).map(({ id }) => id)).toEqual(
        session === null ? [] : [session],
      );
      await sessions.close();
      await database.drop();
    },
  );
});
