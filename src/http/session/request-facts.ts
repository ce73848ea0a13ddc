import type { JsonObject } from '../../core/json-data.js';
import type { HttpRuntime } from '../http-options.js';
import { type PlatformRequest, routeOf } from '../platform/platform-request.js';
import {
  agreesOnUser,
  changesPassportUser,
  foreignPassportUser,
  passportUser,
  usesPassport,
} from '../security/passport-user.js';
import { addressOf, metaOf } from './client-meta.js';

/** What the session of a request has to know about that request. None of it changes while the request lasts. */
export interface RequestFacts {
  /** Address of the client, for events. */
  readonly ip?: string | undefined;
  /** Whether cookies outlive the browser session by default. */
  readonly persistent: boolean;
  /** Whether clients may hold bearer tokens. */
  readonly acceptsBearer: boolean;
  /** Whether the request came with a bearer token: such a client gets no cookie. */
  readonly isBearer: boolean;
  /** Whether the browser may have a cookie that it did not send (SameSite=Strict), which a new session would overwrite. */
  readonly isCookieWithheld: boolean;
  /** Whether a page of another site made the browser send it, by a method that changes things: the session must not change. */
  readonly isCrossSiteChange: boolean;
  /** Whether there is no response that could ever carry a cookie: it came over a socket. */
  readonly isCookieless: boolean;
  /** `meta` of a new session; `own` is what the app adds for this one. */
  describeClient(own: JsonObject): JsonObject;
  /** Family and platform of the client, where they are watched. */
  clientFamily(): string | undefined;
  /** The error when the request must not change a session, or sign anybody in, which is logged; `null`: it may. */
  refusalOf(step: 'change' | 'sign-in'): Error | null;
  /**
   * Whether the session of a user, or of nobody (`null`), may have the data: not when it names another user to Passport. A
   * refusal is logged.
   */
  acceptsData(data: JsonObject, userId: string | null): boolean;
  /**
   * Checks data that is about to be stored: as `acceptsData`, where `next` names another user to Passport than `before`.
   *
   * @throws SessionDataError when the data is not accepted
   */
  checkData(before: JsonObject, next: JsonObject, userId: string | null): void;
  /**
   * Writes to the log, with the route in front. `null`: there is no response that a failure could reach, so that a
   * rejection which nobody handles is an unhandled one.
   */
  readonly log: ((level: 'warn' | 'error', message: string) => void) | null;
}

/** The facts of an HTTP request. Each is computed when it is asked for. */
export class HttpRequestFacts implements RequestFacts {
  readonly #runtime: HttpRuntime;
  readonly #request: PlatformRequest;
  readonly isBearer: boolean;
  readonly isCookieless = false;

  constructor(runtime: HttpRuntime, request: PlatformRequest, isBearer: boolean) {
    this.#runtime = runtime;
    this.#request = request;
    this.isBearer = isBearer;
  }

  get ip(): string | undefined {
    return addressOf(this.#request);
  }

  get persistent(): boolean {
    return this.#runtime.options.cookie.persistent;
  }

  get acceptsBearer(): boolean {
    return this.#runtime.options.acceptsBearer;
  }

  get isCookieWithheld(): boolean {
    const { cookie, csrf } = this.#runtime.options;
    return csrf !== null && cookie.attributes.sameSite === 'strict' && csrf.withholdsStrict(this.#request);
  }

  get isCrossSiteChange(): boolean {
    const { csrf } = this.#runtime.options;
    return csrf !== null && !this.isBearer && csrf.refusesChange(this.#request);
  }

  /** Whether a page of another site made the browser send it, and nobody may be signed in by it. */
  protected get isCrossSiteSignIn(): boolean {
    const { csrf } = this.#runtime.options;
    return csrf !== null && csrf.refusesSignIn(this.#request);
  }

  describeClient(own: JsonObject): JsonObject {
    return metaOf(this.#request, this.#runtime.options.meta, own);
  }

  clientFamily(): string | undefined {
    return this.#runtime.options.clientChange?.familyOf(this.#request);
  }

  refusalOf(step: 'change' | 'sign-in'): Error | null {
    const { options, sessions, logger } = this.#runtime;
    const { csrf } = options;
    if (csrf === null) return null;
    const isRefused = step === 'change' ? this.isCrossSiteChange : this.isCrossSiteSignIn;
    return isRefused ? csrf.refusal(this.#request, sessions.clock.now(), logger) : null;
  }

  acceptsData(data: JsonObject, userId: string | null): boolean {
    if (passportUser(data) === undefined || !usesPassport(this.#request)) return true;
    if (agreesOnUser(data, userId, this.#runtime.options.passportUserId)) return true;
    this.log(
      'warn',
      '`passport.user` in the data of a session is not who is signed in there, so Passport does not get to see it. Only a ' +
        'sign-in makes one: `req.logIn()` of Passport 0.6 or later, or `authenticate()`',
    );
    return false;
  }

  checkData(before: JsonObject, next: JsonObject, userId: string | null): void {
    if (changesPassportUser(before, next) && !this.acceptsData(next, userId)) throw foreignPassportUser();
  }

  log(level: 'warn' | 'error', message: string): void {
    this.#runtime.logger[level](`${routeOf(this.#request)}: ${message}`);
  }
}

/**
 * The facts of an HTTP request whose resolvers of GraphQL are called. Queries come by POST and could change something by GET,
 * so the method does not count: what a page of another site sends changes nothing, begins nothing and signs nobody in.
 */
export class GraphqlRequestFacts extends HttpRequestFacts {
  readonly #isCrossSite: boolean;

  constructor(runtime: HttpRuntime, request: PlatformRequest, isBearer: boolean) {
    super(runtime, request, isBearer);
    const { csrf } = runtime.options;
    this.#isCrossSite = csrf !== null && csrf.isCrossSite(request);
  }

  override get isCrossSiteChange(): boolean {
    return this.#isCrossSite && !this.isBearer;
  }

  protected override get isCrossSiteSignIn(): boolean {
    return this.#isCrossSite;
  }
}
