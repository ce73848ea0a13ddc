import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DataSource, type DataSourceOptions } from 'typeorm';

/** Options of a data source for one database of a spec's own, of one of the drivers that the specs run on. */
export type TestOptions = Extract<
  DataSourceOptions,
  { type: 'sqlite' | 'better-sqlite3' | 'postgres' | 'mysql' | 'mariadb' }
>;

/** A database of a spec's own, empty. */
export interface TestDatabase {
  readonly kind: DatabaseKind;
  /** Options of a data source on it; a copy, so that a spec may add to it. */
  options(): TestOptions;
  /** A data source on it, open, closed by `drop()`. */
  open(more?: object): Promise<DataSource>;
  /** Closes what `open` made, and removes the database. */
  drop(): Promise<void>;
}

/** The kinds of database that specs run on. */
export const DATABASE_KINDS = ['sqlite', 'better-sqlite3', 'postgres', 'mariadb'] as const;
export type DatabaseKind = (typeof DATABASE_KINDS)[number];

/** The kinds with a server, which several processes and machines share. */
export const SERVER_KINDS = ['postgres', 'mariadb'] as const satisfies readonly DatabaseKind[];

const env = process.env;

/** Where the servers are, with a user who may create databases. The variables are those of `psql` and `mysql`. */
export const SERVERS = {
  postgres: {
    type: 'postgres',
    host: env['PGHOST'] ?? '127.0.0.1',
    port: Number(env['PGPORT'] ?? 5432),
    username: env['PGUSER'] ?? 'postgres',
    password: env['PGPASSWORD'],
    database: env['PGDATABASE'] ?? 'test',
  },
  mariadb: {
    type: 'mariadb',
    host: env['MYSQL_HOST'] ?? '127.0.0.1',
    port: Number(env['MYSQL_TCP_PORT'] ?? 3306),
    username: env['MYSQL_USER'] ?? 'root',
    password: env['MYSQL_PWD'],
    database: env['MYSQL_DATABASE'] ?? 'test',
  },
} as const satisfies Record<(typeof SERVER_KINDS)[number], DataSourceOptions>;

/** The major version of TypeORM that specs run on: see jest-projects.js. The second one has no driver for `sqlite3`. */
declare const TYPEORM_MAJOR: 0 | 1;

/** Whether specs may want servers: not in `npm test`. Processes that specs start know nothing of it, and ask for none. */
const HAS_SERVERS = (globalThis as { readonly HAS_SERVERS?: boolean }).HAS_SERVERS ?? true;

/** A database of that kind with nothing in it. */
export async function openDatabase(kind: DatabaseKind): Promise<TestDatabase> {
  const made = await (hasServer(kind) ? onServer(kind) : inFolder(kind));
  const opened: DataSource[] = [];
  return {
    kind,
    options: () => ({ ...made.options }),
    async open(more = {}) {
      const dataSource = new DataSource({ ...made.options, ...more });
      opened.push(await dataSource.initialize());
      return dataSource;
    },
    async drop() {
      for (const dataSource of opened.splice(0)) if (dataSource.isInitialized) await dataSource.destroy();
      await made.remove();
    },
  };
}

interface Made {
  readonly options: TestOptions;
  remove(): Promise<void>;
}

async function inFolder(type: 'sqlite' | 'better-sqlite3'): Promise<Made> {
  const folder = await mkdtemp(join(tmpdir(), 'nest-sessions-'));
  return {
    options: { type, database: join(folder, 'app.sqlite') },
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}

async function onServer(kind: (typeof SERVER_KINDS)[number]): Promise<Made> {
  const name = `nest_sessions_${randomBytes(8).toString('hex')}`;
  await administer(kind, `CREATE DATABASE ${name}`);
  return {
    options: { ...SERVERS[kind], database: name, poolSize: 5 }, // servers are shared
    remove: () =>
      administer(kind, `DROP DATABASE IF EXISTS ${name}${kind === 'postgres' ? ' WITH (FORCE)' : ''}`),
  };
}

async function administer(kind: (typeof SERVER_KINDS)[number], statement: string): Promise<void> {
  const server = await new DataSource(SERVERS[kind]).initialize();
  try {
    await server.query(statement);
  } finally {
    await server.destroy();
  }
}

/**
 * The same specs on each of these kinds, in `npm test` on those without a server. Elsewhere, those whose server cannot be
 * reached are skipped, in a line that says so; with `CI=true` they fail.
 */
export function onEachDatabase<K extends DatabaseKind>(
  title: string,
  kinds: readonly K[],
  body: (kind: K) => void,
): void {
  const runnable = kinds
    .filter((kind) => !(TYPEORM_MAJOR === 1 && kind === 'sqlite'))
    .filter((kind) => HAS_SERVERS || !hasServer(kind));
  if (runnable.length === 0) return;
  describe.each(runnable)(`${title}, on %s`, (kind) => {
    if (isReachable(kind)) body(kind);
    else it.skip(`(no server at ${addressOf(kind)})`, () => undefined);
  });
}

/** Whether specs are to run on it. With `CI=true` they always are, so that they fail where there is no server. */
export const isReachable = (kind: DatabaseKind): boolean => !unreachable.has(kind);

function hasServer(kind: DatabaseKind): kind is (typeof SERVER_KINDS)[number] {
  return kind === 'postgres' || kind === 'mariadb';
}

const addressOf = (kind: DatabaseKind): string =>
  hasServer(kind) ? `${SERVERS[kind].host}:${SERVERS[kind].port}` : 'this machine';

/** Servers that do not answer. */
const unreachable: ReadonlySet<DatabaseKind> = new Set(
  env['CI'] === 'true' || !HAS_SERVERS
    ? []
    : (await Promise.all(SERVER_KINDS.map(async (kind) => ((await answers(kind)) ? [] : [kind])))).flat(),
);

function answers(kind: (typeof SERVER_KINDS)[number]): Promise<boolean> {
  return answersAt(SERVERS[kind]);
}

/** Whether a server takes connections there. */
export function answersAt({ host, port }: { host: string; port: number }): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: 2_000 });
    const end = (isThere: boolean) => {
      socket.destroy();
      resolve(isThere);
    };
    socket.on('connect', () => end(true));
    socket.on('error', () => end(false));
    socket.on('timeout', () => end(false));
  });
}
