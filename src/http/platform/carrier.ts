import { AsyncLocalStorage } from 'node:async_hooks';

/*
 * On whose behalf code runs.
 */

/** The request that is being served; of a message over a socket, what stands for it. */
const current = new AsyncLocalStorage<object | undefined>();

/** Calls `work`, and whatever it starts, on behalf of a request. */
export function runWithin<R>(request: object, work: () => R): R {
  return current.run(request, work);
}

/** Calls `work` on behalf of nobody. What it starts, such as the timers of a connection, then keeps no request in memory. */
export function runOutside<R>(work: () => R): R {
  return current.run(undefined, work);
}

/** What the running code runs on behalf of; `undefined`: nothing in particular. */
export function currentCarrier(): object | undefined {
  return current.getStore();
}
