import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';

/** What the demo prints when it is ready. */
const READY = /https?:\/\/localhost:(\d+)/;

/** The demo while it runs. */
export class RunningDemo {
  /** Settles when it listens, or has ended without. */
  readonly ready: Promise<void>;
  readonly #exit: Promise<unknown>;
  #output = '';

  constructor(private readonly child: ChildProcess) {
    this.#exit = once(child, 'exit');
    this.ready = new Promise((resolve, reject) => {
      const read = (chunk: Buffer): void => {
        this.#output += chunk.toString();
        if (READY.test(this.#output)) resolve();
      };
      child.stdout?.on('data', read);
      child.stderr?.on('data', read);
      child.once('error', reject);
      child.once('exit', () => reject(new Error(`The demo did not start:\n${this.#output}`)));
    });
  }

  /** What it has printed so far. */
  get output(): string {
    return this.#output;
  }

  get url(): string {
    return READY.exec(this.#output)?.[0] ?? '';
  }

  get port(): string {
    return READY.exec(this.#output)?.[1] ?? '';
  }

  /** Asks it to stop, as Ctrl+C does, and waits until it has. */
  async stop(): Promise<void> {
    const { pid, exitCode, signalCode } = this.child;
    if (pid !== undefined && exitCode === null && signalCode === null) process.kill(-pid, 'SIGINT');
    await this.#exit;
  }
}
