import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { ServerSettings } from './servers/settings.js';

/** What a server says of itself. */
export interface ServerUsage {
  /** User and system time so far, all threads, in microseconds. */
  readonly cpu: number;
  readonly memory: NodeJS.MemoryUsage;
}

/** A server in a process of its own, on a core of its own. */
export class ServerProcess {
  private constructor(
    private readonly child: ChildProcess,
    /** Rejects when the server has ended. */
    private readonly ended: Promise<never>,
    readonly origin: string,
  ) {}

  static async start(settings: ServerSettings): Promise<ServerProcess> {
    const main = join(import.meta.dirname, 'servers/main.js');
    const flags = [...(process.env['BENCH_NODE_FLAGS'] ?? '').split(' ').filter(Boolean), '--expose-gc'];
    const command = [process.execPath, ...flags, main, JSON.stringify(settings)];
    const [file = '', ...args] = canPin() ? ['taskset', '-c', '0', ...command] : command;
    const child = spawn(file, args, {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      env: { ...process.env, NODE_ENV: 'production' },
    });
    const ended = once(child, 'exit').then(() => {
      throw new Error(`The server '${settings.contender}' has ended: see what it says above`);
    });
    ended.catch(() => undefined);
    const [ready] = (await Promise.race([once(child, 'message'), ended])) as [{ port: number }];
    return new ServerProcess(child, ended, `http://127.0.0.1:${ready.port}`);
  }

  /** @param collect whether to collect garbage first */
  usage(collect = false): Promise<ServerUsage> {
    return this.ask(collect ? 'collect' : 'usage');
  }

  /** Samples where the time goes, until `keepProfile`. */
  async startProfile(): Promise<void> {
    await this.ask('profile');
  }

  /** @param file absolute, ends in `.cpuprofile` */
  async keepProfile(file: string): Promise<void> {
    await this.ask(file);
  }

  private async ask(question: string): Promise<ServerUsage> {
    const answer = once(this.child, 'message') as Promise<[ServerUsage]>;
    this.child.send(question);
    return (await Promise.race([answer, this.ended]))[0];
  }

  async stop(): Promise<void> {
    if (this.child.connected) this.child.disconnect();
    await this.ended.catch(() => undefined);
  }
}

let pins: boolean | undefined;

function canPin(): boolean {
  return (pins ??= tryTaskset(['-c', '0', 'true']));
}

/** Puts this process, which makes the load, on another core than the servers. */
export function pinGenerator(): void {
  if (canPin()) tryTaskset(['-c', '-p', '1', String(process.pid)]);
}

function tryTaskset(args: readonly string[]): boolean {
  try {
    execFileSync('taskset', args, { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
