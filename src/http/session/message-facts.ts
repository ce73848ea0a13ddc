import type { JsonObject } from '../../core/json-data.js';
import type { HttpRuntime } from '../http-options.js';
import type { RequestFacts } from './request-facts.js';

/**
 * The facts of a message over a socket. They hold no request: that of the upgrade, with all its headers, would stay as long
 * as the socket does. Whether a page of another site has opened the socket was asked then.
 */
export class MessageFacts implements RequestFacts {
  readonly #runtime: HttpRuntime;
  readonly #what: string;
  readonly isBearer: boolean;
  readonly isCookieWithheld = false;
  readonly isCrossSiteChange = false;
  readonly isCookieless = true;

  /**
   * @param isBearer whether the socket was opened with a bearer token
   * @param what what is being handled, for the log: `ChatGateway.say`
   */
  constructor(runtime: HttpRuntime, isBearer: boolean, what: string) {
    this.#runtime = runtime;
    this.isBearer = isBearer;
    this.#what = what;
  }

  get persistent(): boolean {
    return this.#runtime.options.cookie.persistent;
  }

  get acceptsBearer(): boolean {
    return this.#runtime.options.acceptsBearer;
  }

  describeClient(own: JsonObject): JsonObject {
    return own;
  }

  clientFamily(): undefined {
    return undefined;
  }

  refusalOf(): null {
    return null;
  }

  /** Passport does not get to see a user who is not signed in: it reads the data in requests, which check it. */
  acceptsData(): boolean {
    return true;
  }

  checkData(): void {}

  log(level: 'warn' | 'error', message: string): void {
    this.#runtime.logger[level](`${this.#what}: ${message}`);
  }
}
