import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const path = (name: string) => fileURLToPath(new URL(name, import.meta.url));
const REGISTER = path('../../typeorm/support/ts-register.mjs');

/** Runs a source of this folder in a process of its own, and gives what it reports. */
export async function reportOf(source: string, args: readonly string[]): Promise<unknown> {
  const child = spawn(process.execPath, ['--import', REGISTER, path(source), ...args], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const ended = once(child, 'exit').then(([code]) => {
    throw new Error(`the process ended with ${String(code)} and reported nothing`);
  });
  const [report] = (await Promise.race([once(child, 'message'), ended])) as [unknown];
  ended.catch(() => undefined);
  return report;
}
