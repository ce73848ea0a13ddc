import { join } from 'node:path';
import { DataSource } from 'typeorm';
import { TypeOrmSessionBackend } from '../../../../src/backends/typeorm/typeorm-session-backend.js';
import { inserting, row, store } from '../../../../src/testing/backend-contract/contract-rule.js';
import { Child, stopChildren } from '../support/child.js';
import { FaultyDriver } from '../support/faulty-driver.js';
import { backendIn, OPTIONS } from '../support/open-backend.js';
import { removeTempFolders, tempFolder } from '../support/temp-folder.js';

afterEach(async () => {
  await stopChildren();
  await removeTempFolders();
});

/** A backend with row `a` on a driver that fails on demand. */
async function watched(options = {}) {
  const faulty = new FaultyDriver();
  const database = join(await tempFolder(), 'app.sqlite');
  const app = new DataSource({ type: 'sqlite', database, driver: faulty.driver });
  const backend = new TypeOrmSessionBackend(app, { ...OPTIONS, ...options });
  await store(backend, row('a'));
  faulty.statements.length = 0;
  return { faulty, backend };
}

const saving = (id: string) => {
  const { version: expectedVersion, lastActiveAt, expiresAt } = row(id);
  const payload = Buffer.from('new');
  return {
    id,
    expectedVersion,
    version: 99,
    keyId: 'k',
    payload,
    lastActiveAt,
    expiresAt,
    now: lastActiveAt,
  };
};

const commits = ({ statements }: FaultyDriver) => statements.filter((sql) => sql === 'COMMIT').length;

describe('writes that wait for the connection', () => {
  it('share one transaction, whatever they write', async () => {
    const { faulty, backend } = await watched();
    const results = await Promise.all([
      backend.insert(inserting(row('b'))),
      backend.save([saving('a')]),
      backend.insert(inserting(row('c'))),
      backend.delete({ ids: ['b'] }),
    ]);
    expect(results).toMatchObject([{ status: 'inserted' }, [true], { status: 'inserted' }, [{ id: 'b' }]]);
    expect(commits(faulty)).toBe(1);
    expect((await backend.find(['a', 'b', 'c'])).map((found) => found?.version ?? null)).toEqual([
      99,
      null,
      row('c').version,
    ]);
    await backend.close();
  });

  it('share one transaction also when the connection was free and they come one by one in a turn', async () => {
    const { faulty, backend } = await watched();
    // As requests do: each in a step of its own, with all that it leads to at once, before the next.
    const results = await Promise.all(
      ['b', 'c', 'd'].map(
        (id) => new Promise((resolve) => setImmediate(() => resolve(backend.insert(inserting(row(id)))))),
      ),
    );
    expect(results).toMatchObject(['b', 'c', 'd'].map(() => ({ status: 'inserted' })));
    expect(commits(faulty)).toBe(1);
    await backend.close();
  });

  it('are acknowledged after the commit, not before', async () => {
    const { faulty, backend } = await watched();
    const release = faulty.hold(/^COMMIT$/);
    const acknowledged: string[] = [];
    const inserts = ['b', 'c'].map(async (id) => {
      await backend.insert(inserting(row(id)));
      acknowledged.push(id);
    });
    while (commits(faulty) === 0) await new Promise(setImmediate);
    await new Promise(setImmediate);
    expect(acknowledged).toEqual([]);
    release();
    await Promise.all(inserts);
    expect(acknowledged).toEqual(['b', 'c']);
    await backend.close();
  });

  it('fail alone when a statement of theirs fails', async () => {
    const { faulty, backend } = await watched();
    faulty.fail(/^UPDATE/, 'SQLITE_TOOBIG');
    const [b, a, c] = await Promise.allSettled([
      backend.insert(inserting(row('b'))),
      backend.save([saving('a')]),
      backend.insert(inserting(row('c'))),
    ]);
    expect([b, c]).toMatchObject([{ value: { status: 'inserted' } }, { value: { status: 'inserted' } }]);
    expect(a).toMatchObject({ reason: { message: expect.stringContaining('SQLITE_TOOBIG') as string } });
    expect(commits(faulty)).toBe(1);
    expect(await backend.find(['a', 'b', 'c'])).toEqual([row('a'), row('b'), row('c')]);
    await backend.close();
  });

  it.each(['SQLITE_FULL', 'SQLITE_IOERR'])(
    'each get a transaction of their own when theirs ends with %s, and only the bad one fails',
    async (code) => {
      const { faulty, backend } = await watched();
      faulty.fail(/^UPDATE/, code, 2);
      const [b, a, c] = await Promise.allSettled([
        backend.insert(inserting(row('b'))),
        backend.save([saving('a')]),
        backend.insert(inserting(row('c'))),
      ]);
      expect([b, c]).toMatchObject([{ value: { status: 'inserted' } }, { value: { status: 'inserted' } }]);
      expect(a).toMatchObject({ reason: { message: expect.stringContaining(code) as string } });
      expect(await backend.find(['a', 'b', 'c'])).toEqual([row('a'), row('b'), row('c')]);
      await backend.close();
    },
  );

  it('take back only what throws, or is not to be committed', async () => {
    const { backend } = await watched();
    const failing = inserting(row('b'));
    const [b, a, c] = await Promise.allSettled([
      backend.insert({
        ...failing,
        build: () => {
          throw new Error('not today');
        },
      }),
      backend.insert(inserting(row('a'))),
      backend.insert(inserting(row('c'))),
    ]);
    expect(b).toMatchObject({ reason: { message: 'not today' } });
    expect([a, c]).toMatchObject([{ value: { status: 'taken' } }, { value: { status: 'inserted' } }]);
    expect(await backend.find(['b', 'c'])).toEqual([null, row('c')]);
    await backend.close();
  });

  it('are not stored once their caller has been refused, and those beside them are', async () => {
    const { faulty, backend } = await watched({ timeout: 3_000 });
    const release = faulty.hold(/^INSERT/);
    const refused = backend.insert(inserting(row('b')));
    await expect(refused).rejects.toThrow('no success within 2700 ms');
    const later = backend.insert(inserting(row('c')));
    release();
    expect(await later).toMatchObject({ status: 'inserted' });
    expect(await backend.find(['b', 'c'])).toEqual([null, row('c')]);
    await backend.close();
  });
});

describe('a process that is killed in the middle of 10,000 acknowledged writes', () => {
  it('has lost none of them', async () => {
    const folder = await tempFolder();
    const child = Child.start();
    await child.call('open', join(folder, 'app.sqlite'), OPTIONS);
    const end = child.call('saveMany', 's', 40, 20_000).catch((error: Error) => error.message);
    await child.hasAcknowledged(10_000);
    await child.kill();
    expect(await end).toBe('the child ended: SIGKILL');
    const latest = new Map<string, number>();
    for (const [id = '', version] of child.acknowledged.map((text) => text.split(' '))) {
      latest.set(id, Math.max(latest.get(id) ?? 0, Number(version)));
    }
    expect(child.acknowledged.length).toBeGreaterThanOrEqual(10_000);
    expect(latest.size).toBe(40);
    const backend = backendIn(folder);
    const stored = await backend.find([...latest.keys()]);
    const lost = stored.filter((found, index) => (found?.version ?? -1) < ([...latest.values()][index] ?? 0));
    expect(lost).toEqual([]);
    await backend.close();
  });
});
