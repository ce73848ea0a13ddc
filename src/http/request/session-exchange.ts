import { HttpException } from '@nestjs/common';
import type { ServerResponse } from 'node:http';
import { SessionError, SessionStoreError } from '../../core/session-errors.js';
import { isTouchDue } from '../../core/session-expiry.js';
import { routeOf } from '../platform/platform-request.js';
import { ResponseGate, type ResponseExit } from '../response/response-gate.js';
import { type Arrival, NO_TOKEN, resolveArrival } from './load-session.js';
import { ExchangeContext, type ExchangeView } from '../session/session-context.js';
import { setSessionHeaders } from '../response/session-headers.js';
import { CrossSiteRequestException, reportFailure, toHttpException } from '../errors/exceptions.js';
import { SessionHandle } from '../session/session-handle.js';
import type { ExchangeInput, HttpRuntime, RoutedInput } from '../http-runtime.js';
import { RequestSessionState } from '../session/request-session-state.js';
import { setImmediate } from '../../core/timers.js';

/** Data that never equals its stored form (a `toJSON` that differs each time) must not hold a response for ever. */
const SETTLE_ROUNDS = 3;

/** What has to be done before changes are saved. */
export interface BeforeSave {
  /** Whether there is something to be done. */
  readonly isDue: boolean;
  beforeSave(): Promise<void>;
}

/** The way of one request through its session: from the cookie that came in to the cookie that goes out. */
export class SessionExchange implements ResponseExit, ExchangeView {
  readonly session: SessionHandle;
  /** What the session is made of. */
  readonly work: RequestSessionState;
  beforeSave: BeforeSave | null = null;
  readonly gate: ResponseGate;
  /** Whether something looked at the session, so that the response varies with the cookie. */
  #isRead: boolean;
  #isRouted: boolean;
  #flushing: Promise<unknown> | null = null;
  /** Why the last call to the session failed, if one did. */
  #failure: unknown = null;
  #awaitsUse = false;
  #isClosed = false;
  #within: number | null = null;

  private constructor(
    readonly runtime: HttpRuntime,
    public input: ExchangeInput,
    readonly arrival: Arrival,
  ) {
    const { resolved, unserved } = arrival;
    this.work = new RequestSessionState(runtime.manager, new ExchangeContext(this), resolved, unserved);
    this.session = new SessionHandle(this.work);
    this.#isRouted = input.isUse !== null;
    this.#isRead = resolved !== null && this.#isRouted;
    this.gate = new ResponseGate(input.response, this);
  }

  /**
   * Loads the session that the request's token leads to, or an empty one.
   *
   * @throws SessionHttpException (503) when a genuine token cannot be looked up
   * @throws TwoTokensException (400)
   */
  static open(runtime: HttpRuntime, input: ExchangeInput): SessionExchange | Promise<SessionExchange> {
    const arrival = resolveArrival(runtime, input);
    if (!(arrival instanceof Promise)) return new SessionExchange(runtime, input, arrival);
    return arrival.then((found) => new SessionExchange(runtime, input, found));
  }

  /** Whether there is nothing to save, as a glance tells. */
  get isUnchanged(): boolean {
    const { copy, isBusy, steps } = this.work;
    if (this.beforeSave?.isDue || steps?.areOpen) return false;
    return copy.isUntouched || (!isBusy && copy.isUnchanged);
  }

  /** Whether a page of another site asks for a change: none comes of it, whoever is signed in, or nobody. */
  get isForeignChange(): boolean {
    const { crossSite } = this.runtime.options;
    return crossSite !== null && !this.arrival.isBearer && crossSite.refusesChange(this.input.request);
  }

  /**
   * Turns away a page of another site that brings a session along, and forgets what middleware has changed in it. What
   * brings none is served, until it would begin one: a route that keeps nothing is open to every page.
   *
   * @throws CrossSiteRequestException
   */
  admit(): void {
    const refusal = this.work.presentId === null ? null : this.work.context.refusalOf?.('change');
    if (!refusal) return;
    this.work.discard();
    throw refusal;
  }

  /** The route needs a sign-in that is at most so old, in milliseconds. */
  noteTooOld(within: number): void {
    this.#within = within;
  }

  /** A session with nothing in it, for a request that presents no token. */
  static empty(runtime: HttpRuntime, input: ExchangeInput): SessionExchange {
    return new SessionExchange(runtime, input, NO_TOKEN);
  }

  /** The request that was opened before it was routed has come to its route. Each guard of the route says so. */
  enter(routed: RoutedInput): void {
    const isUse = routed.isUse || this.input.isUse === true; // what middleware touched stays touched
    if (this.#isRouted && isUse === this.input.isUse) return;
    this.#isRouted = true;
    this.input = { ...this.input, ...routed, isUse };
    this.#isRead ||= this.work.resolved !== null;
  }

  /** The request has come to a route that skips the session: serving it is no use of it. */
  skip(): void {
    this.input = { ...this.input, isUse: false };
  }

  /** The session was handed out. */
  markRead(): void {
    this.#isRead = true;
  }

  /** The app says that the session is used. */
  markUsed(): void {
    this.input = { ...this.input, isUse: true };
  }

  /** The handler failed: it may have called the store by itself. */
  noteFailure(error: unknown): void {
    if (error instanceof SessionError) this.#failure = error instanceof HttpException ? error.cause : error;
  }

  /**
   * Saves what has changed, before the response is composed. What cannot be saved is forgotten, so that it is
   * reported once.
   */
  async flush(): Promise<void> {
    if (this.gate.isHolding) return;
    if (!this.gate.isHeadPending) return this.#saveLate();
    try {
      this.#flushing = this.#save();
      await this.#flushing;
    } catch (error) {
      // An answer that began meanwhile waits for this: the failure takes its place.
      if (this.gate.isHolding) return;
      this.gate.dropAfterEnd();
      this.work.discard();
      this.noteFailure(error);
      throw toHttpException(error);
    } finally {
      this.#flushing = null;
    }
  }

  #save(): Promise<unknown> {
    const { beforeSave, work } = this;
    return beforeSave === null && work.steps === null ? work.save() : this.#saveBehindSteps();
  }

  /**
   * The failure of a step that nobody waits for is as one that the handler had thrown: what else has changed is saved
   * all the same.
   */
  async #saveBehindSteps(): Promise<void> {
    const { beforeSave, work } = this;
    const forgotten = work.steps?.areOpen ? await work.steps.settled() : [];
    for (const error of forgotten.slice(1))
      this.reportForgotten(error, 'beside another one, which is answered');
    const isOutage = forgotten[0] instanceof SessionStoreError;
    if (!isOutage) {
      await beforeSave?.beforeSave();
      await work.save();
    }
    if (forgotten.length > 0) throw forgotten[0];
  }

  settle(): Promise<void> | null {
    return this.#isUnsettled || this.#isRotationDue() ? this.#settle() : null;
  }

  /** A client that went away early is no end of the handler: what it changes is saved when it is done. */
  closed(): void {
    this.#awaitsUse = true;
    this.#isClosed = true;
    for (const error of this.work.steps?.takeForgotten() ?? []) this.reportForgotten(error);
    if (!this.gate.isHeadPending && this.#isUnsettled) void this.#saveLate();
  }

  setHeaders(response: ServerResponse): void {
    const { manager } = this.runtime;
    const { stored } = this.work;
    const { isBearer } = this.arrival;
    const { request } = this.input;
    const departure = { request, isRead: this.#isRead, isBearer, within: this.#within };
    setSessionHeaders(response, this.runtime, this.work, departure);
    if (stored && this.isUse && isTouchDue(stored.row, manager.clock.now(), manager.config.touchInterval)) {
      if (!this.isForeignChange) manager.touches.record(stored.row);
    }
    if (this.#failure !== null) {
      const { statusCode: status } = response;
      reportFailure(this.runtime.logger, { failure: this.#failure, status, route: this.#route, response });
      // What the handler had decided is not what happens.
      if (status >= 400) response.removeHeader('Location');
    }
  }

  refusal(error: unknown): ReturnType<ResponseExit['refusal']> {
    this.work.discard();
    const exception = toHttpException(error);
    if (exception instanceof HttpException) {
      this.noteFailure(error);
      return { status: exception.getStatus(), body: exception.getResponse() as object };
    }
    this.runtime.logger.error(`${this.#route}: the response could not be sent: ${reasonOf(error)}`);
    return { status: 500, body: { statusCode: 500, message: 'Internal server error' } };
  }

  /** Steps that nobody awaited are waited for too, and what they or others change meanwhile is still saved. */
  async #settle(): Promise<void> {
    await this.#flushing;
    for (let round = 0; round < SETTLE_ROUNDS && this.#isUnsettled; round++) await this.#save();
    await this.work.inTurn(() => this.#rotate());
  }

  get #isUnsettled(): boolean {
    const { isBusy, isDirty, steps } = this.work;
    return isBusy || isDirty || this.beforeSave?.isDue === true || steps?.areOpen === true;
  }

  #isRotationDue(): boolean {
    const { resolved, stored, cookieChange, isRotationWanted, manager } = this.work;
    const isSame =
      resolved !== null && stored !== null && stored.row.id === resolved.row.id && cookieChange === null;
    const isDue = this.#isRead && isSame && manager.resolver.isTokenDue(resolved, isRotationWanted);
    return isDue && !this.isForeignChange;
  }

  /** Rotation that fails leaves the presented token in force, so the response goes out all the same. */
  async #rotate(): Promise<void> {
    const { resolved, stored, manager, isRotationWanted } = this.work;
    if (!this.#isRotationDue() || resolved === null || stored === null) return;
    try {
      const token = await manager.resolver.nextToken(resolved, isRotationWanted);
      if (token) this.work.cookieChange = { kind: 'set', token, row: stored.row };
    } catch (error) {
      this.runtime.logger.warn(`${this.#route}: the session token was not rotated: ${String(error)}`);
    }
  }

  /** Nothing ends any more behind which to save what a forgotten promise changes, so this looks at once. */
  noteUse(): void {
    if (!this.#awaitsUse || this.gate.isHeadPending) return;
    this.#awaitsUse = false;
    setImmediate(() => this.closed());
  }

  /** What `update(fn)` of the app throws is the app's, and Nest's to log. */
  noteSessionFailure(error: unknown): void {
    if (error instanceof SessionError || error instanceof HttpException) this.#failure = error;
  }

  /** Before the response has left, what nobody waits for fails that; then, and when the client is gone, it is logged. */
  get canFailResponse(): boolean {
    return this.gate.isHeadPending && !this.#isClosed;
  }

  reportForgotten(error: unknown, when = 'after the response had begun'): void {
    this.runtime.logger.error(
      `${this.#route}: a step of the session that nobody awaits failed ${when}: ${reasonOf(error)}`,
    );
  }

  /** Saves what was changed after the first byte had left. Nobody can be told any more, but the log. */
  async #saveLate(): Promise<void> {
    try {
      if (!(await this.work.save())) return;
      this.runtime.logger.error(
        `${this.#route}: the session was changed after the response had begun. It was saved, but the client was ` +
          'not told, and no cookie could be set: change sessions before answering',
      );
    } catch (error) {
      this.work.discard();
      if (error instanceof CrossSiteRequestException) return; // logged as all of these are
      this.runtime.logger.error(
        `${this.#route}: the session was changed after the response had begun, and could not be saved: ${String(error)}`,
      );
    }
  }

  /** For the log. */
  get #route(): string {
    return routeOf(this.input.request);
  }

  /** Whether serving the request counts as use of its session. */
  get isUse(): boolean {
    return this.input.isUse ?? this.#isRead;
  }
}

/** For the log: what is not of sessions may be a fault of the code, so it says where. */
function reasonOf(error: unknown): string {
  const isOwn = error instanceof SessionError || error instanceof HttpException;
  return error instanceof Error && !isOwn ? (error.stack ?? String(error)) : String(error);
}
