import { chmodSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DataSource, type DataSourceOptions } from 'typeorm';
import { TypeOrmSessionBackend } from '../../../../src/backends/typeorm/typeorm-session-backend.js';
import { row, store } from '../../../../src/testing/backend-contract/contract-rule.js';
import { onEachDatabase } from '../../../support/databases.js';
import { OPTIONS, sessionsFile } from '../support/open-backend.js';
import { removeTempFolders, tempFolder } from '../support/temp-folder.js';

afterEach(removeTempFolders);

const onUnix = process.platform === 'win32' ? describe.skip : describe;

onUnix('the mode of the file of sessions', () => {
  onEachDatabase('on a machine whose umask takes nothing away', ['sqlite', 'better-sqlite3'], (type) => {
    const umask = process.umask();
    beforeEach(() => void process.umask(0));
    afterEach(() => void process.umask(umask));

    let folder: string;
    const warnings: string[] = [];
    beforeEach(async () => {
      warnings.length = 0;
      folder = await tempFolder();
    });
    const logger = { warn: (line: string) => void warnings.push(line), error: () => undefined };
    const options = (database: string) => ({ type, database }) as DataSourceOptions;
    const beside = () =>
      new TypeOrmSessionBackend(new DataSource(options(join(folder, 'app.sqlite'))), { ...OPTIONS, logger });
    const onOptions = () =>
      new TypeOrmSessionBackend(options(sessionsFile(folder)), { ...OPTIONS, shared: false, logger });
    const modes = () =>
      Object.fromEntries(
        readdirSync(folder).map((name) => [name, statSync(join(folder, name)).mode & 0o777]),
      );

    it.each([
      ['beside that of the app', beside],
      ['that options name', onOptions],
    ])('is 0600 %s, for the write-ahead log too, and for all that follow', async (_, open) => {
      const backend = open();
      await store(backend, row('a'));
      expect(modes()).toEqual({
        'app.sessions.sqlite': 0o600,
        'app.sessions.sqlite-shm': 0o600,
        'app.sessions.sqlite-wal': 0o600,
      });
      await backend.close();
      const again = open();
      await store(again, row('b'));
      expect(Object.values(modes())).toEqual([0o600, 0o600, 0o600]);
      await again.close();
      expect(warnings).toEqual([]);
    });

    it('is 0600 behind a symbolic link that leads nowhere yet', async () => {
      symlinkSync(join(folder, 'elsewhere.sqlite'), sessionsFile(folder));
      const backend = beside();
      await store(backend, row('a'));
      expect(modes()['elsewhere.sqlite']).toBe(0o600);
      await backend.close();
    });

    it('is 0600 when it is made anew, after somebody has deleted it', async () => {
      const backend = beside();
      await store(backend, row('a'));
      for (const name of readdirSync(folder)) chmodSync(join(folder, name), 0o666);
      rmSync(sessionsFile(folder));
      await backend.find(['a']).catch(() => undefined);
      await store(backend, row('b'));
      expect(modes()['app.sessions.sqlite']).toBe(0o600);
      await backend.close();
    });

    it.each([0o640, 0o660])('stays %o, as somebody chose for a group', async (mode) => {
      writeFileSync(sessionsFile(folder), '');
      chmodSync(sessionsFile(folder), mode);
      const backend = beside();
      await store(backend, row('a'));
      expect(Object.values(modes())).toEqual([mode, mode, mode]);
      expect(warnings).toEqual([]);
      await backend.close();
    });

    it('that lets everybody in stays, with one warning that says how to change it', async () => {
      writeFileSync(sessionsFile(folder), '');
      chmodSync(sessionsFile(folder), 0o644);
      const backend = beside();
      await store(backend, row('a'));
      expect(modes()['app.sessions.sqlite']).toBe(0o644);
      expect(warnings).toEqual([
        expect.stringMatching(
          /every user of this machine may read or write the file.*chmod o= '.*app\.sessions/,
        ),
      ]);
      await backend.close();
    });

    it('is nothing of a data source that somebody else has opened', async () => {
      const dataSource = await new DataSource(options(join(folder, 'only.sqlite'))).initialize();
      const backend = new TypeOrmSessionBackend(dataSource, { ...OPTIONS, shared: false, logger });
      await store(backend, row('a'));
      expect(modes()['only.sqlite']).toBe(0o644);
      expect(warnings).toEqual([]);
      await backend.close();
      await dataSource.destroy();
    });
  });
});
