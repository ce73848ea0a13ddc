import type { JsonObject } from '../../core/json-data.js';
import { PASSPORT_KEY, passportUser, usesPassport } from '../security/passport-user.js';
import type { BagSource } from './session-proxy.js';
import type { SessionExchange } from '../request/session-exchange.js';
import type { HttpRuntime } from '../http-runtime.js';

/** Apps that have been warned. */
const warned = new WeakSet<HttpRuntime>();

/** The data of the session as it is, until it is pinned: then, what it was. */
export class LiveSource implements BagSource {
  #pinned: JsonObject | null = null;
  #isAskedForUser = false;

  constructor(
    private readonly exchange: SessionExchange,
    readonly members: object,
    /** Whether it is the source of a session that `regenerate()` has made. */
    private readonly isRegenerated = false,
  ) {}

  get data(): JsonObject {
    return this.#pinned ?? this.exchange.session.data;
  }

  pin(data: JsonObject): void {
    this.#pinned = data;
  }

  /**
   * Whether Passport may be signing somebody in: it has asked for a new session, and then for its own in there. Whatever
   * stores under a key from a client only writes.
   */
  get maySignIn(): boolean {
    return this.isRegenerated && this.#isAskedForUser;
  }

  /** Passport reads here whom it takes for signed in: it does not get to see anybody else. */
  noteRead(key: string | symbol): void {
    if (key !== PASSPORT_KEY || this.#pinned !== null) return;
    this.#isAskedForUser = true;
    const { session, work, input } = this.exchange;
    const { data } = work.copy;
    if (passportUser(data) === undefined || !usesPassport(input.request)) return;
    // In a session that Passport has just asked for, what it brings along from the one before is not believed yet.
    const isSigningIn = this.isRegenerated && work.stored === null;
    if (!isSigningIn && work.context.acceptsData?.(data, session.userId) !== false) return;
    delete (data[PASSPORT_KEY] as JsonObject)['user'];
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
