import { rawRequest } from './platform-request.js';

/**
 * A value for each request, the same for all platform objects that wrap it. It is kept as a property of the raw request's
 * array of raw headers.
 *
 * A WeakMap would keep it too long: its table is in the old generation, so that values of finished requests, and all that
 * they refer to, stay until the next full garbage collection. A property of the request would take long to add: Express
 * gives each request a prototype and thereby a hidden class of its own, which each new property copies.
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
