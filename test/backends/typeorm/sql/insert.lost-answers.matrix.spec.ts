import type { DataSource, QueryRunner } from 'typeorm';
import { TypeOrmSessionBackend } from '../../../../src/backends/typeorm/typeorm-session-backend.js';
import { SessionStoreError } from '../../../../src/core/session-errors.js';
import { SessionStore } from '../../../../src/core/session-store.js';
import {
  onEachDatabase,
  openDatabase,
  SERVERS,
  SERVER_KINDS,
  type TestDatabase,
} from '../../../support/databases.js';
import { TcpGate } from '../../../support/tcp-gate.js';
import { OPTIONS } from '../support/open-backend.js';

/** Not `READ COMMITTED`. */
const COMMIT = /COMMIT(?!TED)/;
const STATE = { userId: null, data: { step: 2 } };
const UNCHANGED = { replace: false, set: {}, remove: [], flashesAdded: [], flashesRead: [] } as const;

/** Rows with which a COMMIT waits as long as somebody else holds the lock. */
const SLOW_COMMIT = [
  `CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_advisory_xact_lock_shared(7); RETURN NULL; END $$`,
  `CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON sessions DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION wait()`,
];

onEachDatabase('an insert that waits for no lock of a user', SERVER_KINDS, (kind) => {
  let database: TestDatabase;
  let admin: DataSource;
  let holder: QueryRunner;
  let gate: TcpGate;
  let store: SessionStore;

  beforeEach(async () => {
    database = await openDatabase(kind);
    admin = await database.open({ poolSize: 3 });
    holder = admin.createQueryRunner();
    gate = new TcpGate(SERVERS[kind]);
    await gate.open();
    const app = await database.open({ host: '127.0.0.1', port: gate.port, poolSize: 5 });
    const options = { plaintext: true, maxPerUser: false, timeout: OPTIONS.timeout } as const;
    store = new SessionStore(new TypeOrmSessionBackend(app, OPTIONS), options);
    await store.initSchema();
    await store.save('old', { userId: null, data: { step: 1 } }, '1h');
  });
  afterEach(async () => {
    await holder.release();
    await gate.shut();
    await database.drop();
  });

  /** Sessions in storage, but for the old one. */
  const stored = async (): Promise<string[]> => {
    const rows: Array<{ id: string | Buffer }> = await admin.query(
      "SELECT id FROM sessions WHERE id <> 'old'",
    );
    return rows.map(({ id }) => String(id));
  };

  /** Waits until so many transactions wait for a lock. */
  const waiting = async (count: number): Promise<void> => {
    const sql =
      kind === 'postgres'
        ? "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        : "SELECT 1 FROM information_schema.innodb_trx JOIN information_schema.processlist ON id = trx_mysql_thread_id WHERE db = DATABASE() AND trx_state = 'LOCK WAIT'";
    while ((await admin.query<unknown[]>(sql)).length < count)
      await new Promise((resolve) => setTimeout(resolve, 200)); // InnoDB says nothing new to whoever asks more often
  };

  /** The first COMMIT of a call goes on at the server until the next attempt waits for it. */
  async function underWay<T>(call: () => Promise<T>): Promise<T> {
    let goOn: () => void = () => undefined;
    if (kind === 'postgres') {
      for (const statement of SLOW_COMMIT) await admin.query(statement);
      await holder.query('SELECT pg_advisory_lock(7)');
    }
    const isDelivered = new Promise<void>((resolve) => (goOn = resolve));
    const answered = gate.abandon(COMMIT, kind === 'postgres' ? undefined : isDelivered);
    const result = call();
    await waiting(kind === 'postgres' ? 2 : 1);
    goOn();
    if (kind === 'postgres') await holder.query('SELECT pg_advisory_unlock(7)');
    await answered;
    return result;
  }

  it('is 503 when the answer comes too late, and then what was stored takes no place of its user', async () => {
    const app = await database.open({ host: '127.0.0.1', port: gate.port, poolSize: 5 });
    const backend = new TypeOrmSessionBackend(app, { ...OPTIONS, timeout: 500 });
    const strict = new SessionStore(backend, {
      plaintext: true,
      timeout: 500,
      maxPerUser: 1,
      onLimit: 'reject',
    });
    await strict.initSchema();
    gate.delayAnswersTo(COMMIT, 1_200);
    await expect(strict.create({}, 'ada')).rejects.toThrow(SessionStoreError);
    gate.delayAnswersTo(null);
    expect(await stored()).toHaveLength(1);
    while ((await stored()).length > 0) await new Promise((resolve) => setTimeout(resolve, 100));
    const { session } = await strict.create({}, 'ada');
    await new Promise((resolve) => setTimeout(resolve, 2_500)); // what is looked for once more is gone
    expect(await stored()).toEqual([session.id]);
    await strict.close();
  });

  const signIn = (userId: string | null, previousId: string | null) =>
    store.manager.create({
      userId,
      previousId,
      meta: {},
      changes: UNCHANGED,
      data: STATE.data,
      persistent: true,
    });

  it.each<[string, string | null, string | null]>([
    ['of nobody', null, null],
    ['of a user', 'ada', null],
    ['of nobody in place of another', null, 'old'],
    ['of nobody in place of one that has gone', null, 'gone'],
  ])('stores a session %s once when its COMMIT is under way still', async (_name, userId, previousId) => {
    const { row, token } = await underWay(() => signIn(userId, previousId));
    expect(await stored()).toEqual([row.id]);
    expect(await store.readByToken(token)).toMatchObject({ id: row.id, userId, data: STATE.data });
  });

  it.each<[string, () => Promise<unknown>]>([
    ['under a key', () => store.put('key', STATE, '1h')],
    ['under another key', () => store.cycle('old', 'key', STATE, '1h')],
  ])('stores a value %s when its COMMIT is under way still, and says so', async (_name, call) => {
    expect(await underWay(call)).toMatchObject({ id: 'key' });
    expect(await stored()).toEqual(['key']);
    expect((await store.get('key'))?.data).toEqual(STATE.data);
  });

  // Elsewhere the INSERT has been heard before the COMMIT leaves, so that the next attempt waits.
  if (kind === 'postgres') {
    it.each([null, 'ada'])('stores a session of %p once when the server hears it later', async (userId) => {
      let deliver: () => void = () => undefined;
      const answered = gate.abandon(COMMIT, new Promise<void>((resolve) => (deliver = resolve)));
      const { row, token } = await signIn(userId, null);
      deliver();
      await answered;
      expect(await stored()).toEqual([row.id]);
      expect(await store.readByToken(token)).toMatchObject({ id: row.id });
    });

    it('lets nobody in when the server hears it after the session has been ended', async () => {
      let deliver: () => void = () => undefined;
      const answered = gate.abandon(COMMIT, new Promise<void>((resolve) => (deliver = resolve)));
      const { row, token } = await signIn('ada', null);
      await store.delete(row.id);
      deliver();
      await answered;
      expect(await store.readByToken(token)).toBeNull();
    });
  }
});
