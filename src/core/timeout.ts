import { clearTimeout, setTimeout } from './timers.js';

/**
 * The result of `call`, if it comes within so many milliseconds; otherwise what `tooLate` returns or throws. A call
 * that comes too late goes on, and its result or failure is dropped. The timer ends with the call, so it delays no
 * exit of the process.
 *
 * Not `Promise.race`, which leaves a reaction with the loser, and takes longer.
 *
 * @param call may also throw at once: that is a call that fails
 * @param milliseconds at most what a timer of Node can wait, `LONGEST_TIMER`
 */
export function withTimeout<T>(
  call: () => Promise<T>,
  milliseconds: number,
  tooLate: () => NoInfer<T>,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => void started(tooLate).then(resolve, reject), milliseconds);
    const end = (): void => clearTimeout(timer);
    started(call).finally(end).then(resolve, reject);
  });
}

/** A call that throws at once becomes one that fails. */
async function started<T>(call: () => T | Promise<T>): Promise<T> {
  return call();
}
