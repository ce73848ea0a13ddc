import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import type { TestOptions } from '../../../support/databases.js';

/** What the app is told at its start. */
export interface AppSettings {
  readonly database: TestOptions;
  /** Whether sessions share the app's pool of connections. */
  readonly pool: 'shared' | 'own';
}

const path = (name: string) => fileURLToPath(new URL(name, import.meta.url));

/** A Nest app in a process of its own, so that a spec can see whether that ends. */
export class AppProcess {
  /** What it wrote to its error stream. */
  errors = '';

  private constructor(
    private readonly child: ChildProcess,
    readonly address: string,
  ) {
    child.stderr?.on('data', (text) => (this.errors += String(text)));
  }

  static async start(settings: AppSettings): Promise<AppProcess> {
    const child = fork(path('./app-main.ts'), [JSON.stringify(settings)], {
      execArgv: ['--import', path('../../../backends/typeorm/support/ts-register.mjs')],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    const started = once(child, 'message') as Promise<[AddressInfo]>;
    const ended = once(child, 'exit').then(() => {
      throw new Error('the app has not started');
    });
    const [{ port }] = await Promise.race([started, ended]);
    ended.catch(() => undefined);
    return new AppProcess(child, `http://127.0.0.1:${port}`);
  }

  get isAlive(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  async stop(): Promise<void> {
    if (!this.isAlive) return;
    const exit = once(this.child, 'exit');
    this.child.kill('SIGKILL');
    await exit;
  }
}
