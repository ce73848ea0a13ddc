import { rawRequest } from './platform-request.js';

/**
 * A value for each request, whatever wraps it: it is that of the raw request of Node, kept with its array of raw headers.
 *
 * Not in a WeakMap: its table is old, so that what it holds of a request that is over, which leads to all of that
 * request, is moved to the old generation and stays until the next full garbage collection. Nor as a property of
 * the request: Express gives each of them a prototype, and with it a shape of its own, which every property copies.
 */
export class RequestLocal<T> {
  readonly #key: symbol;

  constructor(name: string) {
    this.#key = Symbol(name);
  }

  get(request: object): T | undefined {
    return carrierOf(rawRequest(request))[this.#key] as T | undefined;
  }

  set(request: object, value: T | undefined): void {
    carrierOf(rawRequest(request))[this.#key] = value;
  }
}

/** The array of raw headers; of a request that has none, since nothing of Node made it, the request itself. */
function carrierOf(request: object): Record<symbol, unknown> {
  const carrier: object =
    'rawHeaders' in request && Array.isArray(request.rawHeaders) ? request.rawHeaders : request;
  return carrier as Record<symbol, unknown>;
}
