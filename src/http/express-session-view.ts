import type { JsonObject } from '../core/json-data.js';
import type {
  ExpressSession,
  ExpressSessionCallback,
  ExpressSessionCookie,
  ExpressSessionMembers,
} from './express-session.js';
import { expressSessionCookie } from './express-session-cookie.js';
import { Outcome } from './outcome.js';
import { passportUser, usesPassport } from './passport-user.js';
import { type BagSource, sessionBag } from './session-bag.js';
import { endCurrent } from './session-ending.js';
import { toHttpException } from './session-exceptions.js';
import type { BeforeSave, SessionExchange } from './session-exchange.js';
import { reload } from './session-reload.js';
import type { HttpRuntime } from './session-runtime.js';

/** Apps that have been warned. */
const warned = new WeakSet<HttpRuntime>();

/** The session of one request as middleware of express-session sees it, and what it owes before the response leaves. */
export class ExpressSessionView implements BeforeSave {
  /** What `req.session` is; `undefined` after `destroy()`. */
  bag: ExpressSession | undefined;
  #source: LiveSource;
  /** Whether `regenerate()` made the present bag. */
  #isRegenerated = false;
  readonly #steps = new Set<Promise<void>>();
  readonly #failed = new Map<Outcome, unknown>();

  constructor(
    private readonly exchange: SessionExchange,
    private readonly request: object,
  ) {
    this.#source = new LiveSource(exchange, this.#members());
    this.bag = sessionBag(this.#source) as ExpressSession;
  }

  get isDue(): boolean {
    return this.#steps.size > 0 || this.#forgottenFailure !== undefined || this.#isPassportGone;
  }

  /** Steps that nobody awaits fail the response; a session that Passport signed out ends. */
  async beforeSave(): Promise<void> {
    await Promise.allSettled(this.#steps);
    const forgotten = this.#forgottenFailure;
    this.#failed.clear();
    if (forgotten !== undefined) throw forgotten;
    if (this.#isPassportGone) await endCurrent(this.exchange.work, 'logout');
  }

  #members(): ExpressSessionMembers {
    const { exchange } = this;
    const member = (step: () => Promise<void>) => (callback?: ExpressSessionCallback) =>
      this.#start(step, callback);
    const chained = (act: () => void) => () => {
      act();
      return this.bag;
    };
    const members = {
      get id(): string | null {
        return exchange.session.id;
      },
      get cookie(): ExpressSessionCookie {
        const { options, engine } = exchange.runtime;
        return expressSessionCookie(options.cookie, exchange.work.cookieLife, engine.clock.now());
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

  #start(step: () => Promise<void>, callback?: ExpressSessionCallback): object | undefined {
    const { bag } = this;
    const done = this.#run(step).finally(() => this.#steps.delete(done));
    this.#steps.add(done);
    if (typeof callback === 'function') {
      done.then(
        () => tell(callback),
        (error: unknown) => tell(callback, error),
      );
      return bag;
    }
    const outcome = new Outcome(done);
    done.catch((error: unknown) => this.#failed.set(outcome, error));
    return outcome.promise;
  }

  async #run(step: () => Promise<void>): Promise<void> {
    try {
      await step();
    } catch (error) {
      this.exchange.noteFailure(error);
      throw toHttpException(error);
    }
  }

  /** Passport saves after it has put its user into a new session: that is the sign-in. */
  async #save(): Promise<void> {
    const { session, runtime } = this.exchange;
    const user = passportUser(session.data);
    const isSignIn = this.#isRegenerated && user !== undefined && usesPassport(this.request);
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
    const { work } = this.exchange;
    this.#source.pin();
    await endCurrent(work, this.#isPassportGone ? 'logout' : 'replaced');
    this.#isRegenerated = true;
    this.#replaceBag();
  }

  async #destroy(): Promise<void> {
    this.#source.pin();
    this.bag = undefined; // at once, as express-session does
    await endCurrent(this.exchange.work, 'logout');
  }

  async #reload(): Promise<void> {
    this.#source.pin();
    await reload(this.exchange.work);
    this.#replaceBag();
  }

  #replaceBag(): void {
    this.#source = new LiveSource(this.exchange, this.#members());
    this.bag = sessionBag(this.#source) as ExpressSession;
  }

  /** Whether Passport had signed somebody in, and has taken them out of the data. */
  get #isPassportGone(): boolean {
    const { session, work } = this.exchange;
    if (!session.isAuthenticated || work.stored === null || work.copy.isUntouched) return false;
    return passportUser(work.stored.content.data) !== undefined && passportUser(work.copy.data) === undefined;
  }

  get #forgottenFailure(): unknown {
    return [...this.#failed].find(([outcome]) => outcome.isForgotten)?.[1];
  }
}

/** What a callback throws is nobody's rejection: it is uncaught, as with express-session. */
function tell(callback: ExpressSessionCallback, error?: unknown): void {
  try {
    callback(error);
  } catch (thrown) {
    process.nextTick(() => {
      throw thrown;
    });
  }
}

/** The data of the session as it is, until it is pinned: then, what it was. */
class LiveSource implements BagSource {
  #pinned: JsonObject | null = null;

  constructor(
    private readonly exchange: SessionExchange,
    readonly members: object,
  ) {}

  get data(): JsonObject {
    return this.#pinned ?? this.exchange.session.data;
  }

  pin(): void {
    this.#pinned = this.data;
  }

  noteWrite(key: string): void {
    const { runtime, session } = this.exchange;
    if ((key !== 'userId' && key !== 'user') || session.isAuthenticated || warned.has(runtime)) return;
    warned.add(runtime);
    runtime.logger.warn(
      `\`req.session.${key}\` was set while nobody is signed in, which signs nobody in: limits, lists and ` +
        '`@RequireAuth()` know only who `await session.authenticate(userId)` has signed in, with the session of ' +
        '`@Session()` from nest-sessions or `sessionOf(request)`',
    );
  }
}
