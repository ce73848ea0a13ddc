import { nextTick } from '../../core/timers.js';
import type { JsonObject } from '../../core/json-data.js';
import type {
  ExpressSession,
  ExpressSessionCallback,
  ExpressSessionCookie,
  ExpressSessionMembers,
} from './types.js';
import { expressSessionCookie } from './cookie.js';
import { LiveSource } from './live-source.js';
import { agreesOnUser, passportUser, usesPassport } from '../security/passport-user.js';
import { sessionBag } from './session-proxy.js';
import { endCurrent } from '../session/end-session.js';
import type { BeforeSave, SessionExchange } from '../request/session-exchange.js';
import { reload } from '../session/session-reload.js';

/** The session of one request as middleware of express-session sees it, and what it owes before the response leaves. */
export class ExpressSessionView implements BeforeSave {
  /** What `req.session` is; `undefined` after `destroy()`. */
  bag: ExpressSession | undefined;
  #source: LiveSource;
  /** Whether `regenerate()` made the present bag. */
  #isRegenerated = false;

  constructor(
    private readonly exchange: SessionExchange,
    private readonly request: object,
  ) {
    this.#source = new LiveSource(exchange, this.#members());
    this.bag = sessionBag(this.#source) as ExpressSession;
  }

  get isDue(): boolean {
    return this.#isPassportGone;
  }

  /** A session that Passport signed out ends. */
  async beforeSave(): Promise<void> {
    if (this.#isPassportGone) await endCurrent(this.exchange.work, 'logout');
  }

  #members(): ExpressSessionMembers {
    const { exchange } = this;
    const member = (step: () => Promise<void>) => (callback?: ExpressSessionCallback) => {
      const { bag } = this;
      const done = exchange.work.handOut(step);
      if (typeof callback !== 'function') return done;
      done.then(
        () => tell(callback),
        (error: unknown) => tell(callback, error),
      );
      return bag;
    };
    const chained = (act: () => void) => () => {
      act();
      return this.bag;
    };
    const members = {
      get id(): string | null {
        return exchange.session.id;
      },
      get cookie(): ExpressSessionCookie {
        const { options, manager } = exchange.runtime;
        return expressSessionCookie(options.cookie, exchange.work.cookieLife, manager.clock.now());
      },
      save: member(() => this.#save()),
      regenerate: member(() => this.#regenerate()),
      destroy: member(() => this.#destroy()),
      reload: member(() => this.#reload()),
      touch: chained(() => exchange.markUsed()),
      resetMaxAge: chained(() => undefined),
    };
    return members as ExpressSessionMembers;
  }

  /** Passport saves after it has put its user into a new session: that is the sign-in. */
  async #save(): Promise<void> {
    const { session, runtime } = this.exchange;
    const user = passportUser(session.data);
    const isSignIn = this.#source.maySignIn && user !== undefined && usesPassport(this.request);
    if (isSignIn && !session.isAuthenticated) {
      try {
        await session.authenticate(runtime.options.passportUserId(user));
      } catch (error) {
        delete session.data['passport']; // or Passport would take an anonymous session for a signed-in one
        throw error;
      }
    } else if (!this.#isPassportGone) await session.save(); // one that is signed out ends: `beforeSave`
  }

  async #regenerate(): Promise<void> {
    const { data } = this.#source;
    await endCurrent(this.exchange.work, this.#isPassportGone ? 'logout' : 'replaced');
    this.#isRegenerated = true;
    this.#replaceBag(data);
  }

  async #destroy(): Promise<void> {
    this.#source.pin(this.#source.data);
    this.bag = undefined; // at once, as express-session does
    await endCurrent(this.exchange.work, 'logout');
  }

  async #reload(): Promise<void> {
    const { data } = this.#source;
    await reload(this.exchange.work);
    this.#replaceBag(data);
  }

  /** From now on there is another bag; the old one keeps the data that it had. */
  #replaceBag(data: JsonObject): void {
    this.#source.pin(data);
    this.#source = new LiveSource(this.exchange, this.#members(), this.#isRegenerated);
    this.bag = sessionBag(this.#source) as ExpressSession;
  }

  /** Whether Passport had signed somebody in, and has taken them out of the data. */
  get #isPassportGone(): boolean {
    const { session, work, runtime } = this.exchange;
    if (!session.isAuthenticated || work.stored === null || work.copy.isUntouched) return false;
    const { row, content } = work.stored;
    if (passportUser(content.data) === undefined || passportUser(work.copy.data) !== undefined) return false;
    return agreesOnUser(content.data, row.userId, runtime.options.passportUserId);
  }
}

/** What a callback throws is nobody's rejection: it is uncaught, as with express-session. */
function tell(callback: ExpressSessionCallback, error?: unknown): void {
  try {
    callback(error);
  } catch (thrown) {
    nextTick(() => {
      throw thrown;
    });
  }
}
