import { clearTimeout, setImmediate, setTimeout } from './timers.js';

/**
 * The result of `call`, if it comes within so many milliseconds; otherwise what `tooLate` returns or throws. A call
 * that comes too late goes on, and its result or failure is dropped. The timer ends with the call, so it delays no
 * exit of the process.
 *
 * What has come while the process was busy with something else is in time: it is read before the call is given up.
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
    let isOver = false;
    const giveUp = (): void => {
      if (!isOver) started(tooLate).then(resolve, reject);
    };
    // Between timers and what `setImmediate` was given, Node reads what its sockets have received.
    const timer = setTimeout(() => void setImmediate(giveUp), milliseconds);
    const end = (): void => {
      isOver = true;
      clearTimeout(timer);
    };
    started(call).then(
      (result) => {
        end();
        resolve(result);
      },
      (error: unknown) => {
        end();
        reject(error);
      },
    );
  });
}

/** A call that throws at once becomes one that fails. */
async function started<T>(call: () => T | Promise<T>): Promise<T> {
  return call();
}
