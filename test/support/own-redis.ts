import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { binary, freePort, withPrograms } from './programs.js';

/** The servers that sessions are kept in, by the program of each. */
export const REDIS_SERVERS = { Redis: 'redis-server', Valkey: 'valkey-server' } as const;

/** A program of `REDIS_SERVERS`. */
export type RedisProgram = (typeof REDIS_SERVERS)[keyof typeof REDIS_SERVERS];

/** A server of Redis or Valkey, a spec's own, with data in a folder of its own, which can be stopped, frozen and started again. */
export class OwnRedis {
  #process: ChildProcess | null = null;
  /** Milliseconds that each wait for the disk takes longer, from the next start on. Needs `strace`. */
  syncDelay = 0;

  private constructor(
    private readonly folder: string,
    readonly port: number,
    private readonly settings: readonly string[],
    readonly program: RedisProgram,
  ) {}

  /**
   * A server that runs.
   *
   * @param settings arguments of the program, beside the port
   */
  static async make(
    settings: readonly string[] = [],
    { port, program = 'redis-server' }: OwnRedisOptions = {},
  ): Promise<OwnRedis> {
    const folder = await mkdtemp(join(tmpdir(), 'nest-sessions-redis-'));
    const server = new OwnRedis(folder, port ?? (await freePort()), settings, program);
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
    const command = [...this.#tracer(), binary(this.program), ...args, ...this.settings];
    const child = spawn(command[0] ?? '', command.slice(1), { stdio: 'ignore' });
    this.#process = child;
    for (const end = performance.now() + 20_000; performance.now() < end; await sleep(20)) {
      if (await this.#answers()) return;
      if (child.exitCode !== null) break;
    }
    throw new Error(`${this.program} has not started on port ${this.port}`);
  }

  /** Ends it at once, as a crash would, whatever is under way. */
  async stop(): Promise<void> {
    const child = this.#process;
    this.#process = null;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const exit = once(child, 'exit');
    for (const pid of [...childrenOf(child), child.pid ?? 0]) kill(pid);
    await exit;
  }

  /** What the program is started by. */
  #tracer(): readonly string[] {
    if (this.syncDelay === 0) return [];
    const inject = `inject=fdatasync:delay_enter=${this.syncDelay * 1_000}`;
    const only = ['--seccomp-bpf', '-e', 'trace=fdatasync', '-e', inject];
    return [binary('strace'), '-f', '-o', '/dev/null', ...only];
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

/** The server, where the process is what it was started by. */
function childrenOf({ pid }: ChildProcess): readonly number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
  return children.split(' ').filter(Boolean).map(Number);
}

/** Ends a process that may have ended by itself, and may be frozen. */
function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** What a server of a spec's own may be given. */
interface OwnRedisOptions {
  /** @default a free one */
  readonly port?: number;
  /** @default 'redis-server' */
  readonly program?: RedisProgram;
}

/** The same specs on a server of Redis and on one of Valkey. */
export function onEachRedis(body: (program: RedisProgram) => void): void {
  describe.each(Object.entries(REDIS_SERVERS))('on %s', (_, program) =>
    withPrograms([program], () => body(program)),
  );
}

/** Specs that need a Redis server of their own. */
export function withOwnRedis(body: () => void): void {
  withPrograms(['redis-server'], body);
}
