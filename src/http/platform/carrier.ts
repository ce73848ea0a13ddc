import { AsyncLocalStorage } from 'node:async_hooks';

/*
 * On whose behalf code runs.
 */

/** The request that is being served; of a message over a socket, what stands for it. */
const current = new AsyncLocalStorage<object | undefined>();

/** Calls `work`, and whatever it starts, on behalf of a request; `undefined`: of nothing in particular. */
export function runWithin<R>(request: object | undefined, work: () => R): R {
  return current.run(request, work);
}

/** What the running code runs on behalf of; `undefined`: nothing in particular. */
export function currentCarrier(): object | undefined {
  return current.getStore();
}
