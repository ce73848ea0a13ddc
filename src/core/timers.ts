import { AsyncResource } from 'node:async_hooks';
import { performance as ofNode } from 'node:perf_hooks';
import process from 'node:process';
import * as timers from 'node:timers';

/*
 * The timers of Node, also where a test has replaced them by fakes (Jest, Vitest, Sinon). Requests have to be served
 * then too: Express and Node's HTTP took the genuine timers when they were loaded, and so do sessions. What time it is
 * for the app, which decides when a session expires, `Clock` says.
 */

/** A fake of `@sinonjs/fake-timers`, which Jest, Vitest and Sinon use: `clock._<name>` is the genuine function. */
interface Fake {
  readonly clock?: Readonly<Record<string, unknown>>;
}

/** The genuine function: `found` may be a fake already, from before this module was loaded. */
function genuine<F>(found: F & Fake, name: string): F {
  return (found.clock?.[`_${name}`] as F | undefined) ?? found;
}

export const setImmediate = genuine(timers.setImmediate, 'setImmediate');
export const setTimeout = genuine(timers.setTimeout, 'setTimeout');
export const clearTimeout = genuine(timers.clearTimeout, 'clearTimeout');
export const nextTick = genuine(Reflect.get(process, 'nextTick'), 'nextTick');

// A fake is a property of the object itself; the genuine function is one of its prototype.
const { now } = Object.getPrototypeOf(ofNode) as { readonly now: () => number };

/** The clock of `performance.now()`: milliseconds since Node started, which no change of the date moves. */
export const performance = { now: (): number => now.call(ofNode) };

/** The context in which this module was loaded, which is that of no request. */
const outside = new AsyncResource('nest-sessions');

/**
 * As `setTimeout`, for timers that belong to the process rather than to the request that happens to start them, and keep no
 * process alive. A timer keeps whatever `AsyncLocalStorage`s hold where it is started, and one that starts the next one keeps
 * it for ever: here that is nothing of a request.
 */
export function setProcessTimeout(work: () => void, milliseconds: number): NodeJS.Timeout {
  return outside.runInAsyncScope(() => setTimeout(work, milliseconds).unref());
}

/**
 * Resolves after so many milliseconds; rejects with the reason of the signal when that comes first.
 *
 * @param keepsAlive whether the process waits for it
 */
export function sleep(milliseconds: number, signal?: AbortSignal, keepsAlive = true): Promise<void> {
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
    if (!keepsAlive) timer.unref();
    signal?.addEventListener('abort', abort, { once: true });
  });
}
