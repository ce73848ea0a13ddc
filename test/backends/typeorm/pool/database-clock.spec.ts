import { setTimeout as sleep } from 'node:timers/promises';
import type { DataSourceOptions } from 'typeorm';
import { TypeOrmSessionBackend } from '../../../../src/backends/typeorm/typeorm-session-backend.js';
import { onEachDatabase, openDatabase, SERVERS, type TestDatabase } from '../../../support/databases.js';
import { TcpGate } from '../../../support/tcp-gate.js';
import { OPTIONS } from '../support/open-backend.js';

/** Milliseconds that a clock may be off: the answers of a machine that is busy take a while. */
const NEAR = 400;

onEachDatabase('the clock of a server', ['postgres', 'mariadb'], (kind) => {
  let database: TestDatabase;
  let gate: TcpGate;

  beforeEach(async () => {
    database = await openDatabase(kind);
    gate = new TcpGate(SERVERS[kind]);
    await gate.open();
  });
  afterEach(async () => {
    await gate.shut();
    await database.drop();
  });

  const open = async (more: object = {}): Promise<TypeOrmSessionBackend> => {
    const options = { ...database.options(), ...more } as DataSourceOptions;
    const backend = new TypeOrmSessionBackend(options, OPTIONS);
    await backend.init();
    return backend;
  };

  it('is that of this machine, when both are one machine', async () => {
    const backend = await open();
    const { now } = await backend.health();
    expect(Math.abs(Number(now) - Date.now())).toBeLessThan(NEAR);
    await backend.close();
  });

  it('is the same in every time zone', async () => {
    const statement =
      kind === 'postgres' ? "SET TIME ZONE 'Asia/Kolkata'" : "SET time_zone = '+05:30', timestamp = DEFAULT";
    const app = await database.open({ poolSize: 1 });
    await app.query(statement);
    const backend = new TypeOrmSessionBackend(app, OPTIONS);
    await backend.init();
    const { now } = await backend.health();
    expect(Math.abs(Number(now) - Date.now())).toBeLessThan(NEAR);
    await backend.close();
  });

  it('is told from no answer that took long', async () => {
    const backend = await open({ host: '127.0.0.1', port: gate.port });
    await backend.health();
    gate.stick();
    const asked = backend.health();
    await sleep(1_200);
    gate.unstick();
    expect((await asked).now).toBeNull();
    expect((await backend.health()).now).not.toBeNull();
    await backend.close();
  });
});
