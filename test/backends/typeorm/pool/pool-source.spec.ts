import { setTimeout as sleep } from 'node:timers/promises';
import { TypeOrmSessionBackend } from '../../../../src/backends/typeorm/typeorm-session-backend.js';
import { row, store } from '../../../../src/testing/backend-contract/contract-rule.js';
import {
  onEachDatabase,
  openDatabase,
  SERVER_KINDS,
  SERVERS,
  type TestDatabase,
} from '../../../support/databases.js';
import { freePort } from '../../../support/programs.js';
import { TcpGate } from '../../../support/tcp-gate.js';
import { OPTIONS } from '../support/open-backend.js';

onEachDatabase('a pool of our own with `replication`', SERVER_KINDS, (kind) => {
  let database: TestDatabase;
  let gate: TcpGate;
  let backend: TypeOrmSessionBackend;

  beforeEach(async () => {
    database = await openDatabase(kind);
    gate = new TcpGate(SERVERS[kind]);
    await gate.open();
    const { username, password } = SERVERS[kind];
    const { database: name, type } = database.options();
    const address = { username, password, database: name };
    const replication = {
      master: { host: '127.0.0.1', port: gate.port, ...address },
      slaves: [{ host: '127.0.0.1', port: await freePort(), ...address }],
    };
    // What stands beside it is TypeORM's for nobody.
    const options = { type, host: 'nowhere.invalid', database: 'none', poolSize: 3, replication };
    backend = new TypeOrmSessionBackend(options as never, { ...OPTIONS, timeout: 10_000 });
  });
  afterEach(async () => {
    await backend.close();
    await gate.shut();
    await database.drop();
  });

  it('connects to the master alone: a replica that is down is not missed', async () => {
    await backend.init();
    await store(backend, row('a'));
    expect(await backend.find(['a'])).toEqual([row('a')]);
  });

  it('names the master in messages, and has it back after many failures to reach it', async () => {
    await backend.init();
    await store(backend, row('a'));
    await gate.shut();
    for (let count = 0; count < 12; count++)
      await expect(backend.find(['a'])).rejects.toThrow(
        new RegExp(
          `^Sessions in \\w+ database 'nest_sessions_\\w+' at 127\\.0\\.0\\.1:${gate.port}: .*ECONNREFUSED`,
        ),
      );
    await gate.open();
    expect(await backend.find(['a'])).toEqual([row('a')]);
  });
});

onEachDatabase('a pool of our own whose first question is never answered', SERVER_KINDS, (kind) => {
  const TIMEOUT = 1_000;
  let database: TestDatabase;
  let gate: TcpGate;
  let backend: TypeOrmSessionBackend;

  beforeEach(async () => {
    database = await openDatabase(kind);
    gate = new TcpGate(SERVERS[kind]);
    await gate.open();
    const options = { ...database.options(), host: '127.0.0.1', port: gate.port };
    backend = new TypeOrmSessionBackend(options, { ...OPTIONS, timeout: TIMEOUT });
    gate.swallow(/SELECT/);
  });
  afterEach(async () => {
    await backend.close();
    await gate.shut();
    await database.drop();
  });

  it('refuses calls in time, and says what they waited for', async () => {
    for (const call of [() => backend.init(), () => backend.find(['a'])])
      await expect(call()).rejects.toThrow(/: no success within 900 ms; the pool has not been opened$/);
  });

  it('is opened anew, on another connection, and the one that hangs is ended', async () => {
    await expect(backend.init()).rejects.toThrow('no success within');
    gate.swallow(null);
    const began = performance.now();
    const isReady = (): Promise<boolean> =>
      backend.init().then(
        () => true,
        () => false,
      );
    while (!(await isReady()) && performance.now() - began < 10 * TIMEOUT) await sleep(20);
    expect(performance.now() - began).toBeLessThan(4 * TIMEOUT);
    await store(backend, row('a'));
    expect(await backend.find(['a'])).toEqual([row('a')]);
    expect(gate.connections).toBe(1);
  });

  it('is given up by those who close it, and its connection ended', async () => {
    await expect(backend.init()).rejects.toThrow('no success within');
    const began = performance.now();
    await backend.close();
    expect(performance.now() - began).toBeLessThan(TIMEOUT / 2);
    for (const end = began + TIMEOUT; gate.connections > 0 && performance.now() < end;) await sleep(20);
    expect(gate.connections).toBe(0);
  });
});
