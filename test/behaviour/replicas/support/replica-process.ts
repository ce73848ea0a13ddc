import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import type { TestOptions } from '../../../support/databases.js';

/** What a replica is told at its start. */
export interface ReplicaSettings {
  readonly storage: TestOptions | { readonly url: string };
  /** The option `key`. */
  readonly keys: readonly string[];
  readonly maxPerUser: number;
}

const path = (name: string) => fileURLToPath(new URL(name, import.meta.url));

/** A server process of an app that has several. */
export class ReplicaProcess {
  private constructor(
    private readonly child: ChildProcess,
    readonly address: string,
  ) {}

  static async start(settings: ReplicaSettings): Promise<ReplicaProcess> {
    const child = fork(path('./replica-app.ts'), [JSON.stringify(settings)], {
      execArgv: ['--import', path('../../../backends/typeorm/support/ts-register.mjs')],
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    const started = once(child, 'message') as Promise<[AddressInfo]>;
    const ended = once(child, 'exit').then(() => {
      throw new Error('the replica has not started');
    });
    ended.catch(() => undefined);
    const [{ port }] = await Promise.race([started, ended]);
    return new ReplicaProcess(child, `http://127.0.0.1:${port}`);
  }

  /** Ends it: `SIGKILL` as a crash would, `SIGTERM` as a deployment does, which lets it finish what is under way. */
  async end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const exit = once(this.child, 'exit');
    this.child.kill(signal);
    await exit;
  }
}
