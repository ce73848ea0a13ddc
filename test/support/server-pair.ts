import { setTimeout as sleep } from 'node:timers/promises';
import { DataSource } from 'typeorm';
import type { SERVER_KINDS, TestOptions } from './databases.js';
import { OwnServer } from './own-server.js';
import { TcpGate } from './tcp-gate.js';

type ServerKind = (typeof SERVER_KINDS)[number];

/**
 * A primary, a standby that follows it, and a name that leads to the one of them that is the primary just now. The options
 * of `name()` are those of a user who has no power over the server, as apps should be.
 */
export class ServerPair {
  private constructor(
    readonly kind: ServerKind,
    readonly first: OwnServer,
    readonly second: OwnServer,
    readonly gate: TcpGate,
  ) {}

  static async make(kind: ServerKind): Promise<ServerPair> {
    const first = await OwnServer.make(kind, MORE[kind].first);
    await onServer(first, MORE[kind].users);
    const second = await OwnServer.installed(kind, (data) => MORE[kind].copy(first, data), MORE[kind].second);
    await second.start();
    await onServer(second, MORE[kind].follow(first));
    const gate = new TcpGate({ host: '127.0.0.1', port: first.port });
    await gate.open();
    const pair = new ServerPair(kind, first, second, gate);
    await pair.#waitFor(second, MORE[kind].hasUser, 1);
    return pair;
  }

  /** Options of a data source that goes wherever the name leads. */
  name(): TestOptions {
    return this.options({ port: this.gate.port });
  }

  /** Options of a data source of the app's user, at one of them. */
  options({ port }: { readonly port: number }): TestOptions {
    return { ...this.first.options(), username: 'app', port } as TestOptions;
  }

  /** The first takes no writes any more. Its connections live on. */
  async demoteFirst(): Promise<void> {
    await onServer(this.first, MORE[this.kind].demote);
    await this.#waitFor(this.first, MORE[this.kind].isReadOnly, 1);
  }

  /** Waits until the second has all that the first has. */
  async follow(): Promise<void> {
    const { position, hasPosition } = MORE[this.kind];
    const [{ value }] = await onServer(this.first, [position]);
    await this.#waitFor(this.second, hasPosition(String(value)), 1);
  }

  /** The second has all that the first was told, takes writes, and has the name. */
  async promoteSecond(): Promise<void> {
    const { promote, isReadOnly } = MORE[this.kind];
    await this.follow();
    await onServer(this.second, promote);
    await this.#waitFor(this.second, isReadOnly, 0);
    this.gate.lead({ host: '127.0.0.1', port: this.second.port });
  }

  async remove(): Promise<void> {
    await this.gate.shut();
    await this.second.remove();
    await this.first.remove();
  }

  async #waitFor(server: OwnServer, sql: string, expected: number): Promise<void> {
    for (const end = performance.now() + 30_000; performance.now() < end; await sleep(20)) {
      const [row] = await onServer(server, [sql]);
      if (Number(row.value) === expected) return;
    }
    throw new Error(`not ${expected} within 30 s: ${sql}`);
  }
}

/** Executes statements as its administrator, on a connection of its own. @returns the rows of the last */
async function onServer(server: OwnServer, statements: readonly string[]): Promise<[{ value: unknown }]> {
  const { database } = ADMIN[server.kind];
  const admin = await new DataSource({
    ...server.options(),
    database,
    poolSize: 1,
  } as TestOptions).initialize();
  let rows: unknown = [];
  for (const statement of statements) rows = await admin.query(statement);
  await admin.destroy();
  return rows as [{ value: unknown }];
}

const ADMIN = { postgres: { database: 'postgres' }, mariadb: { database: 'mysql' } } as const;

const MORE = {
  postgres: {
    first: [],
    second: [],
    users: ['CREATE USER app', 'ALTER DATABASE sessions_test OWNER TO app'],
    copy: ({ port }: OwnServer, data: string) => ({
      program: 'pg_basebackup',
      args: [
        '-D',
        data,
        '-R',
        '-X',
        'stream',
        '-c',
        'fast',
        '-h',
        '127.0.0.1',
        '-p',
        String(port),
        '-U',
        'postgres',
      ],
    }),
    follow: (): string[] => [],
    hasUser: "SELECT count(*)::int AS value FROM pg_roles WHERE rolname = 'app'",
    demote: ['ALTER SYSTEM SET default_transaction_read_only = on', 'SELECT pg_reload_conf()'],
    isReadOnly: "SELECT (current_setting('transaction_read_only') = 'on')::int AS value",
    position: 'SELECT pg_current_wal_lsn()::text AS value',
    hasPosition: (lsn: string) => `SELECT (pg_last_wal_replay_lsn() >= '${lsn}'::pg_lsn)::int AS value`,
    promote: ['SELECT pg_promote()'],
  },
  mariadb: {
    first: ['--log-bin=log', '--server-id=1', '--gtid-domain-id=1'],
    second: ['--log-bin=log', '--server-id=2', '--gtid-domain-id=1', '--read-only'],
    users: ["CREATE USER app@'%'", "GRANT ALL ON sessions_test.* TO app@'%'"],
    copy: (_first: OwnServer, data: string) => ({
      program: 'mariadb-install-db',
      args: [
        '--no-defaults',
        `--datadir=${data}`,
        '--auth-root-authentication-method=normal',
        '--skip-test-db',
      ],
    }),
    follow: ({ port }: OwnServer) => [
      `CHANGE MASTER TO MASTER_HOST = '127.0.0.1', MASTER_PORT = ${port}, MASTER_USER = 'root', MASTER_USE_GTID = slave_pos`,
      'START SLAVE',
    ],
    hasUser: "SELECT count(*) AS value FROM mysql.user WHERE user = 'app'",
    demote: ['SET GLOBAL read_only = ON'],
    isReadOnly: 'SELECT @@global.read_only AS value',
    position: 'SELECT @@global.gtid_binlog_pos AS value',
    hasPosition: (gtid: string) => `SELECT MASTER_GTID_WAIT('${gtid}', 10) = 0 AS value`,
    promote: ['STOP SLAVE', 'SET GLOBAL read_only = OFF'],
  },
} as const satisfies Record<ServerKind, object>;
