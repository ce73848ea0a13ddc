import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { chown, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { DataSource } from 'typeorm';
import type { SERVER_KINDS, TestOptions } from './databases.js';
import { binary, freePort, unprivileged, withPrograms } from './programs.js';

type ServerKind = (typeof SERVER_KINDS)[number];
const run = promisify(execFile);

/** A database server of a spec's own, with data in a folder of its own, which can be stopped and frozen. */
export class OwnServer {
  #process: ChildProcess | null = null;

  private constructor(
    readonly kind: ServerKind,
    private readonly folder: string,
    readonly port: number,
    private more: readonly string[],
  ) {}

  /** A server that runs. @param more arguments of its program */
  static async make(kind: ServerKind, more: readonly string[] = []): Promise<OwnServer> {
    const server = await OwnServer.installed(kind, SERVERS[kind].install, more);
    try {
      await server.start();
      await server.#createDatabase();
    } catch (error) {
      await server.remove();
      throw error;
    }
    return server;
  }

  /**
   * A server whose data somebody else's command makes.
   *
   * @param install the command, by the folder that it fills
   */
  static async installed(
    kind: ServerKind,
    install: (data: string) => Command,
    more: readonly string[] = [],
  ): Promise<OwnServer> {
    const folder = await mkdtemp(join(tmpdir(), `nest-sessions-${kind}-`));
    const user = unprivileged();
    if (user) await chown(folder, user.uid, user.gid);
    const server = new OwnServer(kind, folder, await freePort(), more);
    const { program, args } = install(join(folder, 'data'));
    try {
      // Several that are installed at once would remove each other's temporary tables.
      await run(binary(program), args, { ...user, cwd: folder, env: { ...process.env, TMPDIR: folder } });
    } catch (error) {
      await server.remove();
      throw error;
    }
    return server;
  }

  async #createDatabase(): Promise<void> {
    const admin = await new DataSource({
      ...this.options(),
      database: SERVERS[this.kind].admin,
    }).initialize();
    await admin.query(SERVERS[this.kind].create);
    await admin.destroy();
  }

  /** Options of a data source on its one database. */
  options(): TestOptions {
    const { port } = this;
    const type = this.kind;
    return {
      type,
      port,
      host: '127.0.0.1',
      username: SERVERS[type].user,
      database: 'sessions_test',
      poolSize: 5,
    };
  }

  async start(): Promise<void> {
    const { program, args } = SERVERS[this.kind].serve(join(this.folder, 'data'), this.port);
    this.#process = spawn(binary(program), [...args, ...this.more], {
      ...unprivileged(),
      cwd: this.folder,
      stdio: 'ignore',
    });
    for (const end = performance.now() + 60_000; performance.now() < end; await sleep(50)) {
      if (await this.#answers()) return;
      if (this.#process.exitCode !== null) break;
    }
    throw new Error(`${this.kind} has not started on port ${this.port}`);
  }

  /** Ends it at once, as a crash would, whatever is under way. */
  async stop(): Promise<void> {
    await this.#end(SERVERS[this.kind].stop);
  }

  /** Ends it in good order, and starts it again. @param more arguments of its program */
  async restart(more: readonly string[]): Promise<void> {
    await this.#end(SERVERS[this.kind].shutDown);
    this.more = more;
    await this.start();
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const process = this.#process;
    this.#process = null;
    if (process === null || process.exitCode !== null) return;
    const exit = once(process, 'exit');
    this.#signal(process, 'SIGCONT');
    process.kill(signal);
    await exit;
  }

  /** Nothing answers any more, and no connection ends. */
  freeze(): void {
    if (this.#process) this.#signal(this.#process, 'SIGSTOP');
  }

  thaw(): void {
    if (this.#process) this.#signal(this.#process, 'SIGCONT');
  }

  async remove(): Promise<void> {
    await this.stop();
    await rm(this.folder, { recursive: true, force: true });
  }

  async #answers(): Promise<boolean> {
    const dataSource = new DataSource({
      ...this.options(),
      database: SERVERS[this.kind].admin,
    });
    const isThere = await dataSource
      .initialize()
      .then(() => dataSource.query(SERVERS[this.kind].probe))
      .then(
        () => true,
        () => false,
      );
    if (dataSource.isInitialized) await dataSource.destroy();
    return isThere;
  }

  /** To the process and to those that it made, one for each connection of Postgres. */
  #signal({ pid }: ChildProcess, signal: NodeJS.Signals): void {
    if (pid === undefined) return;
    send(pid, signal);
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
    for (const child of children.split(' ').filter(Boolean)) send(Number(child), signal);
  }
}

/** To a process that may have ended by itself. */
function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** A program and what it is given. */
export interface Command {
  readonly program: string;
  readonly args: readonly string[];
}

const SERVERS = {
  postgres: {
    user: 'postgres',
    admin: 'postgres',
    create: 'CREATE DATABASE sessions_test',
    probe: 'SELECT 1 FROM pg_database',
    stop: 'SIGQUIT',
    shutDown: 'SIGINT',
    install: (data: string): Command => ({
      program: 'initdb',
      args: ['-D', data, '-U', 'postgres', '--auth=trust', '-E', 'UTF8', '--locale=C', '--no-sync'],
    }),
    serve: (data: string, port: number): Command => ({
      program: 'postgres',
      args: [
        '-D',
        data,
        '-p',
        String(port),
        '-h',
        '127.0.0.1',
        '-k',
        '',
        '-c',
        'max_connections=40',
        '-c',
        'fsync=off',
      ],
    }),
  },
  mariadb: {
    user: 'root',
    admin: 'mysql',
    probe: 'SELECT 1 FROM user', // of a table: a node of a cluster answers others before it is ready
    create: 'CREATE DATABASE IF NOT EXISTS sessions_test', // another node of a cluster may have made it
    stop: 'SIGKILL',
    shutDown: 'SIGTERM',
    install: (data: string): Command => ({
      program: 'mariadb-install-db',
      args: [
        '--no-defaults',
        `--datadir=${data}`,
        '--auth-root-authentication-method=normal',
        '--skip-test-db',
      ],
    }),
    serve: (data: string, port: number): Command => ({
      program: 'mariadbd',
      args: [
        '--no-defaults',
        `--datadir=${data}`,
        `--port=${port}`,
        '--bind-address=127.0.0.1',
        `--socket=${join(data, 'socket')}`,
        '--innodb-buffer-pool-size=32M',
        '--innodb-log-file-size=16M',
      ],
    }),
  },
} as const satisfies Record<ServerKind, object>;

const PROGRAMS = { postgres: ['initdb', 'postgres'], mariadb: ['mariadb-install-db', 'mariadbd'] } as const;

/**
 * The same specs with a server of their own of each kind. On a laptop, those whose programs are not installed are
 * skipped, in a line that says so; with `CI=true` they fail.
 */
export function onEachOwnServer(title: string, body: (kind: ServerKind) => void): void {
  describe.each(['postgres', 'mariadb'] as const)(`${title}, on %s`, (kind) =>
    withOwnServer(kind, () => body(kind)),
  );
}

/** The same for one kind. */
export function withOwnServer(kind: ServerKind, body: () => void): void {
  withPrograms(PROGRAMS[kind], body);
}
