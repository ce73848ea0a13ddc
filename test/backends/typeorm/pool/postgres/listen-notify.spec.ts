import { createHash } from 'node:crypto';
import type { DataSource } from 'typeorm';
import { TypeOrmSessionBackend } from '../../../../../src/backends/typeorm/typeorm-session-backend.js';
import type { EndedSessions } from '../../../../../src/core/session-bus.js';
import type { EndReason } from '../../../../../src/core/live-sessions.js';
import { SessionStore } from '../../../../../src/core/session-store.js';
import { RecordingLogger } from '../../../../core/support/open-store.js';
import {
  onEachDatabase,
  openDatabase,
  SERVERS,
  type TestDatabase,
  type TestOptions,
} from '../../../../support/databases.js';
import { OwnServer } from '../../../../support/own-server.js';
import { PgBouncer } from '../../../../support/pg-bouncer.js';
import { freePort, withPrograms } from '../../../../support/programs.js';
import { TcpGate } from '../../../../support/tcp-gate.js';
import { OPTIONS, PATIENCE } from '../../support/open-backend.js';
import { Replica, stopReplicas } from '../../support/replica.js';

/** Nobody finds an ended session by looking, within the time of a test. */
const NEVER = '1h';

const stores: SessionStore[] = [];
afterEach(async () => {
  await Promise.all(stores.splice(0).map((store) => store.close()));
});

/** A store with the bus of its storage, which listens already. */
function openStore(
  source: DataSource | TestOptions,
  { tableName = 'sessions', recheck = NEVER, timeout = PATIENCE } = {},
) {
  const logger = new RecordingLogger();
  const backend = new TypeOrmSessionBackend(source, {
    ...OPTIONS,
    shared: false,
    tableName,
    timeout,
    logger,
  });
  const store = new SessionStore(
    backend,
    { plaintext: true, timeout, maxPerUser: false, live: { recheck, bus: 'storage' } },
    logger,
  );
  stores.push(store);
  /** Something open for a new session. It is looked for once when the bus is ready. */
  const stream = async (user = 'ada') => {
    const { session } = await store.create({}, user);
    const row = await store.parts.backend.lookUp(session.id);
    const ended = new Promise<EndReason>((end) => store.manager.live.add(row!, { end }));
    return { id: session.id, ended };
  };
  return { store, backend, logger, stream };
}

/** Resolves when the bus of a backend listens, and later to each thing that it has heard. */
function hearing(backend: TypeOrmSessionBackend) {
  const heard: EndedSessions[] = [];
  const waiting: (() => void)[] = [];
  const stop = backend.bus()!.subscribe((ended) => {
    heard.push(ended);
    for (const look of waiting.splice(0)) look();
  });
  const until = async (isHeard: () => boolean): Promise<void> => {
    while (!isHeard()) await new Promise<void>((resolve) => waiting.push(resolve));
  };
  return { heard, until, ready: until(() => heard.includes('all')), stop };
}

const channelOf = (...table: string[]) =>
  `nest_sessions_${createHash('sha256').update(table.join('\0')).digest('hex').slice(0, 32)}`;

onEachDatabase('LISTEN and NOTIFY', ['postgres'], (kind) => {
  let database: TestDatabase;
  beforeEach(async () => (database = await openDatabase(kind)));
  afterEach(async () => {
    await Promise.all(stores.splice(0).map((store) => store.close()));
    await stopReplicas();
    await database.drop();
  });

  it('make what is open end when another process has ended its session', async () => {
    const { store, backend, logger, stream } = openStore(database.options());
    await store.initSchema();
    const bus = hearing(backend);
    await bus.ready;
    const open = await stream();
    const replica = await Replica.on(database.options(), { live: { bus: 'storage' } });
    expect(await replica.call('endAll', 'ada')).toBe(1);
    expect(await open.ended).toBe('revoked');
    await bus.until(() => bus.heard.some((ended) => ended[0] === open.id)); // each listener hears in its own time
    await replica.call('close');
    await bus.stop();
    expect(logger.warnings).toEqual([]);
  });

  it('tell of sessions that a process ends just before it closes', async () => {
    const { store, backend, stream } = openStore(database.options());
    await store.initSchema();
    const bus = hearing(backend);
    await bus.ready;
    const open = await stream();
    const script = openStore(database.options()).store;
    stores.splice(stores.indexOf(script), 1);
    await script.destroyAll();
    await script.close();
    expect(await open.ended).toBe('revoked');
    await bus.stop();
  });

  it('work on the pool of the app, beside which they have one connection', async () => {
    const app = await database.open({ poolSize: 1 });
    const { store, backend, stream } = openStore(app);
    await store.initSchema();
    const bus = hearing(backend);
    await bus.ready;
    const open = await stream();
    await openStore(database.options()).store.destroyAll();
    expect(await open.ended).toBe('revoked');
    const listening: unknown[] = await app.query(
      "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'",
    );
    expect(listening).toHaveLength(2); // that of the store, and that of the test
    await bus.stop();
  });

  it('leave no connection behind', async () => {
    const app = await database.open();
    const { store, backend } = openStore(app);
    const bus = hearing(backend);
    await bus.ready;
    await bus.stop();
    stores.splice(stores.indexOf(store), 1);
    await store.close();
    const count = async () => {
      const rows: unknown[] = await app.query(
        "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND query LIKE '%LISTEN%' AND pid <> pg_backend_pid()",
      );
      return rows.length;
    };
    while ((await count()) > 0);
  });

  it('carry as many ids as fit, and otherwise all', async () => {
    const { backend } = openStore(database.options());
    const bus = hearing(backend);
    await bus.ready;
    const other = backend.bus()!;
    const [few, many] = [270, 300].map((count) =>
      Array.from({ length: count }, (_, index) => `01ARZ3NDEKTSV4RRFFQ69G${String(index).padStart(4, '0')}`),
    ) as [string[], string[]];
    const wide = ['ä'.repeat(255), 'it\'s "quoted" \\'];
    bus.heard.length = 0;
    for (const ended of [few, many, wide, 'all'] as const) await other.publish(ended);
    await bus.until(() => bus.heard.length === 4);
    expect(bus.heard).toEqual([few, 'all', wide, 'all']);
    await bus.stop();
  });

  it('are heard by the apps of one table alone', async () => {
    const one = openStore(database.options(), { tableName: 'shop' });
    const two = openStore(database.options(), { tableName: 'admin' });
    const [shop, admin] = [hearing(one.backend), hearing(two.backend)];
    await Promise.all([shop.ready, admin.ready]);
    admin.heard.length = 0;
    await one.backend.bus()!.publish(['for the shop']);
    await shop.until(() => shop.heard.some((ended) => ended !== 'all'));
    await two.backend.bus()!.publish(['for the admin']);
    await admin.until(() => admin.heard.length > 0);
    expect(admin.heard).toEqual([['for the admin']]);
    await Promise.all([shop.stop(), admin.stop()]);
  });

  it('end nothing for a notification that somebody made up', async () => {
    const app = await database.open();
    const { store, backend, logger, stream } = openStore(app);
    await store.initSchema();
    const bus = hearing(backend);
    await bus.ready;
    const open = await stream();
    let hasEnded = false;
    void open.ended.then(() => (hasEnded = true));
    bus.heard.length = 0;
    const forged = [JSON.stringify([open.id]), '"all"', '', 'junk', '{"test":1}', '[1,2]', 'null', '[[[['];
    for (const payload of forged)
      await app.query('SELECT pg_notify($1, $2)', [channelOf('sessions'), payload]);
    await backend.bus()!.publish(['the last']);
    await bus.until(() => bus.heard.length > forged.length - 1);
    expect(bus.heard).toEqual([[open.id], 'all', 'all', 'all', 'all', 'all', 'all', ['the last']]);
    await store.load(open.id);
    expect(hasEnded).toBe(false);
    expect([...logger.warnings, ...logger.errors]).toEqual([]);
    await bus.stop();
  });

  it('listen anew when the connection is ended, and then look at all that is open', async () => {
    const app = await database.open();
    const { store, backend, stream } = openStore(app);
    await store.initSchema();
    const bus = hearing(backend);
    await bus.ready;
    const open = await stream();
    bus.heard.length = 0;
    await app.query('DELETE FROM sessions'); // by somebody who tells nobody
    await app.query(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'",
    );
    await bus.until(() => bus.heard.includes('all'));
    expect(await open.ended).toBe('revoked');
    await bus.stop();
  });

  it('notify after the end of a session is committed: who hears it finds no row', async () => {
    const { store, backend } = openStore(database.options());
    await store.initSchema();
    const { session } = await store.create({}, 'ada');
    const other = await database.open();
    let look: (rows: Promise<unknown>) => void = () => undefined;
    const found = new Promise<unknown>((resolve) => (look = resolve));
    const stop = backend.bus()!.subscribe((ended) => {
      if (ended === 'all') void store.delete(session.id);
      else if (ended.includes(session.id)) look(other.query('SELECT id FROM sessions'));
    });
    expect(await found).toEqual([]);
    await stop();
  });
});

onEachDatabase('LISTEN that is never answered', ['postgres'], (kind) => {
  it('is given up within the timeout, and begins anew on another connection', async () => {
    const database = await openDatabase(kind);
    const gate = new TcpGate(SERVERS[kind]);
    await gate.open();
    const options = { ...database.options(), host: '127.0.0.1', port: gate.port } as TestOptions;
    const { store, backend, logger } = openStore(options, { timeout: 1_000 });
    await store.initSchema();
    gate.swallow(/LISTEN/);
    const bus = hearing(backend);
    const failures = () => logger.warnings.filter((line) => line.includes('LISTEN'));
    while (failures().length === 0) await new Promise(setImmediate);
    expect(failures()[0]).toMatch(
      /failed: no answer within 1000 ms \(the `timeout` option\)\. It is tried again/,
    );
    gate.swallow(null);
    await bus.ready;
    await bus.stop();
    await Promise.all(stores.splice(0).map((one) => one.close()));
    await gate.shut();
    await database.drop();
  });
});

describe('LISTEN, where servers go and come', () => {
  withPrograms(['initdb', 'postgres', 'pgbouncer'], () => {
    let server: OwnServer;
    beforeAll(async () => (server = await OwnServer.make('postgres')));
    afterAll(() => server?.remove());

    it('goes on after a restart of the server, and says once that it failed', async () => {
      const { store, backend, logger, stream } = openStore(server.options(), { timeout: 5_000 });
      await store.initSchema();
      const bus = hearing(backend);
      await bus.ready;
      const open = await stream();
      bus.heard.length = 0;
      await server.stop();
      const own = () => logger.warnings.filter((line) => line.includes('LISTEN'));
      while (own().length < 2) await new Promise(setImmediate); // that of the store, and that of the test
      await server.start();
      await bus.until(() => bus.heard.includes('all'));
      await openStore(server.options()).store.destroyAll();
      expect(await open.ended).toBe('revoked');
      expect(own()).toHaveLength(2);
      expect(own()[0]).toMatch(
        /^Sessions in PostgreSQL database 'sessions_test' at 127\.0\.0\.1:\d+: LISTEN of `live\.bus` failed: .*\. It is tried again\. Sessions that other processes end are found each `live\.recheck`$/,
      );
      await bus.stop();
    });

    it('is given up behind PgBouncer in transaction mode, in one line, and what is open is polled', async () => {
      const bouncer = await PgBouncer.before(server);
      try {
        const { store, logger, stream } = openStore(bouncer.options(), {
          recheck: '100ms',
          tableName: 'behind',
        });
        await store.initSchema();
        store.manager.live.start();
        while (logger.warnings.length === 0) await new Promise(setImmediate);
        expect(logger.warnings).toEqual([
          expect.stringMatching(
            /: LISTEN of `live\.bus` hears nothing, as behind PgBouncer in transaction mode, and is given up\. Sessions that other processes end are found each `live\.recheck`$/,
          ),
        ]);
        const open = await stream();
        await openStore(server.options(), { tableName: 'behind' }).store.destroyAll();
        expect(await open.ended).toBe('revoked');
        expect((await store.create({}, 'ada')).session.userId).toBe('ada');
        await Promise.all(stores.splice(0).map((one) => one.close()));
      } finally {
        await bouncer.stop();
      }
    });

    it('holds up neither the start nor the end of a process whose server is not there', async () => {
      const options = { ...server.options(), port: await freePort() } as TestOptions;
      const { store, logger } = openStore(options, { timeout: 500 });
      store.manager.live.start();
      while (logger.warnings.length === 0) await new Promise(setImmediate);
      stores.splice(stores.indexOf(store), 1);
      await store.close();
      expect(logger.warnings).toEqual([
        expect.stringMatching(/LISTEN of `live\.bus` failed: .*ECONNREFUSED/),
      ]);
    });
  });
});
