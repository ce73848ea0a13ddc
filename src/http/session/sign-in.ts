import { describeKind } from '../../core/describe-value.js';
import { toUserId, type UserId } from '../../core/identifiers.js';
import { faultOf, toJsonObject } from '../../core/json-data.js';
import type { SessionChanges } from '../../core/merge-changes.js';
import { type SessionMarks, type StoredSession } from '../../core/session-content.js';
import { gone, SessionConflictError, SessionDataError } from '../../core/session-errors.js';
import { type SessionToken, transportOf } from '../../core/session-token.js';
import { PASSPORT_KEY } from '../security/passport-user.js';
import { AuthenticationRequiredException } from '../errors/exceptions.js';
import { endMissing } from './end-session.js';
import type { RequestSessionState } from './request-session-state.js';
import type { AuthenticateOptions } from '../session.interface.js';

/**
 * `session.authenticate()`: a new session of the user takes the place of the one that there is. Resolves to the token where
 * the client keeps it as a bearer token; otherwise the response carries it in its cookie.
 */
export function signIn(
  state: RequestSessionState,
  userId: UserId,
  options: AuthenticateOptions<object>,
): Promise<SessionToken | undefined> {
  const { sessions, facts } = state;
  return state.runInTurn(async () => {
    checkAuthenticateOptions(options, facts.acceptsBearer);
    const isBearer = options.transport === 'bearer';
    if (facts.isCookieless) state.requireCookie('sign in');
    if (!isBearer) {
      state.refuseCrossSite('sign-in');
      state.requireCookie('sign in');
    } else if (state.stored !== null) state.refuseCrossSite('change');
    const id = toUserId(userId);
    if (id === state.endedUserId) throw gone();
    const data = toJsonObject(options.data ?? {});
    facts.checkData({}, data, id);
    const snapshot = state.snapshot();
    // A page of another site may sign in by bearer, and ends nothing.
    if (!facts.isCrossSiteChange) await endMissing(state, 'replaced');
    state.holdOpen();
    const created = await sessions.create(
      {
        userId: id,
        meta: facts.describeClient(toJsonObject(options.meta ?? {}, 'meta')),
        previousId: state.presentId,
        previousUserId: state.stored?.row.userId,
        carries: state.stored !== null,
        changes: carriedChanges(state, snapshot.changes, id),
        data,
        remember: rememberOf(options),
        persistent: facts.persistent,
        notAfter: options.notAfter,
        marks: marksOf(options, facts.clientFamily()),
      },
      facts.ip,
    );
    state.begin(created, snapshot);
    return isBearer ? created.token : undefined;
  });
}

/**
 * The changes that a sign-in makes to the data that it carries over. A user whom Passport keeps there, and who is not the
 * one who signs in, is removed.
 *
 * @throws SessionDataError when this request has put that user there
 */
function carriedChanges(
  { facts, stored }: RequestSessionState,
  changes: SessionChanges,
  userId: string,
): SessionChanges {
  const before = stored?.content.data ?? {};
  const owner = stored?.row.userId ?? null;
  if (owner !== null && owner !== userId) return changes; // nothing is carried over
  facts.checkData(before, changes.set, userId);
  const carried = Object.hasOwn(changes.set, PASSPORT_KEY) ? changes.set : before;
  if (facts.acceptsData(carried, userId)) return changes;
  const { [PASSPORT_KEY]: _foreign, ...set } = changes.set;
  return { ...changes, set, remove: [...changes.remove, PASSPORT_KEY] };
}

function marksOf({ transport }: AuthenticateOptions<object>, client?: string): SessionMarks | undefined {
  if (transport !== 'bearer') return client === undefined ? undefined : { client };
  return client === undefined ? { transport } : { transport, client };
}

/** `session.reauthenticate()`: the same session gets a new token, and a new `authenticatedAt`. */
export function reauthenticate(state: RequestSessionState): Promise<void> {
  const { sessions, facts } = state;
  return state.runInTurn(async () => {
    const { stored } = state;
    if (stored === null || stored.row.userId === null)
      throw new AuthenticationRequiredException('authentication_required');
    state.refuseCrossSite('sign-in');
    requireCookieOf(stored, state);
    const { token, changed } = await sessions.renew(stored, facts.ip);
    state.renewed(token, { ...stored, row: { ...stored.row, ...changed } });
  });
}

/** `session.rotate()`: the response is to carry a new token. */
export async function requestRotation(state: RequestSessionState): Promise<void> {
  requireCookieOf(state.stored, state);
  if (state.stored !== null) state.refuseCrossSite('change');
  state.wantRotation();
}

/** @throws SessionConflictError when the response cannot carry a new token */
function requireCookieOf(stored: StoredSession | null, state: RequestSessionState): void {
  state.requireCookie('issue a new token');
  if (stored === null || transportOf(stored.content) === 'cookie') return;
  throw new SessionConflictError(
    'Cannot issue a new token: the client keeps a bearer token, which no response replaces by itself. Nothing was ' +
      "changed: authenticate(userId, { transport: 'bearer' }) signs in anew, and resolves to a token to send",
  );
}

const OPTIONS: readonly string[] = [
  'data',
  'remember',
  'notAfter',
  'meta',
  'transport',
] satisfies (keyof AuthenticateOptions)[];

/** What a form or a JSON body says of a checkbox, and whether it is ticked. One that is not sends nothing. */
const TICKED: ReadonlyMap<unknown, boolean> = new Map<unknown, boolean>([
  ...[true, 'on', 'true', '1'].map((yes) => [yes, true] as const),
  ...[false, 'off', 'false', '0', '', null, undefined].map((no) => [no, false] as const),
]);

/** Whether the user wants to be remembered; `undefined` when the app has not asked, so that its default holds. */
function rememberOf(options: AuthenticateOptions<object>): boolean | undefined {
  return 'remember' in options ? TICKED.get(options.remember) : undefined;
}

/** @throws SessionDataError for an unknown option, as a misspelt one must not pass for the default, or one that cannot be used */
function checkAuthenticateOptions(options: AuthenticateOptions<object>, acceptsBearer: boolean): void {
  if (typeof options !== 'object' || options === null)
    throw new SessionDataError(`Options of authenticate: expected an object, got ${describeKind(options)}`);
  const { remember, notAfter, transport } = options;
  const unknown = Object.keys(options).find((name) => !OPTIONS.includes(name));
  if (unknown !== undefined)
    throw new SessionDataError(
      `Unknown option of authenticate: expected one of ${OPTIONS.join(', ')}, got '${unknown}'`,
    );
  if (!TICKED.has(remember))
    throw badOption('remember', "true, 'on', 'true', '1', or false, 'off', 'false', '0', '', null", remember);
  if (notAfter !== undefined && !(notAfter instanceof Date)) throw badOption('notAfter', 'a Date', notAfter);
  if (transport !== undefined && transport !== 'cookie' && transport !== 'bearer')
    throw badOption('transport', "'cookie' or 'bearer'", transport);
  if (transport === 'bearer' && !acceptsBearer)
    throw new SessionDataError(
      "`transport: 'bearer'`: expected the option `transport: ['cookie', 'bearer']` of SessionModule, got none. The " +
        'token would not be accepted',
    );
}

/** What an app passes on from a body or a form may be the client's fault. */
function badOption(name: keyof AuthenticateOptions, wanted: string, value: unknown): SessionDataError {
  const message = `\`${name}\`: expected ${wanted}, got ${describeKind(value)}`;
  return new SessionDataError(message, { path: name, fault: faultOf(value) });
}
