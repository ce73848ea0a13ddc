import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { SessionStoreOptions } from '../../../../src/core/session-options.js';
import type { TokenState } from '../../../../src/core/session-row.js';
import type { TestOptions } from '../../../support/databases.js';
import type { Failures } from './storm.js';

/** What a replica can be told. Calls that take a count make so many at once. */
export interface ReplicaCalls {
  /** Opens a store with a pool of its own on the database. */
  open(options: TestOptions, more: SessionStoreOptions): Promise<void>;
  init(): Promise<void>;
  close(): Promise<void>;
  /** Signs a user in, round after round; the failures. */
  signIn(userId: string, rounds: number, count: number): Promise<string[]>;
  /** Ends all sessions of a user; how many. */
  endAll(userId: string): Promise<number>;
  /** Replaces one token by many others; the hashes of those that were told they have. */
  rotate(id: string, current: TokenState, count: number): Promise<string[]>;
  /** Cycles one session to ids with the prefix; what each call said. */
  cycle(oldId: string, prefix: string, count: number): Promise<string[]>;
  /** Adds one to a counter of a session; the failures. */
  increment(id: string, count: number): Promise<string[]>;
  /** The turn of a schedule that comes each hour, so many times at once; `null` for each that rested. */
  takeTurns(count: number): Promise<(number | null)[]>;
  /** Everything at once, for so long. */
  storm(seconds: number, users: number): Promise<Failures>;
}

export interface ReplicaRequest {
  readonly number: number;
  readonly call: keyof ReplicaCalls;
  readonly values: readonly unknown[];
}

interface Report {
  readonly number: number;
  readonly result?: unknown;
  readonly error?: string;
}

const replicas = new Set<Replica>();
const path = (name: string) => fileURLToPath(new URL(name, import.meta.url));

/** The app once more, in a process of its own. `stopReplicas` ends those that a test left. */
export class Replica {
  readonly #waiting = new Map<number, (report: Report) => void>();
  readonly #process: ChildProcess;
  #count = 0;

  private constructor() {
    const execArgv = ['--import', path('./ts-register.mjs')];
    this.#process = fork(path('./replica-main.ts'), { execArgv });
    this.#process.on('message', (report: Report) => this.#waiting.get(report.number)?.(report));
    this.#process.on('exit', (code, signal) => {
      for (const [number, report] of this.#waiting) report({ number, error: `it ended: ${signal ?? code}` });
    });
    replicas.add(this);
  }

  static async on(options: TestOptions, more: SessionStoreOptions = {}): Promise<Replica> {
    const replica = new Replica();
    await replica.call('open', options, more);
    return replica;
  }

  call<K extends keyof ReplicaCalls>(
    call: K,
    ...values: Parameters<ReplicaCalls[K]>
  ): ReturnType<ReplicaCalls[K]> {
    const number = this.#count++;
    const result = new Promise((resolve, reject) => {
      this.#waiting.set(number, ({ result: value, error }) => {
        this.#waiting.delete(number);
        if (error === undefined) resolve(value);
        else reject(new Error(`the replica failed: ${error}`));
      });
      this.#process.send({ number, call, values } satisfies ReplicaRequest);
    });
    return result as ReturnType<ReplicaCalls[K]>;
  }

  async stop(): Promise<void> {
    replicas.delete(this);
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const exit = once(this.#process, 'exit');
    this.#process.kill('SIGKILL');
    await exit;
  }
}

export async function stopReplicas(): Promise<void> {
  await Promise.all([...replicas].map((replica) => replica.stop()));
}
