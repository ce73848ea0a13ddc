import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { TypeOrmSessionBackendOptions } from '../../../../src/backends/typeorm/typeorm-session-backend-options.js';

/** What a child process can be told. */
export interface ChildCalls {
  open(database: string, options: TypeOrmSessionBackendOptions): Promise<void>;
  becomeNobody(): Promise<void>;
  init(): Promise<void>;
  close(): Promise<void>;
  insert(id: string): Promise<string>;
  insertMany(prefix: string, count: number, max: number): Promise<void>;
  saveMany(prefix: string, writers: number, count: number): Promise<void>;
  find(id: string): Promise<string | null>;
  lock(file: string): Promise<void>;
  unlock(): Promise<void>;
}

export interface ChildRequest {
  readonly number: number;
  readonly call: keyof ChildCalls;
  readonly values: readonly unknown[];
}

interface ChildReport {
  readonly number?: number;
  readonly result?: unknown;
  readonly error?: string;
  readonly acknowledged?: string;
}

const children = new Set<Child>();

const path = (name: string) => fileURLToPath(new URL(name, import.meta.url));

/** A process of its own that runs the sources. `stopChildren` ends those that a test left. */
export class Child {
  /** Ids whose insert the child has been told is done, by `insertMany`; with their version, by `saveMany`. */
  readonly acknowledged: string[] = [];
  private readonly waiting = new Map<number, (report: ChildReport) => void>();
  private count = 0;

  private constructor(readonly process: ChildProcess) {
    process.on('message', (report: ChildReport) => {
      if (report.acknowledged !== undefined) this.acknowledged.push(report.acknowledged);
      if (report.number !== undefined) this.waiting.get(report.number)?.(report);
    });
    process.on('exit', (code, signal) => {
      for (const report of this.waiting.values()) report({ error: `the child ended: ${signal ?? code}` });
    });
  }

  /** @param shell what runs before the process, in its shell */
  static start(shell = ':'): Child {
    const args = ['--import', path('./ts-register.mjs'), path('./child-main.ts')];
    const stdio = ['ignore', 'inherit', 'inherit', 'ipc'] as const;
    const script = `${shell}; exec "$0" "$@"`;
    const child = new Child(
      spawn('/bin/sh', ['-c', script, process.execPath, ...args], { stdio: [...stdio] }),
    );
    children.add(child);
    return child;
  }

  call<K extends keyof ChildCalls>(call: K, ...values: Parameters<ChildCalls[K]>): ReturnType<ChildCalls[K]> {
    const number = this.count++;
    const result = new Promise((resolve, reject) => {
      this.waiting.set(number, (report) => {
        this.waiting.delete(number);
        if (report.error === undefined) resolve(report.result);
        else reject(new Error(report.error));
      });
      this.process.send({ number, call, values } satisfies ChildRequest);
    });
    return result as ReturnType<ChildCalls[K]>;
  }

  /** Waits until so many writes of `insertMany` or `saveMany` are done, or the child has ended. */
  hasAcknowledged(count: number): Promise<void> {
    return new Promise((resolve) => {
      const look = () => {
        const hasEnded = this.process.exitCode !== null || this.process.signalCode !== null;
        if (!hasEnded && this.acknowledged.length < count) return;
        this.process.off('message', look).off('exit', look);
        resolve();
      };
      this.process.on('message', look).on('exit', look);
    });
  }

  /** Ends it without any chance to clean up. */
  async kill(): Promise<void> {
    children.delete(this);
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    const exit = once(this.process, 'exit');
    this.process.kill('SIGKILL');
    await exit;
  }
}

export async function stopChildren(): Promise<void> {
  await Promise.all([...children].map((child) => child.kill()));
}
