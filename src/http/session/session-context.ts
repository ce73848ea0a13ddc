import { type JsonObject, toJsonObject } from '../../core/json-data.js';
import { SessionDataError } from '../../core/session-errors.js';
import { addressOf, describeClient } from './client-meta.js';
import { refuseForeign } from '../security/cross-site-refusal.js';
import { fitMeta } from './fit-meta.js';
import {
  agreesOnUser,
  changesPassportUser,
  foreignPassportUser,
  passportUser,
  usesPassport,
} from '../security/passport-user.js';
import { routeOf } from '../platform/platform-request.js';
import type { ResponseGate } from '../response/response-gate.js';
import type { Arrival } from '../request/load-session.js';
import type { ExchangeInput, HttpRuntime } from '../http-runtime.js';
import type { ForgottenFailures, RequestContext } from './request-context.js';

/** What an exchange lets its session's work see. */
export interface ExchangeView extends ForgottenFailures {
  readonly runtime: HttpRuntime;
  readonly input: ExchangeInput;
  readonly arrival: Arrival;
  readonly gate: ResponseGate;
  readonly isUse: boolean;
  readonly isForeignChange: boolean;
  noteUse(): void;
  noteSessionFailure(error: unknown): void;
}

/** The request of an exchange, as far as its session needs it. What the platform has to compute is asked for late. */
export class ExchangeContext implements RequestContext {
  constructor(private readonly exchange: ExchangeView) {}

  get ip(): string | undefined {
    return addressOf(this.exchange.input.request);
  }

  get persistent(): boolean {
    return this.exchange.runtime.options.cookie.persistent;
  }

  get acceptsBearer(): boolean {
    return this.exchange.runtime.options.acceptsBearer;
  }

  get isBearer(): boolean {
    return this.exchange.arrival.isBearer;
  }

  isUse(): boolean {
    return this.exchange.isUse;
  }

  /** @throws SessionDataError when the `meta` option gives no object; a promise of one is none */
  describeClient(own: JsonObject): JsonObject {
    const { input, runtime } = this.exchange;
    const added = metaOf(runtime.options.meta(input.request));
    return fitMeta({ ...describeClient(input.request), ...added }, own);
  }

  clientFamily(): string | undefined {
    return this.exchange.runtime.options.clientWatch?.familyOf(this.exchange.input.request);
  }

  refusalOf(step: 'change' | 'sign-in'): Error | null {
    const { input, runtime, isForeignChange } = this.exchange;
    const { request } = input;
    const isRefused = step === 'change' ? isForeignChange : runtime.options.crossSite?.refusesSignIn(request);
    return isRefused ? refuseForeign(runtime, request) : null;
  }

  get isCookieWithheld(): boolean {
    const { cookie, crossSite } = this.exchange.runtime.options;
    if (crossSite === null || cookie.attributes.sameSite !== 'strict') return false;
    return crossSite.withholdsStrict(this.exchange.input.request);
  }

  acceptsData(data: JsonObject, userId: string | null): boolean {
    const { input, runtime } = this.exchange;
    const { request } = input;
    if (passportUser(data) === undefined || !usesPassport(request)) return true;
    if (agreesOnUser(data, userId, runtime.options.passportUserId)) return true;
    runtime.logger.warn(
      `${routeOf(request)}: \`passport.user\` in the data of a session is not who is signed in there, so Passport does not ` +
        'get to see it. Only a sign-in makes one: `req.logIn()` of Passport 0.6 or later, or `authenticate()`',
    );
    return false;
  }

  checkData(before: JsonObject, next: JsonObject, userId: string | null): void {
    if (changesPassportUser(before, next) && !this.acceptsData(next, userId)) throw foreignPassportUser();
  }

  canCarryCookie(): boolean {
    return this.exchange.gate.isHeadPending;
  }

  noteUse(): void {
    this.exchange.noteUse();
  }

  noteFailure(error: unknown): void {
    this.exchange.noteSessionFailure(error);
  }

  get forgotten(): ForgottenFailures {
    return this.exchange;
  }
}

/** What the `meta` option gives is the app's own, in its kind at least. */
function metaOf(value: object): JsonObject {
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  if (isObject) return toJsonObject(value, 'meta');
  throw new SessionDataError('The `meta` option: expected a function that gives an object', { path: 'meta' });
}
