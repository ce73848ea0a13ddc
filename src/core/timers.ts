import { performance as ofNode } from 'node:perf_hooks';
import process from 'node:process';
import * as timers from 'node:timers';

/*
 * Time as Node keeps it. Tests replace the timers of the process, often all of them, while the app under test goes on:
 * Express and Node's HTTP are served by timers that they took when they were loaded, and so must a request be that
 * has a session. What belongs to the app's own time, such as when a session expires, is asked of `Clock`.
 */

/** What fakes of `@sinonjs/fake-timers`, which are those of Jest, Vitest and Sinon, say about what they stand for. */
interface Fake {
  readonly clock?: Readonly<Record<string, unknown>>;
}

/** What a function was before a fake took its place, which may have been before this module was loaded. */
function genuine<F>(found: F & Fake, name: string): F {
  return (found.clock?.[`_${name}`] as F | undefined) ?? found;
}

export const setImmediate = genuine(timers.setImmediate, 'setImmediate');
export const setTimeout = genuine(timers.setTimeout, 'setTimeout');
export const clearTimeout = genuine(timers.clearTimeout, 'clearTimeout');
export const nextTick = genuine(Reflect.get(process, 'nextTick'), 'nextTick');

/** The fake is a property of the object, the genuine one of its prototype. */
const { now } = Object.getPrototypeOf(ofNode) as { readonly now: () => number };

/** The clock of `performance.now()`: milliseconds since Node started, which no change of the date moves. */
export const performance = { now: (): number => now.call(ofNode) };

/** Resolves after so many milliseconds; rejects with the reason of the signal when that comes first. */
export function sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const abort = (): void => {
      clearTimeout(timer);
      reject(signal?.reason as Error);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', abort);
      resolve();
    }, milliseconds);
    signal?.addEventListener('abort', abort, { once: true });
  });
}
