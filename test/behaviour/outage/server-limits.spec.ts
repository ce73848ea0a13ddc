import { SessionModule } from 'nest-sessions';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { DataSource, type DataSourceOptions } from 'typeorm';
import { closeApps, KEY, RecordingLogger, startApp } from '../../support/nest-app.js';
import { OwnServer, withOwnServer } from '../../support/own-server.js';
import { Client, type Reply } from './support/client.js';

const TIMEOUT = 1_000;
/** A request looks the session up and then saves it: two waits. And the machine may be busy. */
const LONGEST = 2 * TIMEOUT + 1_500;
const POOL = 3;
/** Milliseconds after which no connection is in use whose transactions are read-only. */
const SETTLED = 300;

/** What a server does to the user of the app, and what is seen of it over HTTP. */
interface Trouble {
  readonly name: string;
  /** Statements of the administrator. They hold for connections that are made afterwards. */
  readonly limits: readonly string[];
  /** Those that undo them. */
  readonly none: readonly string[];
  /** What else is done meanwhile: connections of the app's user that are taken, or a row that is locked. */
  readonly meanwhile?: 'connections' | 'lock';
  /** Whether sessions can be read. */
  readonly isRead: boolean;
  /** What the log says of it. */
  readonly says: RegExp;
}

const TROUBLES: Readonly<Record<'postgres' | 'mariadb', readonly Trouble[]>> = {
  postgres: [
    {
      name: 'cancels statements after a while (57014)',
      limits: ["ALTER USER app SET statement_timeout = '100ms'"],
      none: ['ALTER USER app RESET statement_timeout'],
      meanwhile: 'lock',
      isRead: true,
      says: /57014/,
    },
    {
      name: 'waits a while for locks (55P03)',
      limits: ["ALTER USER app SET lock_timeout = '100ms'"],
      none: ['ALTER USER app RESET lock_timeout'],
      meanwhile: 'lock',
      isRead: true,
      says: /55P03/,
    },
    {
      name: 'has no connection left for the user (53300)',
      limits: ['ALTER USER app CONNECTION LIMIT 1'],
      none: ['ALTER USER app CONNECTION LIMIT -1'],
      meanwhile: 'connections',
      isRead: false,
      says: /53300/,
    },
    {
      name: 'makes every transaction of the user read-only (25006)',
      limits: ['ALTER USER app SET default_transaction_read_only = on'],
      none: ['ALTER USER app RESET default_transaction_read_only'],
      isRead: false,
      says: /read-only/,
    },
    {
      name: 'ends connections that rest (57P05)',
      limits: ["ALTER USER app SET idle_session_timeout = '20ms'"],
      none: ['ALTER USER app RESET idle_session_timeout'],
      isRead: true,
      says: /^$/,
    },
    {
      name: 'lets the user in no more (28000)',
      limits: ['ALTER USER app NOLOGIN'],
      none: ['ALTER USER app LOGIN'],
      isRead: false,
      says: /28000/,
    },
  ],
  mariadb: [
    {
      name: 'cancels statements after a while (1969)',
      limits: ['SET GLOBAL max_statement_time = 0.1'],
      none: ['SET GLOBAL max_statement_time = 0'],
      meanwhile: 'lock',
      isRead: true,
      says: /1969/,
    },
    {
      name: 'has no connection left for the user (1203)',
      limits: ['SET GLOBAL max_user_connections = 1'],
      none: ['SET GLOBAL max_user_connections = 50'],
      meanwhile: 'connections',
      isRead: false,
      says: /ER_TOO_MANY_USER_CONNECTIONS/,
    },
    {
      name: 'has no connection left for the account (1226)',
      limits: ["ALTER USER app@'%' WITH MAX_USER_CONNECTIONS 1"],
      none: ["ALTER USER app@'%' WITH MAX_USER_CONNECTIONS 0"],
      meanwhile: 'connections',
      isRead: false,
      says: /ER_USER_LIMIT_REACHED/,
    },
    {
      name: 'makes every transaction read-only (1792)',
      limits: ['SET GLOBAL tx_read_only = ON'],
      none: ['SET GLOBAL tx_read_only = OFF'],
      isRead: true,
      says: /ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION/,
    },
    {
      name: 'ends connections that rest',
      limits: ['SET GLOBAL wait_timeout = 1'],
      none: ['SET GLOBAL wait_timeout = 28800'],
      isRead: true,
      says: /^$/,
    },
    {
      name: 'lets the user in no more (4151)',
      limits: ["ALTER USER app@'%' ACCOUNT LOCK"],
      none: ["ALTER USER app@'%' ACCOUNT UNLOCK"],
      isRead: false,
      says: /this account is locked/,
    },
  ],
};

const USER = {
  postgres: [
    'CREATE USER app',
    'ALTER DATABASE sessions_test OWNER TO app',
    'GRANT ALL ON SCHEMA public TO app',
  ],
  mariadb: ["CREATE USER app@'%'", "GRANT ALL ON sessions_test.* TO app@'%'"],
} as const;

const MORE = { postgres: [], mariadb: ['--max-user-connections=50'] } as const;

describe.each(['postgres', 'mariadb'] as const)('a server that refuses, on %s', (kind) => {
  withOwnServer(kind, () => {
    let server: OwnServer;
    let admin: DataSource;
    let address: string;
    let ada: Client;
    let logger: RecordingLogger;

    beforeAll(async () => {
      server = await OwnServer.make(kind, MORE[kind]);
      admin = await new DataSource(server.options()).initialize();
      for (const sql of USER[kind]) await admin.query(sql);
    });
    afterAll(async () => {
      await admin.destroy();
      await server.remove();
    });

    beforeEach(async () => {
      logger = new RecordingLogger();
      const dataSource = { ...options(), poolSize: POOL } as DataSourceOptions;
      const sessions = SessionModule.forRoot({
        key: KEY,
        timeout: TIMEOUT,
        rotation: { every: '1h' },
        dataSource,
      });
      const app = await startApp({ logger, imports: [sessions] });
      await app.listen(0, '127.0.0.1');
      const { port } = (app.getHttpServer() as import('node:http').Server).address() as AddressInfo;
      address = `http://127.0.0.1:${port}`;
      ada = new Client(address, 'ada');
      await ada.signIn();
      await ada.write('dark');
    });
    afterEach(() => closeApps());

    const options = () => ({ ...server.options(), username: 'app' });

    /** Ends the connections of the app, so that it makes others. */
    async function endConnections(): Promise<void> {
      const rows: Array<{ id: number }> = await admin.query(
        kind === 'postgres'
          ? "SELECT pid AS id FROM pg_stat_activity WHERE usename = 'app'"
          : "SELECT id FROM information_schema.processlist WHERE user = 'app'",
      );
      for (const { id } of rows)
        await admin.query(kind === 'postgres' ? `SELECT pg_terminate_backend(${id})` : `KILL ${id}`);
    }

    /** @returns ends it */
    async function hold(what: Trouble['meanwhile']): Promise<() => Promise<void>> {
      if (what === undefined) return async () => undefined;
      const own = what === 'connections' ? options() : server.options();
      const other = await new DataSource({ ...own, poolSize: 1 } as never).initialize();
      if (what === 'connections') return () => other.destroy();
      const holder = other.createQueryRunner();
      await holder.startTransaction();
      await holder.query('SELECT id FROM sessions FOR UPDATE');
      return async () => {
        await holder.rollbackTransaction();
        await holder.release();
        await other.destroy();
      };
    }

    /** 503 in time, for whoever may try again, and the cookie stays. */
    function expectOutage(...replies: readonly Reply[]): void {
      for (const { status, retryAfter, hasSetCookie, took } of replies) {
        expect([status, retryAfter, hasSetCookie]).toEqual([503, '5', false]);
        expect(took).toBeLessThan(LONGEST);
      }
    }

    /** Without a restart, at once, with what was acknowledged. */
    async function expectRecovery(): Promise<void> {
      const reads = await Promise.all(Array.from({ length: 4 * POOL }, () => ada.read()));
      for (const { status, body } of reads) {
        expect([status, body.userId]).toEqual([200, 'ada']);
        expect(ada.possible).toContain(body.theme);
      }
      for (let count = 0; count < 2 * POOL; count++)
        expect((await ada.write(`after ${count}`)).status).toBe(201);
    }

    it.each(TROUBLES[kind])('it $name', async ({ limits, none, meanwhile, isRead, says }) => {
      for (const sql of limits) await admin.query(sql);
      await endConnections();
      const end = await hold(meanwhile);
      const isRefused = says.source !== '^$';
      const [read, written] = [await ada.read(), isRefused ? await ada.write('during') : null];
      if (isRead) expect([read.status, read.body.userId]).toEqual([200, 'ada']);
      else expectOutage(read);
      if (written) expectOutage(written);
      if (isRefused) expect(logger.about('Session storage fails').join()).toMatch(says);
      else {
        await sleep(kind === 'mariadb' ? 1_200 : 100);
        await expectRecovery();
      }
      await end();
      for (const sql of none) await admin.query(sql);
      await sleep(SETTLED);
      await expectRecovery();
    });
  });
});
