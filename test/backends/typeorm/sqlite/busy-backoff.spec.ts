import { setTimeout as sleep } from 'node:timers/promises';
import { join } from 'node:path';
import { DataSource } from 'typeorm';
import { TypeOrmSessionBackend } from '../../../../src/backends/typeorm/typeorm-session-backend.js';
import {
  MINUTE,
  NOW,
  inserting,
  row,
  store,
} from '../../../../src/testing/backend-contract/contract-rule.js';
import { Child, stopChildren } from '../support/child.js';
import { FaultyDriver } from '../support/faulty-driver.js';
import { OPTIONS, PATIENCE, backendIn, sessionsFile } from '../support/open-backend.js';
import { removeTempFolders, tempFolder } from '../support/temp-folder.js';

afterEach(stopChildren);
afterEach(removeTempFolders);

const use = { id: 'a', lastActiveAt: NOW + 1, expiresAt: NOW + 61 * MINUTE, now: NOW };

/** A process that holds the write lock of the file. */
async function lockedBy(file: string): Promise<Child> {
  const child = Child.start();
  await child.call('lock', file);
  return child;
}

describe('while another process holds the lock of the file', () => {
  it('a write waits, and succeeds when the lock is released', async () => {
    const folder = await tempFolder();
    const backend = backendIn(folder);
    await store(backend, row('a'));
    const child = await lockedBy(sessionsFile(folder));
    const writes = Promise.all([backend.insert(inserting(row('b'))), backend.touch([use])]);
    expect(await backend.find(['a', 'b'])).toEqual([row('a'), null]);
    await child.call('unlock');
    expect(await writes).toMatchObject([{ status: 'inserted' }, [true]]);
    await backend.close();
  });

  it('reads go on, however many writes wait, since only one at a time asks for the lock', async () => {
    const faulty = new FaultyDriver();
    const folder = await tempFolder();
    const app = new DataSource({
      type: 'sqlite',
      database: join(folder, 'app.sqlite'),
      driver: faulty.driver,
    });
    const backend = new TypeOrmSessionBackend(app, OPTIONS);
    await store(backend, row('a'));
    const child = await lockedBy(sessionsFile(folder));
    faulty.statements.length = 0;
    const writes = Array.from({ length: 200 }, (_, index) => backend.insert(inserting(row(`s${index}`))));
    const began = performance.now();
    for (let turn = 0; turn < 10; turn++) expect(await backend.find(['a'])).toEqual([row('a')]);
    const took = performance.now() - began;
    expect(took).toBeLessThan(PATIENCE / 2);
    expect(faulty.statements.filter((sql) => sql.startsWith('BEGIN')).length).toBeLessThan(100);
    await child.call('unlock');
    expect((await Promise.all(writes)).every(({ status }) => status === 'inserted')).toBe(true);
    await backend.close();
  });

  it('a write is refused when the timeout is over, by a message that names the file and the cause', async () => {
    const folder = await tempFolder();
    const backend = backendIn(folder, { timeout: 3_000 });
    await store(backend, row('a'));
    const child = await lockedBy(sessionsFile(folder));
    const began = performance.now();
    const results = await Promise.allSettled([
      backend.insert(inserting(row('b'))),
      backend.touch([use]),
      backend.save([{ ...use, expectedVersion: 1, version: 2, keyId: 'k1', payload: Buffer.from('x') }]),
      backend.delete({ ids: ['a'] }),
      backend.prune({ now: NOW + 9_000 * MINUTE, cursor: null, batchSize: 10 }),
    ]);
    const took = performance.now() - began;
    for (const result of results) {
      expect(result).toMatchObject({ status: 'rejected' });
      const { message } = (result as PromiseRejectedResult).reason as Error;
      expect(message).toMatch(
        `Sessions in '${sessionsFile(folder)}': no success within 2700 ms; the last attempt`,
      );
      expect(message).toMatch('SQLITE_BUSY: database is locked');
    }
    expect(took).toBeGreaterThan(2_500);
    expect(took).toBeLessThan(13_000);
    expect(await backend.find(['a', 'b'])).toEqual([row('a'), null]);
    await child.call('unlock');
    // Nothing that was refused is done afterwards.
    expect(await backend.find(['a', 'b'])).toEqual([row('a'), null]);
    expect(await backend.touch([use])).toEqual([true]);
    await backend.close();
  });

  it('init waits as well, and is refused likewise', async () => {
    const folder = await tempFolder();
    const child = await lockedBy(sessionsFile(folder));
    const hasty = backendIn(folder, { timeout: 3_000 });
    await expect(hasty.init()).rejects.toThrow('SQLITE_BUSY: database is locked');
    await hasty.close();
    const backend = backendIn(folder);
    const init = backend.init();
    await child.call('unlock');
    await init;
    await store(backend, row('a'));
    await backend.close();
  });
});

describe('calls that wait for each other', () => {
  /** A backend, one statement of which is held back, and one call that waits behind it. */
  async function heldBackend(held: RegExp, timeout: number) {
    const faulty = new FaultyDriver();
    const database = join(await tempFolder(), 'app.sqlite');
    const app = new DataSource({ type: 'sqlite', database, driver: faulty.driver });
    const backend = new TypeOrmSessionBackend(app, { ...OPTIONS, timeout });
    await store(backend, row('a'));
    return { backend, release: faulty.hold(held) };
  }

  it('are refused at their deadline, and not executed later', async () => {
    const { backend, release } = await heldBackend(/^INSERT/, 3_000);
    const held = backend.insert(inserting(row('held')));
    const waiting = backend.insert(inserting(row('waiting')));
    await Promise.all([
      expect(waiting).rejects.toThrow('no success within 2700 ms; the first attempt has not ended'),
      expect(held).rejects.toThrow('no success within 2700 ms; the first attempt has not ended'),
    ]);
    release();
    await backend.init();
    expect(await backend.find(['held', 'waiting'])).toEqual([null, null]);
    await backend.close();
  });

  it('hear the truth of a statement that ends just after the deadline', async () => {
    const { backend, release } = await heldBackend(/^UPDATE/, 5_000);
    const held = backend.touch([use]);
    await sleep(100); // so that they do not share a transaction, which would be tried again for the one that is late
    await expect(backend.touch([use])).rejects.toThrow('no success within 4500 ms');
    release();
    expect(await held).toEqual([true]);
    await backend.close();
  });
});

describe('a commit that fails', () => {
  async function faultyBackend() {
    const faulty = new FaultyDriver();
    const database = join(await tempFolder(), 'app.sqlite');
    const app = new DataSource({ type: 'sqlite', database, driver: faulty.driver });
    const backend = new TypeOrmSessionBackend(app, { ...OPTIONS, timeout: 3_000 });
    await store(backend, row('a'));
    return { faulty, backend };
  }

  it('because the file is busy is tried again from the start, build included', async () => {
    const { faulty, backend } = await faultyBackend();
    faulty.fail(/^COMMIT/, 'SQLITE_BUSY', 2);
    let builds = 0;
    const build = () => (builds++, row('b'));
    const result = await backend.insert(inserting(row('b'), { replaces: 'a', build }));
    expect(result).toEqual({ status: 'inserted', row: row('b'), replaced: row('a'), evicted: [] });
    expect(builds).toBe(3);
    expect(await backend.find(['a', 'b'])).toEqual([null, row('b')]);
    await backend.close();
  });

  it('because the file stays busy is refused, with nothing changed and no transaction left open', async () => {
    const { faulty, backend } = await faultyBackend();
    faulty.fail(/^COMMIT/, 'SQLITE_BUSY', 1_000);
    await expect(backend.insert(inserting(row('b'), { replaces: 'a' }))).rejects.toThrow('SQLITE_BUSY');
    faulty.clear();
    expect(await backend.find(['a', 'b'])).toEqual([row('a'), null]);
    expect((await backend.insert(inserting(row('b'), { replaces: 'a' }))).status).toBe('inserted');
    await backend.close();
  });

  it('and cannot be rolled back either ends the connection, and with it the transaction', async () => {
    const { faulty, backend } = await faultyBackend();
    faulty.fail(/^COMMIT/, 'SQLITE_IOERR');
    faulty.fail(/^ROLLBACK/, 'SQLITE_IOERR');
    await expect(backend.insert(inserting(row('b'), { replaces: 'a' }))).rejects.toThrow('SQLITE_IOERR');
    expect(await backend.find(['a', 'b'])).toEqual([row('a'), null]);
    expect((await backend.insert(inserting(row('c')))).status).toBe('inserted');
    await backend.close();
  });

  it('leaves what build threw as it is, even when nothing can be rolled back', async () => {
    const { faulty, backend } = await faultyBackend();
    faulty.fail(/^ROLLBACK/, 'SQLITE_IOERR');
    const thrown = new RangeError('no such plan');
    const build = () => {
      throw thrown;
    };
    await expect(backend.insert(inserting(row('b'), { build }))).rejects.toBe(thrown);
    expect((await backend.insert(inserting(row('c')))).status).toBe('inserted');
    await backend.close();
  });
});
