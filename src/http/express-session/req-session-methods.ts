import type { JsonObject } from '../../core/json-data.js';
import { nextTick } from '../../core/timers.js';
import type { HttpRuntime } from '../http-options.js';
import { agreesOnUser, passportUser, usesPassport } from '../security/passport-user.js';
import { endCurrent } from '../session/end-session.js';
import type { BeforeSave, RequestSessionState } from '../session/request-session-state.js';
import type { SessionHandle } from '../session/session-handle.js';
import { expressSessionCookie } from './req-session-cookie.js';
import { ProxyTarget, sessionProxy } from './session-proxy.js';
import type {
  ExpressSession,
  ExpressSessionCallback,
  ExpressSessionCookie,
  ExpressSessionMembers,
} from './types.js';

/**
 * The methods that `req.session` has for middleware written for express-session (`save`, `regenerate`, `destroy`, `reload`),
 * made of those of our session. Before changes are saved, it also ends a session whose user Passport has signed out.
 */
export class ReqSessionMethods implements BeforeSave {
  /** The value of `req.session`; `undefined` after `destroy()`. */
  proxy: ExpressSession | undefined;
  #target: ProxyTarget;
  /** Whether `regenerate()` made the current proxy. */
  #isRegenerated = false;
  readonly #runtime: HttpRuntime;
  readonly #state: RequestSessionState;
  readonly #session: SessionHandle;
  readonly #request: object;

  constructor(runtime: HttpRuntime, state: RequestSessionState, session: SessionHandle, request: object) {
    this.#runtime = runtime;
    this.#state = state;
    this.#session = session;
    this.#request = request;
    this.#target = new ProxyTarget({ runtime, state, session, request }, this.#members());
    this.proxy = sessionProxy(this.#target) as ExpressSession;
  }

  get isDue(): boolean {
    return this.#isPassportGone;
  }

  /** Ends the session whose user Passport has signed out. */
  async run(): Promise<void> {
    await endCurrent(this.#state, 'logout');
  }

  #members(): ExpressSessionMembers {
    const [session, state, { options, sessions }] = [this.#session, this.#state, this.#runtime];
    const member = (step: () => Promise<void>) => (callback?: ExpressSessionCallback) => {
      const { proxy } = this;
      const done = state.handOut(step);
      if (typeof callback !== 'function') return done;
      done.then(
        () => callBack(callback),
        (error: unknown) => callBack(callback, error),
      );
      return proxy;
    };
    const chained = (act: () => void) => () => {
      act();
      return this.proxy;
    };
    const members = {
      get id(): string | null {
        return session.id;
      },
      get cookie(): ExpressSessionCookie {
        return expressSessionCookie(options.cookie, state.cookieLife, sessions.clock.now());
      },
      save: member(() => this.#save()),
      regenerate: member(() => this.#regenerate()),
      destroy: member(() => this.#destroy()),
      reload: member(() => this.#reload()),
      touch: chained(() => state.countAsTouch(true)),
      resetMaxAge: chained(() => undefined),
    };
    return members as ExpressSessionMembers;
  }

  /** Passport saves after it has put its user into a new session: that is the sign-in. */
  async #save(): Promise<void> {
    const session = this.#session;
    const user = passportUser(session.data);
    const isSignIn = this.#target.maySignIn && user !== undefined && usesPassport(this.#request);
    if (isSignIn && !session.isAuthenticated) {
      try {
        await session.authenticate(this.#runtime.options.passportUserId(user));
      } catch (error) {
        delete session.data['passport']; // or Passport would take an anonymous session for a signed-in one
        throw error;
      }
    } else if (!this.#isPassportGone) await session.save(); // one that is signed out ends: `beforeSave`
  }

  async #regenerate(): Promise<void> {
    const { data } = this.#target;
    await endCurrent(this.#state, this.#isPassportGone ? 'logout' : 'replaced');
    this.#isRegenerated = true;
    this.#replaceProxy(data);
  }

  async #destroy(): Promise<void> {
    this.#target.pin(this.#target.data);
    this.proxy = undefined; // at once, as express-session does
    await endCurrent(this.#state, 'logout');
  }

  async #reload(): Promise<void> {
    const { data } = this.#target;
    await this.#state.reload();
    this.#replaceProxy(data);
  }

  /** From now on there is another object; the old one keeps the data that it had. */
  #replaceProxy(data: JsonObject): void {
    this.#target.pin(data);
    const proxied = {
      runtime: this.#runtime,
      state: this.#state,
      session: this.#session,
      request: this.#request,
    };
    this.#target = new ProxyTarget(proxied, this.#members(), this.#isRegenerated);
    this.proxy = sessionProxy(this.#target) as ExpressSession;
  }

  /** Whether the data had a user of Passport's who was signed in, and Passport has removed them. */
  get #isPassportGone(): boolean {
    const { copy, stored } = this.#state;
    if (stored === null || stored.row.userId === null || copy.isUntouched) return false;
    const { row, content } = stored;
    if (passportUser(content.data) === undefined || passportUser(copy.data) !== undefined) return false;
    return agreesOnUser(content.data, row.userId, this.#runtime.options.passportUserId);
  }
}

/** Calls a callback. What it throws becomes an uncaught exception of the process, as with express-session. */
function callBack(callback: ExpressSessionCallback, error?: unknown): void {
  try {
    callback(error);
  } catch (thrown) {
    nextTick(() => {
      throw thrown;
    });
  }
}
