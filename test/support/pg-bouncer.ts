import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chown, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { DataSource } from 'typeorm';
import type { TestOptions } from './databases.js';
import type { OwnServer } from './own-server.js';
import { binary, freePort, unprivileged } from './programs.js';

/** Connections to the server that PgBouncer shares out: fewer than a pool asks it for. */
export const SERVER_CONNECTIONS = 3;

/** A PgBouncer in transaction mode before a server: a connection is the client's for one transaction. */
export class PgBouncer {
  private constructor(
    private readonly server: OwnServer,
    private readonly port: number,
    private readonly folder: string,
    private readonly process: ChildProcess,
  ) {}

  static async before(server: OwnServer): Promise<PgBouncer> {
    const folder = await mkdtemp(join(tmpdir(), 'nest-sessions-pgbouncer-'));
    const port = await freePort();
    const user = unprivileged();
    if (user) await chown(folder, user.uid, user.gid);
    const config = join(folder, 'pgbouncer.ini');
    await writeFile(config, settings(server.port, port));
    if (user) await chown(config, user.uid, user.gid);
    const child = spawn(binary('pgbouncer'), ['-q', config], { ...user, cwd: folder, stdio: 'ignore' });
    const bouncer = new PgBouncer(server, port, folder, child);
    for (const end = performance.now() + 20_000; performance.now() < end; await sleep(50)) {
      if (await bouncer.#answers()) return bouncer;
    }
    await bouncer.stop();
    throw new Error(`PgBouncer has not started on port ${port}`);
  }

  /** Options of a data source that goes through it. */
  options(): TestOptions {
    return { ...this.server.options(), port: this.port } as TestOptions;
  }

  async stop(): Promise<void> {
    if (this.process.exitCode === null && this.process.signalCode === null) {
      const exit = once(this.process, 'exit');
      this.process.kill('SIGKILL');
      await exit;
    }
    await rm(this.folder, { recursive: true, force: true });
  }

  async #answers(): Promise<boolean> {
    const dataSource = new DataSource(this.options());
    const isThere = await dataSource.initialize().then(
      () => true,
      () => false,
    );
    if (isThere) await dataSource.destroy();
    return isThere;
  }
}

/** @see https://www.pgbouncer.org/config.html */
function settings(serverPort: number, port: number): string {
  return [
    '[databases]',
    `* = host=127.0.0.1 port=${serverPort} user=postgres`,
    '[pgbouncer]',
    'listen_addr = 127.0.0.1',
    `listen_port = ${port}`,
    'unix_socket_dir =',
    'auth_type = any',
    'pool_mode = transaction',
    `default_pool_size = ${SERVER_CONNECTIONS}`,
    'max_client_conn = 100',
    '',
  ].join('\n');
}
