import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { binary, freePort, withPrograms } from './programs.js';

/** A Redis server of a spec's own, with data in a folder of its own, which can be stopped, frozen and started again. */
export class OwnRedis {
  #process: ChildProcess | null = null;

  private constructor(
    private readonly folder: string,
    readonly port: number,
    private readonly settings: readonly string[],
  ) {}

  /**
   * A server that runs.
   *
   * @param settings arguments of `redis-server`, beside the port
   */
  static async make(settings: readonly string[] = [], port?: number): Promise<OwnRedis> {
    const folder = await mkdtemp(join(tmpdir(), 'nest-sessions-redis-'));
    const server = new OwnRedis(folder, port ?? (await freePort()), settings);
    try {
      await server.start();
    } catch (error) {
      await server.remove();
      throw error;
    }
    return server;
  }

  /** `redis://…` */
  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  async start(): Promise<void> {
    const args = ['--port', String(this.port), '--bind', '127.0.0.1', '--save', '', '--dir', this.folder];
    const child = spawn(binary('redis-server'), [...args, ...this.settings], { stdio: 'ignore' });
    this.#process = child;
    for (const end = performance.now() + 20_000; performance.now() < end; await sleep(20)) {
      if (await this.#answers()) return;
      if (child.exitCode !== null) break;
    }
    throw new Error(`redis-server has not started on port ${this.port}`);
  }

  /** Ends it at once, as a crash would, whatever is under way. */
  async stop(): Promise<void> {
    const child = this.#process;
    this.#process = null;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const exit = once(child, 'exit');
    child.kill('SIGCONT');
    child.kill('SIGKILL');
    await exit;
  }

  async remove(): Promise<void> {
    await this.stop();
    await rm(this.folder, { recursive: true, force: true });
  }

  /** A command in words that have no spaces, over a connection of its own; what the server says, as it says it. */
  async say(...words: readonly string[]): Promise<string> {
    const socket = createConnection({ host: '127.0.0.1', port: this.port });
    await once(socket, 'connect');
    socket.write(`${words.join(' ')}\r\n`);
    const [reply] = (await once(socket, 'data')) as [Buffer];
    socket.destroy();
    return reply.toString().trim();
  }

  /** Whether it answers, and has no data to load any more. */
  #answers(): Promise<boolean> {
    return this.say('PING').then(
      (reply) => /^(\+PONG|-NOAUTH)/.test(reply),
      () => false,
    );
  }
}

/** Specs that need a Redis server of their own. */
export function withOwnRedis(body: () => void): void {
  withPrograms(['redis-server'], body);
}
