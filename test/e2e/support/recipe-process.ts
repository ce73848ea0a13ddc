import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { freePort } from '../../support/programs.js';

const HOOKS = fileURLToPath(new URL('../../backends/typeorm/support/ts-register.mjs', import.meta.url));

/** A file that a page shows, in a process of its own: a `main.ts` that listens on `PORT`. */
export class RecipeProcess {
  private constructor(
    private readonly child: ChildProcess,
    readonly port: number,
    private readonly said: () => string,
  ) {}

  /** Resolves when Nest says that the app has started. @param file path of the main file */
  static async start(file: string, env: NodeJS.ProcessEnv): Promise<RecipeProcess> {
    const port = await freePort();
    const child = fork(file, {
      execArgv: ['--import', HOOKS],
      env: { ...process.env, NO_COLOR: '1', ...env, PORT: String(port) },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    let text = '';
    const hasStarted = new Promise<void>((resolve) => {
      const look = (data: unknown): void => {
        text += String(data);
        if (text.includes('Nest application successfully started')) resolve();
      };
      child.stdout?.on('data', look);
      child.stderr?.on('data', look);
    });
    const hasEnded = once(child, 'exit').then(() => {
      throw new Error(`the app has not started: ${text}`);
    });
    await Promise.race([hasStarted, hasEnded]);
    hasEnded.catch(() => undefined);
    return new RecipeProcess(child, port, () => text);
  }

  /** What it has logged. */
  get log(): string {
    return this.said();
  }

  /** Sends SIGTERM, as whatever runs it does, and resolves when it has ended. */
  async stop(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const exit = once(this.child, 'exit');
    this.child.kill('SIGTERM');
    await exit;
  }
}
