import { DataSource } from 'typeorm';
import { TypeOrmSessionBackend } from '../../../../../src/backends/typeorm/typeorm-session-backend.js';
import { SessionOptionsError } from '../../../../../src/core/session-errors.js';
import { SessionStore } from '../../../../../src/core/session-store.js';
import { OwnServer, withOwnServer } from '../../../../support/own-server.js';
import { OPTIONS } from '../../support/open-backend.js';

/** The start of an app: `null` where it starts, and a sign-in works, otherwise the reason why not. */
async function startOn(server: OwnServer): Promise<unknown> {
  const backend = new TypeOrmSessionBackend(server.options(), { ...OPTIONS, shared: false });
  const store = new SessionStore(backend, { plaintext: true });
  try {
    await store.initSchema();
    await store.create({}, 'ada');
    return null;
  } catch (error) {
    return error;
  } finally {
    await store.close();
  }
}

describe('a server with a binary log, on mariadb', () => {
  withOwnServer('mariadb', () => {
    let server: OwnServer;
    let admin: DataSource;

    beforeAll(async () => {
      server = await OwnServer.make('mariadb', ['--log-bin=binlog', '--server-id=1']);
      admin = await new DataSource(server.options()).initialize();
    });
    afterAll(async () => {
      await admin.destroy();
      await server.remove();
    });

    const setFormat = (format: string) => admin.query(`SET GLOBAL binlog_format = '${format}'`);

    it('is refused at startup with `binlog_format=STATEMENT`, in words that say what to do', async () => {
      await setFormat('STATEMENT');
      const refusal = await startOn(server);
      expect(refusal).toBeInstanceOf(SessionOptionsError);
      expect(String(refusal)).toMatch(
        /^SessionOptionsError: `dataSource`: expected a server with `binlog_format` ROW or MIXED, got STATEMENT/,
      );
    });

    it.each(['MIXED', 'ROW'])('is taken with `binlog_format=%s`', async (format) => {
      await setFormat(format);
      expect(await startOn(server)).toBeNull();
    });

    it('refuses with STATEMENT what a sign-in does, which is why', async () => {
      await setFormat('ROW');
      expect(await startOn(server)).toBeNull();
      await setFormat('STATEMENT');
      const runner = (await new DataSource(server.options()).initialize()).createQueryRunner();
      await runner.startTransaction('READ COMMITTED');
      await expect(runner.query('DELETE FROM sessions')).rejects.toMatchObject({ errno: 1665 });
      await runner.rollbackTransaction();
      await runner.release();
      await runner.connection.destroy();
    });
  });

  withOwnServer('mariadb', () => {
    it('is taken with `binlog_format=STATEMENT` where nothing is logged', async () => {
      const server = await OwnServer.make('mariadb', ['--binlog-format=STATEMENT']);
      expect(await startOn(server)).toBeNull();
      await server.remove();
    });
  });
});
