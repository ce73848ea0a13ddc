import { setTimeout as after } from 'node:timers/promises';
import type { DataSource } from 'typeorm';
import type { PayloadChange, Touch } from '../../../../src/core/session-backend.js';
import type { SessionRow } from '../../../../src/core/session-row.js';
import { TypeOrmSessionBackend } from '../../../../src/backends/typeorm/typeorm-session-backend.js';
import { MINUTE, NOW, row, store } from '../../../../src/testing/backend-contract/contract-rule.js';
import {
  DATABASE_KINDS,
  onEachDatabase,
  openDatabase,
  SERVERS,
  SERVER_KINDS,
  type TestDatabase,
} from '../../../support/databases.js';
import { TcpGate } from '../../../support/tcp-gate.js';
import { OPTIONS } from '../support/open-backend.js';

/** More rows than one statement takes. */
const MANY = 150;

const ids = (count: number): string[] => Array.from({ length: count }, (_, index) => `s-${index}`);

/** A change of its own for each row. */
function change(id: string, index: number, payload = Buffer.from(`payload of ${id}`)): PayloadChange {
  const use = { lastActiveAt: NOW + index, expiresAt: NOW + 70 * MINUTE + index, now: NOW };
  return { ...use, id, expectedVersion: 1, version: 1_000 + index, keyId: `key-${index % 3}`, payload };
}

function touch(id: string, index: number): Touch {
  return { id, lastActiveAt: NOW + index, expiresAt: NOW + 70 * MINUTE + index, now: NOW };
}

/** What a save or a touch changes of a row, as it is stored. */
async function stored(backend: TypeOrmSessionBackend, wanted: readonly string[]) {
  const found = await backend.find(wanted);
  return found.map(
    (each) =>
      each && {
        id: each.id,
        version: each.version,
        keyId: each.keyId,
        payload: each.payload.toString(),
        lastActiveAt: each.lastActiveAt,
        expiresAt: each.expiresAt,
      },
  );
}

/** What changes rows together, and whether it has changed one. */
const CALLS: ReadonlyArray<{
  readonly what: string;
  readonly call: (of: TypeOrmSessionBackend, wanted: readonly string[]) => Promise<readonly boolean[]>;
  readonly isDone: (one: SessionRow) => boolean;
}> = [
  {
    what: 'a save',
    call: (of, wanted) => of.save(wanted.map((id, index) => change(id, index))),
    isDone: ({ version }) => version >= 1_000,
  },
  {
    what: 'a touch',
    call: (of, wanted) => of.touch(wanted.map((id, index) => touch(id, 1 + index))),
    isDone: ({ lastActiveAt }) => lastActiveAt > NOW,
  },
];

let database: TestDatabase;
let app: DataSource;
let backend: TypeOrmSessionBackend;

async function open(kind: (typeof DATABASE_KINDS)[number]): Promise<void> {
  database = await openDatabase(kind);
  app = await database.open({ poolSize: 4 });
  backend = new TypeOrmSessionBackend(app, OPTIONS);
  await backend.init();
}

onEachDatabase('rows that are changed together', DATABASE_KINDS, (kind) => {
  beforeEach(() => open(kind));
  afterEach(async () => {
    await backend.close();
    await database.drop();
  });

  it('have each what was meant for it, and for nobody else', async () => {
    const wanted = ids(MANY);
    await store(backend, ...wanted.map((id) => row(id)), row('another'));
    const changes = wanted.map((id, index) => change(id, index));
    expect(await backend.save(changes.toReversed())).toEqual(changes.map(() => true));
    expect(await stored(backend, wanted)).toEqual(
      changes.map(({ id, version, keyId, payload, lastActiveAt, expiresAt }) => ({
        id,
        version,
        keyId,
        payload: payload.toString(),
        lastActiveAt,
        expiresAt,
      })),
    );
    expect(await backend.find(['another'])).toEqual([row('another')]);
  });

  it('have each the times that were meant for it', async () => {
    const wanted = ids(MANY);
    await store(backend, ...wanted.map((id) => row(id)), row('another'));
    const touches = wanted.map((id, index) => touch(id, index));
    expect(await backend.touch(touches.toReversed())).toEqual(touches.map(() => true));
    const found = await backend.find(wanted);
    expect(found).toEqual(
      touches.map(({ id, lastActiveAt, expiresAt }) => row(id, { lastActiveAt, expiresAt })),
    );
    expect(await backend.find(['another'])).toEqual([row('another')]);
  });

  it.each([0, 40, MANY - 1])(
    'are told apart when the one at %s has ended, and that one stays away',
    async (at) => {
      const wanted = ids(MANY);
      await store(backend, ...wanted.filter((_, index) => index !== at).map((id) => row(id)));
      const expected = wanted.map((_, index) => index !== at);
      expect(await backend.save(wanted.map((id, index) => change(id, index)))).toEqual(expected);
      expect((await backend.find(wanted)).map((each) => each?.version ?? null)).toEqual(
        wanted.map((_, index) => (index === at ? null : 1_000 + index)),
      );
      const later = wanted.map((id, index) => ({ ...touch(id, 500 + index), unlessActiveAfter: NOW + 400 }));
      expect(await backend.touch(later)).toEqual(expected);
    },
  );

  it('are told apart when another has changed one, whose change is left as it is', async () => {
    await store(backend, ...ids(5).map((id) => row(id)));
    const others = { ...change('s-2', 9), version: 77 };
    expect(await backend.save([others])).toEqual([true]);
    const told = await backend.save(ids(5).map((id, index) => change(id, index)));
    expect(told).toEqual([true, true, false, true, true]);
    expect((await backend.find(['s-2']))[0]?.version).toBe(77);
  });

  it('are told apart when one of them is used by another later, which is kept', async () => {
    await store(backend, ...ids(5).map((id) => row(id)));
    await backend.touch([touch('s-2', 300)]);
    const touches = ids(5).map((id, index) => ({ ...touch(id, index), unlessActiveAfter: NOW + 200 }));
    expect(await backend.touch(touches)).toEqual([true, true, false, true, true]);
    expect((await backend.find(['s-2']))[0]?.lastActiveAt).toBe(NOW + 300);
  });

  it('may be large together', async () => {
    const wanted = ids(24);
    await store(backend, ...wanted.map((id) => row(id)));
    const changes = wanted.map((id, index) => change(id, index, Buffer.alloc(700_000, index + 1)));
    expect(await backend.save(changes)).toEqual(changes.map(() => true));
    const found = await backend.find(wanted);
    expect(found.map((each, index) => each?.payload.equals(changes[index]?.payload as Buffer))).toEqual(
      wanted.map(() => true),
    );
  });

  it('may have any ids', async () => {
    const odd = [`it's`, 'a?b', '%', 'back\\slash', 'ünï', '"', 'a  ', 'a', 'A', ' a', '?'];
    await store(backend, ...odd.map((id) => row(id)));
    const changes = odd.map((id, index) => change(id, index));
    expect(await backend.save(changes)).toEqual(odd.map(() => true));
    expect((await backend.find(odd)).map((each) => each?.payload.toString())).toEqual(
      odd.map((id) => `payload of ${id}`),
    );
  });
});

onEachDatabase('rows that are changed together, on a server', SERVER_KINDS, (kind) => {
  beforeEach(() => open(kind));
  afterEach(async () => {
    await backend.close();
    await database.drop();
  });

  it.each([2, 32])('wait for no row but their own: %s of them', async (count) => {
    const wanted = ids(count);
    await store(backend, row('another'), row('t'), ...wanted.map((id) => row(id)));
    const runner = app.createQueryRunner();
    await runner.startTransaction();
    // One by one: of a small table, `IN` would have MariaDB read, and lock, every row.
    for (const id of ['another', 't'])
      await runner.query(`UPDATE sessions SET version = 5 WHERE id = '${id}'`);
    expect(await backend.save(wanted.map((id, index) => change(id, index)))).toEqual(wanted.map(() => true));
    expect(await backend.touch(wanted.map((id, index) => touch(id, index)))).toEqual(wanted.map(() => true));
    await runner.rollbackTransaction();
    await runner.release();
  });

  describe.each(CALLS)('$what, while the backend is closed', ({ call, isDone }) => {
    it('is done, though one of the rows has ended', async () => {
      const wanted = ids(5);
      await store(backend, ...wanted.slice(0, 4).map((id) => row(id)));
      const runner = app.createQueryRunner();
      await runner.startTransaction();
      await runner.query("SELECT * FROM sessions WHERE id = 's-0' FOR UPDATE");
      const calling = call(backend, wanted);
      await after(100);
      const closing = backend.close();
      await after(20);
      await runner.commitTransaction();
      await runner.release();
      expect(await calling).toEqual([true, true, true, true, false]);
      await closing;
      const another = new TypeOrmSessionBackend(app, OPTIONS);
      expect((await another.find(wanted)).map((each) => each && isDone(each))).toEqual([
        true,
        true,
        true,
        true,
        null,
      ]);
      await another.close();
    });
  });

  it('never wait for each other in a circle, in whichever order they come', async () => {
    const wanted = ids(40);
    await store(backend, ...wanted.map((id) => row(id)));
    for (let round = 0; round < 20; round++) {
      const one = wanted.map((id, index) => touch(id, index + round));
      await Promise.all([backend.touch(one), backend.touch(one.toReversed()), backend.touch(one.slice(20))]);
    }
    expect((await backend.find(wanted)).map((each) => each?.lastActiveAt)).toEqual(
      wanted.map((_, index) => NOW + index + 19),
    );
  });
});

onEachDatabase('saves of one moment whose answer is lost', SERVER_KINDS, (kind) => {
  /** The bytes with which a group of saves is stored for good. */
  const ENDING = kind === 'postgres' ? /UPDATE/ : /COMMIT(?!TED)/;
  const wanted = ids(5);
  const changes = wanted.map((id, index) => change(id, index));
  let gate: TcpGate;
  let far: TypeOrmSessionBackend;

  beforeEach(async () => {
    await open(kind);
    await store(backend, ...wanted.map((id) => row(id)));
    gate = new TcpGate(SERVERS[kind]);
    await gate.open();
    far = new TypeOrmSessionBackend(await database.open({ host: '127.0.0.1', port: gate.port }), OPTIONS);
    await far.init();
  });
  afterEach(async () => {
    await far.close();
    await gate.shut();
    await backend.close();
    await database.drop();
  });

  const versions = async () => (await backend.find(wanted)).map((each) => each?.version ?? null);

  it.each([1, 2])('are told as done when they are: lost %s times', async (times) => {
    gate.loseAnswerTo(ENDING, times);
    expect(await far.save(changes)).toEqual(changes.map(() => true));
    expect(await versions()).toEqual(changes.map(({ version }) => version));
  });

  it('fail when another has changed one meanwhile, whose change is kept', async () => {
    const other = { ...change('s-2', 9), expectedVersion: 1_002, version: 77 };
    gate.loseAnswerTo(ENDING, 1, () => backend.save([other]));
    await expect(far.save(changes)).rejects.toThrow();
    expect(await versions()).toEqual([1_000, 1_001, 77, 1_003, 1_004]);
  });

  it('fail when one has ended meanwhile, which stays away', async () => {
    gate.loseAnswerTo(ENDING, 1, () => backend.delete({ ids: ['s-2'] }));
    await expect(far.save(changes)).rejects.toThrow();
    expect(await versions()).toEqual([1_000, 1_001, null, 1_003, 1_004]);
  });
});
