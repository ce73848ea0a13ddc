import type { JsonObject } from '../../core/json-data.js';
import { SessionDataError } from '../../core/session-errors.js';
import { toHttpException } from '../errors/to-http-exception.js';
import type { HttpRuntime } from '../http-options.js';
import { PASSPORT_KEY, passportUser, usesPassport } from '../security/passport-user.js';
import type { RequestSessionState } from '../session/request-session-state.js';
import { prototypeKey, type SessionHandle } from '../session/session-handle.js';

/**
 * What `req.session` and Nest's own `@Session()` give: the session's data as properties, beside the members that
 * express-session has. To read a method of our `Session` from it throws: the app has imported the `Session` of Nest instead.
 */
export function sessionProxy(target: ProxyTarget): object {
  return new Proxy<object>(
    {},
    {
      get(_, key) {
        if (Object.hasOwn(target.members, key)) return Reflect.get(target.members, key) as unknown;
        if (typeof key === 'string' && OUR_METHODS.has(key) && !Object.hasOwn(target.data, key))
          throw wrongImport(key);
        target.noteRead(key);
        return Reflect.get(target.data, key) as unknown;
      },
      set(_, key, value) {
        if (key === '__proto__') throw toHttpException(prototypeKey());
        if (Object.hasOwn(target.members, key)) throw toHttpException(memberKey(String(key)));
        target.noteWrite(String(key));
        return Reflect.set(target.data, key, value);
      },
      has: (_, key) => Object.hasOwn(target.members, key) || Reflect.has(target.data, key),
      deleteProperty: (_, key) => Reflect.deleteProperty(target.data, key),
      ownKeys: () => Reflect.ownKeys(target.data),
      defineProperty: (_, key, descriptor) =>
        Reflect.defineProperty(target.data, key, { ...descriptor, configurable: true }),
      getOwnPropertyDescriptor(_, key) {
        target.noteRead(key);
        return Reflect.getOwnPropertyDescriptor(target.data, key);
      },
    },
  );
}

/** Members of our `Session`, for the error of an app that imported the wrong one. */
const OUR_METHODS = new Set([
  'get',
  'set',
  'has',
  'remove',
  'clear',
  'authenticate',
  'reauthenticate',
  'rotate',
  'logout',
  'logoutOthers',
  'logoutAll',
  'list',
  'revoke',
  'update',
  'take',
  'takeOnce',
  'flashes',
]);

/** A session, and the request that it is shown to. */
export interface ProxiedSession {
  readonly runtime: HttpRuntime;
  readonly state: RequestSessionState;
  readonly session: SessionHandle;
  readonly request: object;
}

/** Apps whose log has the warning about `userId` in `req.session`. */
const warned = new WeakSet<HttpRuntime>();

/**
 * What one object `req.session` shows. It is the data of the session until `pin` is called, when another object takes its
 * place; from then on it is the data that was pinned.
 */
export class ProxyTarget {
  #pinned: JsonObject | null = null;
  #hasReadUser = false;

  readonly #runtime: HttpRuntime;
  readonly #state: RequestSessionState;
  readonly #session: SessionHandle;
  readonly #request: object;
  readonly #isRegenerated: boolean;

  /**
   * @param members what is not data: these names cannot be written to
   * @param isRegenerated whether `regenerate()` has made the session
   */
  constructor(
    { runtime, state, session, request }: ProxiedSession,
    readonly members: object,
    isRegenerated = false,
  ) {
    this.#runtime = runtime;
    this.#state = state;
    this.#session = session;
    this.#request = request;
    this.#isRegenerated = isRegenerated;
  }

  get data(): JsonObject {
    return this.#pinned ?? this.#session.data;
  }

  /** From now on the object shows this data, whatever becomes of the session. */
  pin(data: JsonObject): void {
    this.#pinned = data;
  }

  /**
   * Whether Passport may be signing somebody in: it has called `regenerate()`, and has then read its key in the new session.
   * Code that stores under a key which a client chose only writes it.
   */
  get maySignIn(): boolean {
    return this.#isRegenerated && this.#hasReadUser;
  }

  /** Before Passport reads its user from the data: a user who is not the one signed in is removed. */
  noteRead(key: string | symbol): void {
    if (key !== PASSPORT_KEY || this.#pinned !== null) return;
    this.#hasReadUser = true;
    const { data } = this.#state.copy;
    if (passportUser(data) === undefined || !usesPassport(this.#request)) return;
    // After `regenerate()` nobody is signed in yet, so a user that was carried over from the session before is removed too.
    const isSigningIn = this.#isRegenerated && this.#state.stored === null;
    if (!isSigningIn && this.#state.facts.acceptsData(data, this.#session.userId)) return;
    delete (data[PASSPORT_KEY] as JsonObject)['user'];
  }

  /** Before a key is written: a user who is only written there is not signed in, which the log says once. */
  noteWrite(key: string): void {
    const isSignIn = key === 'userId' || key === 'user';
    if (!isSignIn || this.#session.isAuthenticated || warned.has(this.#runtime)) return;
    warned.add(this.#runtime);
    this.#runtime.logger.warn(
      `\`req.session.${key}\` was set while nobody is signed in, which signs nobody in: limits, lists and ` +
        '`@RequireAuth()` know only who `await session.authenticate(userId)` has signed in, with the session of ' +
        '`@Session()` from nest-sessions or `sessionOf(request)`',
    );
  }
}

/** The error for data under the name of a member, such as `save`. Keys may come from clients, so it is a 400. */
function memberKey(key: string): SessionDataError {
  return new SessionDataError(
    `\`req.session.${key}\` is a member of the session, and cannot be a key of its data. Nothing was changed`,
    { path: `data.${key}`, fault: 'input' },
  );
}

function wrongImport(method: string): TypeError {
  return new TypeError(
    `\`session.${method}\` was read from req.session, which has the data and express-session's members. ` +
      "Import the decorator and type from nest-sessions: import { Session } from 'nest-sessions', not from '@nestjs/common'",
  );
}
