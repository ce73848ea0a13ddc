import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, copyFileSync, existsSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { open, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DataSource } from 'typeorm';
import { TypeOrmSessionBackend } from '../../../../src/backends/typeorm/typeorm-session-backend.js';
import { inserting, row, store } from '../../../../src/testing/backend-contract/contract-rule.js';
import { Child, stopChildren } from '../support/child.js';
import { OPTIONS, backendIn, otherFile, sessionsFile } from '../support/open-backend.js';
import { removeTempFolders, tempFolder } from '../support/temp-folder.js';

afterEach(stopChildren);
afterEach(removeTempFolders);

describe('a file that cannot be written', () => {
  /** A process that root's power to write everything has been taken from. */
  async function unprivileged(folder: string, options = OPTIONS): Promise<Child> {
    const child = Child.start();
    await child.call('open', join(folder, 'app.sqlite'), options);
    if (process.getuid?.() === 0) {
      chownSync(folder, 65_534, 65_534);
      for (const name of readdirSync(folder)) chownSync(join(folder, name), 65_534, 65_534);
      await child.call('becomeNobody');
    }
    return child;
  }

  it.each([0o444, 0o000])('is refused with mode %o, and used again when that is over', async (mode) => {
    const folder = await tempFolder();
    const file = sessionsFile(folder);
    const backend = backendIn(folder);
    await store(backend, row('a'));
    await backend.close();
    chmodSync(file, mode);
    const child = await unprivileged(folder);
    const refusal = `Sessions in '${file}': SQLITE_READONLY: this process may not write the file`;
    await expect(child.call('init')).rejects.toThrow(refusal);
    await expect(child.call('find', 'a')).rejects.toThrow(refusal);
    await expect(child.call('insert', 'b')).rejects.toThrow(refusal);
    chmodSync(file, 0o644);
    expect(await child.call('find', 'a')).toBe('a');
    expect(await child.call('insert', 'b')).toBe('inserted');
    await child.call('close');
  });

  it('though its connection was opened is refused by SQLite, and used again when that is over', async () => {
    const folder = await tempFolder();
    const file = sessionsFile(folder);
    const backend = backendIn(folder);
    await store(backend, row('a'));
    // The log of a read-only process: SQLite gives it the mode of the file.
    for (const name of [`${file}-wal`, `${file}-shm`]) copyFileSync(name, `${name}.kept`);
    await backend.close();
    for (const name of [`${file}-wal`, `${file}-shm`]) renameSync(`${name}.kept`, name);
    chmodSync(`${file}-wal`, 0o444);
    const child = await unprivileged(folder);
    await expect(child.call('insert', 'b')).rejects.toThrow(`Sessions in '${file}': SQLITE_`);
    chmodSync(`${file}-wal`, 0o644);
    expect(await child.call('insert', 'b')).toBe('inserted');
    await child.call('close');
  });

  it('is refused in a read-only folder that it cannot be created in, and created when that is over', async () => {
    const folder = await tempFolder();
    await writeFile(sessionsFile(folder), '');
    const child = await unprivileged(folder);
    rmSync(sessionsFile(folder));
    chmodSync(folder, 0o555);
    await expect(child.call('init')).rejects.toThrow(
      `Sessions in '${sessionsFile(folder)}': SQLITE_CANTOPEN`,
    );
    chmodSync(folder, 0o755);
    await child.call('init');
    expect(await child.call('insert', 'a')).toBe('inserted');
    await child.call('close');
  });
});

describe('a disk that fails', () => {
  it('by being full refuses what does not fit, leaves the rest, and is used again when there is room', async () => {
    const file = join(await tempFolder(), 'only.sqlite');
    const dataSource = await new DataSource({ type: 'sqlite', database: file }).initialize();
    const backend = new TypeOrmSessionBackend(dataSource, { ...OPTIONS, shared: false });
    await store(backend, row('a'));
    await dataSource.query('PRAGMA max_page_count = 10');
    const large = row('b', { payload: Buffer.alloc(60_000) });
    await expect(backend.insert(inserting(large, { replaces: 'a' }))).rejects.toThrow(
      `Sessions in '${file}': SQLITE_FULL: database or disk is full`,
    );
    expect(await backend.find(['a', 'b'])).toEqual([row('a'), null]);
    await dataSource.query('PRAGMA max_page_count = 1000');
    expect((await backend.insert(inserting(large, { replaces: 'a' }))).status).toBe('inserted');
    await backend.close();
    await dataSource.destroy();
  });

  const prlimit = ['/usr/bin/prlimit', '/bin/prlimit'].find((path) => existsSync(path));

  (prlimit ? it : it.skip)(
    'by an I/O error refuses the call, and is used again when that is over',
    async () => {
      const folder = await tempFolder();
      const child = Child.start("trap '' XFSZ");
      await child.call('open', join(folder, 'app.sqlite'), OPTIONS);
      await child.call('insert', 'a');
      const limitFiles = (bytes: string) =>
        execFileSync(String(prlimit), [`--pid=${child.process.pid}`, `--fsize=${bytes}:unlimited`]);
      limitFiles('1000');
      await expect(child.call('insert', 'b')).rejects.toThrow(
        `Sessions in '${sessionsFile(folder)}': SQLITE_IOERR`,
      );
      limitFiles('unlimited');
      expect(await child.call('insert', 'c')).toBe('inserted');
      expect(await child.call('find', 'a')).toBe('a');
      expect(await child.call('find', 'b')).toBe(null);
      await child.call('close');
    },
  );
});

describe('a file that is damaged', () => {
  it('is refused when it is no database, and used when it has been replaced', async () => {
    const folder = await tempFolder();
    const file = sessionsFile(folder);
    await writeFile(file, 'This is not a database. '.repeat(1_000));
    const backend = backendIn(folder);
    for (let turn = 0; turn < 2; turn++) {
      await expect(backend.init()).rejects.toThrow(
        `Sessions in '${file}': SQLITE_NOTADB: file is not a database`,
      );
    }
    copyFileSync(await otherFile('good'), file);
    expect(await backend.find(['good'])).toEqual([row('good')]);
    await backend.close();
  });

  it('is refused where it is malformed, and used when it has been repaired', async () => {
    const folder = await tempFolder();
    const file = sessionsFile(folder);
    const first = backendIn(folder);
    await first.init();
    const ids = Array.from({ length: 60 }, (_, index) => `s${index}`);
    await store(first, ...ids.map((id) => row(id, { payload: Buffer.alloc(65_536, id) })));
    await first.close();
    const backend = backendIn(folder);
    expect(await backend.find(['s0'])).toHaveLength(1);
    const good = await readFile(file);
    const handle = await open(file, 'r+');
    await handle.write(Buffer.alloc(good.length - 20 * 4_096, 0xee), 0, undefined, 20 * 4_096);
    await expect(backend.find(ids)).rejects.toThrow(`Sessions in '${file}': SQLITE_CORRUPT`);
    await expect(backend.find(ids)).rejects.toThrow('SQLITE_CORRUPT: database disk image is malformed');
    await handle.write(good, 0, undefined, 0);
    await handle.close();
    expect((await backend.find(ids)).filter((each) => each === null)).toEqual([]);
    await store(backend, row('new'));
    await backend.close();
  });
});
